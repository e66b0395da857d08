package vend

import (
	"time"

	"communicator/wire"
)

// Package is one that an owner puts into stock.
type Package struct {
	Kind    PackageKind
	Expires time.Time // as the package itself says
	Bytes   []byte
}

// Add puts packages into stock, all or none. One that was added before is passed over,
// so an upload may be repeated; a new last-resort package takes the place of the old.
type Add struct {
	Name     NameID
	Holder   Identity
	Packages []Package
}

func (in Add) step(s *step) error {
	if len(in.Packages) == 0 || len(in.Packages) > MaxPackages {
		return s.refuse(wire.StatusTooLarge)
	}
	n, err := s.own(in.Name, in.Holder)
	if err != nil {
		return err
	}
	stock := n.Stock
	seen := map[Digest]bool{}
	for _, p := range in.Packages {
		f, status := s.added(in.Name, p)
		if status != wire.StatusOK {
			return s.refuse(status)
		}
		row, err := s.rows.Get(key(rowKnown, in.Name[:], f.Digest[:]))
		if err != nil {
			return err
		}
		if row != nil || seen[f.Digest] {
			continue
		}
		seen[f.Digest] = true
		if f.Package == OneTime {
			stock++
		}
		s.fact(f)
	}
	if stock > s.limits.Stock {
		return s.refuse(wire.StatusTryAgain)
	}
	return nil
}

func (s *step) added(name NameID, p Package) (PackageAdded, wire.Status) {
	switch {
	case len(p.Bytes) > MaxPackage:
		return PackageAdded{}, wire.StatusTooLarge
	case len(p.Bytes) == 0 || p.Kind != OneTime && p.Kind != LastResort:
		return PackageAdded{}, wire.StatusMalformed
	}
	expires := min(HourAt(p.Expires), HourAt(s.now.Add(MaxPackageLife)))
	if expires < s.hour+minLeft {
		return PackageAdded{}, wire.StatusExpired
	}
	return PackageAdded{
		Name: name, Package: p.Kind, Expires: expires, Digest: PackageDigest(name, p.Bytes), Bytes: p.Bytes,
	}, wire.StatusOK
}

// SetRule sets a name's rule of contact.
type SetRule struct {
	Name   NameID
	Holder Identity
	Policy
}

func (in SetRule) step(s *step) error {
	if !in.valid(s.limits, true) {
		return s.refuse(wire.StatusMalformed)
	}
	n, err := s.own(in.Name, in.Holder)
	if err != nil || n.Policy == in.Policy {
		return err
	}
	s.fact(RuleSet{Name: in.Name, Policy: in.Policy})
	return nil
}

// SetSpace sets what holds for the names of a namespace that say nothing else.
type SetSpace struct {
	ID SpaceID
	Space
}

func (in SetSpace) step(s *step) error {
	if !in.valid(s.limits, false) || in.WorkBits > MaxWorkBits {
		return s.refuse(wire.StatusMalformed)
	}
	row, err := s.rows.Get(key(rowSpace, in.ID[:]))
	if err != nil || row != nil && string(row) == string(in.Marshal()) {
		return err
	}
	s.fact(SpaceSet(in))
	return nil
}

// own reads a name's row for its holder. One that another identity left behind, that is
// of another era, or not there, is begun anew.
func (s *step) own(id NameID, holder Identity) (Name, error) {
	n, err := loadName(s.rows, id)
	if err != nil {
		return Name{}, err
	}
	era, err := loadEra(s.rows)
	if err != nil {
		return Name{}, err
	}
	if n.heldBy(holder, era) {
		return *n, nil
	}
	s.fact(StockVoided{Name: id, Identity: holder})
	fresh := Name{Identity: holder, Era: era, Generation: 1}
	if n != nil {
		fresh.Generation, fresh.Waiting = n.Generation+1, n.Waiting
	}
	return fresh, nil
}

// BeginEra notes how often the log has been restored from a backup.
type BeginEra struct{ Era uint32 }

func (in BeginEra) step(s *step) error {
	era, err := loadEra(s.rows)
	if err == nil && era < in.Era {
		s.fact(EraBegun(in))
	}
	return err
}

// Decide answers requests that wait for the owner, all or none. A request that was
// approved gets a package at once; one that is not waiting is passed over.
type Decide struct {
	Name     NameID
	Holder   Identity
	Approve  bool
	Requests []Digest
}

func (in Decide) step(s *step) error {
	if len(in.Requests) == 0 || len(in.Requests) > MaxDecisions {
		return s.refuse(wire.StatusTooLarge)
	}
	n, err := s.own(in.Name, in.Holder)
	if err != nil {
		return err
	}
	var free []stocked
	if in.Approve {
		if free, err = someStocked(s.rows, in.Name, n, s.hour, len(in.Requests)); err != nil {
			return err
		}
	}
	seen := map[Digest]bool{}
	for _, d := range in.Requests {
		r, err := loadRequest(s.rows, in.Name, d)
		if err != nil {
			return err
		}
		if r == nil || r.state != stateWaiting || seen[d] {
			continue
		}
		seen[d] = true
		if !in.Approve {
			s.fact(ContactDeclined{Name: in.Name, Request: d})
			continue
		}
		var first *stocked
		if len(free) > 0 {
			first, free = &free[0], free[1:]
		}
		f, ok := vended(in.Name, d, &n, first, s.hour)
		if !ok {
			return s.refuse(wire.StatusTryAgain) // the owner uploads first
		}
		s.fact(f)
	}
	return nil
}

// Stock is how a name stands, for its owner.
type Stock struct {
	Name
	Live uint32 // one-time packages that would be vended now
}

// Look reads how a name stands for its holder; the zero Stock if that set nothing yet.
func Look(now time.Time, rows Reader, id NameID, holder Identity, l Limits) (Stock, error) {
	n, err := loadName(rows, id)
	if err != nil {
		return Stock{}, err
	}
	era, err := loadEra(rows)
	if err != nil || !n.heldBy(holder, era) {
		return Stock{}, err
	}
	live, err := someStocked(rows, id, *n, HourAt(now), int(l.Stock))
	return Stock{Name: *n, Live: uint32(len(live))}, err
}

// Waiting is a request that waits for the owner.
type Waiting struct {
	Request  Digest
	Position uint64 // of its note
}

// ListWaiting reads up to max of them after a position, the oldest first.
func ListWaiting(rows Reader, id NameID, after uint64, max int) (list []Waiting, more bool, err error) {
	if after == ^uint64(0) {
		return nil, false, nil
	}
	prefix := key(rowWaiting, id[:])
	bad := false
	err = rows.Scan(prefix, waitingKey(id, after+1), func(k, v []byte) bool {
		if len(list) == max {
			more = true
			return false
		}
		if len(k) != len(prefix)+8 || len(v) != len(Digest{}) {
			bad = true
			return false
		}
		list = append(list, Waiting{Digest(v), positionOf(k)})
		return true
	})
	if bad && err == nil {
		err = wire.ErrMalformed
	}
	return list, more, err
}

// ReadSpace reads what holds for a namespace.
func ReadSpace(rows Reader, id SpaceID) (Space, error) { return loadSpace(rows, id) }
