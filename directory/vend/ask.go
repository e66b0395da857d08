package vend

import "communicator/wire"

// Ask is a request for a package of a name.
type Ask struct {
	Space   SpaceID
	Name    NameID
	Holder  Identity // who holds the name now, zeros for nobody
	Request RequestID
	Token   Token // zeros: none
	Zeros   int   // leading zero bits of the proof of work; -1: none that is valid
	Note    []byte
	// Throttled says that whoever asks is over a budget of the directory's. It is refused
	// like everything else, so that no answer tells a budget from a rule.
	Throttled bool
}

// asked is everything that bears on an Ask. All of it is read in every case, so that a
// name that does not exist costs what another costs.
type asked struct {
	space   Space
	era     uint32
	name    *Name
	earlier *requestRow
	scope   Scope  // of the owner's tokens
	contact Digest // of the token, as one of them
	invited bool   // it is one
	member  bool
	first   *stocked
}

func (s *step) look(in Ask) (a asked, err error) {
	if a.space, err = loadSpace(s.rows, in.Space); err != nil {
		return a, err
	}
	if a.era, err = loadEra(s.rows); err != nil {
		return a, err
	}
	if a.name, err = loadName(s.rows, in.Name); err != nil {
		return a, err
	}
	if a.earlier, err = loadRequest(s.rows, in.Name, in.Request.Digest()); err != nil {
		return a, err
	}
	a.scope = OwnerScope(in.Name, in.Holder)
	a.contact = TokenDigest(Contact, a.scope, in.Token)
	if a.invited, err = validToken(s.rows, Contact, a.scope, a.contact, s.hour); err != nil {
		return a, err
	}
	member := TokenDigest(Member, SpaceScope(in.Space), in.Token)
	if a.member, err = validToken(s.rows, Member, SpaceScope(in.Space), member, s.hour); err != nil {
		return a, err
	}
	var name Name
	if a.name != nil {
		name = *a.name
	}
	a.first, err = firstStocked(s.rows, in.Name, name, s.hour)
	return a, err
}

func (in Ask) step(s *step) error {
	a, err := s.look(in)
	if err != nil {
		return err
	}
	s.out.Status = wire.StatusPermission
	if !a.name.heldBy(in.Holder, a.era) {
		return nil
	}
	if a.earlier != nil {
		if a.earlier.state == stateVended && a.earlier.generation == a.name.Generation && a.earlier.forget > s.hour {
			s.out.Status, s.out.Position = wire.StatusOK, a.earlier.position
		}
		return nil
	}
	policy := a.name.policy(a.space)
	if in.Throttled || a.name.used(s.hour) >= policy.PerHour || !a.allowed(policy.Rule, in.Zeros) {
		return nil
	}
	if policy.Rule == Approved {
		if a.name.Waiting < s.limits.Waiting && len(in.Note) <= MaxNote {
			s.fact(ContactAsked{Name: in.Name, Forget: HourAt(s.now.Add(s.limits.AskLife)), Request: in.Request.Digest(), Note: in.Note})
		}
		return nil
	}
	f, ok := vended(in.Name, in.Request.Digest(), a.name, a.first, s.hour)
	if !ok {
		return nil
	}
	if policy.Rule == Invited {
		f.Token, f.Scope = a.contact, a.scope
	}
	s.fact(f)
	s.out.Status, s.out.Position = wire.StatusOK, f.Position
	return nil
}

// allowed says whether a rule is satisfied by what the request shows.
func (a asked) allowed(r Rule, zeros int) bool {
	worked := a.space.WorkBits == 0 || zeros >= int(a.space.WorkBits)
	switch r {
	case Invited:
		return a.invited
	case Members:
		return a.member
	case Approved, Open:
		return worked
	}
	return false
}

// vended picks the package: a one-time one, or else the last resort; false if there is
// neither.
func vended(name NameID, request Digest, n *Name, first *stocked, now Hour) (PackageVended, bool) {
	f := PackageVended{Name: name, Request: request}
	switch {
	case first != nil:
		f.Package, f.Expires, f.Position = OneTime, first.expires, first.position
	case n.LastResort != 0 && n.LastResortExpires >= now+minLeft:
		f.Package, f.Expires, f.Position = LastResort, n.LastResortExpires, n.LastResort
	default:
		return f, false
	}
	return f, true
}
