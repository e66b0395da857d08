package proof

import (
	"slices"
	"time"
)

// Apply is the rule book of a name: the state after a statement, or why there is none.
// It verifies s under m, which is the namespace's manifest in force, and folds it in.
// The state given stays what it was; after an error nothing has happened.
//
// Now is when the caller learned of the statement: for a directory the time at which it
// logged it, for a client that of its own clock; fractions of a second are cut. Holds run from then, whatever times the
// statement claims, so an authority that dates a reset back gains nothing with those who
// watch. Of one state, later calls have later times.
//
// Errors: those of [Statement.Verify] and of [Fold].
func Apply(st NameState, s Statement, m Manifest, now time.Time) (NameState, error) {
	if err := s.Verify(m); err != nil {
		return st, err
	}
	return Fold(st, s, m.Hold, now)
}

// Fold is [Apply] without verifying, for statements that were verified before they were
// stored. Hold is the manifest's.
//
// The same statement twice changes nothing and is no error. Errors: [ErrNamespace],
// [ErrStale], [ErrGap], [ErrConflict], [ErrTime], [ErrReplaced], [ErrBound],
// [ErrUnbound], [ErrRevoked], [ErrBusy], [ErrSettled], [ErrEarly], [ErrSigner],
// [ErrNoDispute], [ErrHold], [ErrKind].
func Fold(st NameState, s Statement, hold time.Duration, now time.Time) (NameState, error) {
	change, err := s.Change()
	if err != nil {
		return st, err
	}
	if s.NS != st.NS || s.Name != st.Name {
		return st, ErrNamespace
	}
	now = time.Unix(now.Unix(), 0).UTC() // as the state's layout has it
	if s.Issued.After(now.Add(MaxSkew)) {
		return st, ErrTime
	}
	next := st.Settle(now)
	switch change {
	case Vetoing:
		err = next.veto(s, now)
	case Revoking:
		err = next.revoke(s)
	default:
		hash := s.Hash()
		if s.Version == st.Version && hash == st.Head {
			return next, nil
		}
		if err = st.follows(s); err == nil {
			err = next.change(change, s, hash, hold, now)
		}
	}
	if err != nil {
		return st, err
	}
	return next, nil
}

// follows checks that s is the next in the chain.
func (st NameState) follows(s Statement) error {
	switch {
	case s.Version > st.Version+1:
		return ErrGap
	case s.Version < st.Version:
		return ErrStale
	case s.Version == st.Version || s.Prev != st.Head:
		return ErrConflict
	case s.Issued.Before(st.Issued):
		return ErrTime
	}
	return nil
}

// change applies a statement of the chain to a settled copy of the state.
func (st *NameState) change(change Change, s Statement, hash Hash, hold time.Duration, now time.Time) error {
	holder := Holder{Version: s.Version, Statement: hash, Since: now}
	switch s.Kind {
	case Bind, Reset:
		holder.Kind, holder.Identity, holder.Key, holder.Revocation = Person, s.Identity, s.Key, s.Revocation
	case Delegate:
		holder.Kind, holder.Delegate = Namespace, s.Delegate
	}
	var err error
	switch change {
	case FirstBind, Delegating:
		err = st.begin(holder, s, hold, now)
	case Undo:
		err = st.undo(s)
	case Rotation, Release:
		err = st.push(Step{Holder: holder, Settles: now.Add(hold)}, s)
	case HeldReset, HeldRelease:
		err = st.push(Step{Holder: holder, Held: true, Settles: later(s.NotBefore, now.Add(hold))}, s)
	case RootReset, RootRelease:
		err = st.decide(holder, s, now)
	}
	if err == nil {
		st.Version, st.Head, st.Issued = s.Version, hash, s.Issued
	}
	return err
}

// begin gives a free name its first holder, or changes what a delegation says, which
// has no key to object and so waits for the hold.
func (st *NameState) begin(holder Holder, s Statement, hold time.Duration, now time.Time) error {
	top := st.top()
	if s.Kind == Delegate && top.Kind == Namespace {
		if s.NotBefore.Equal(s.Issued) {
			return ErrHold
		}
		return st.push(Step{Holder: holder, Held: true, Settles: later(s.NotBefore, now.Add(hold))}, s)
	}
	switch {
	case top.Kind != Nobody:
		return ErrBound
	case len(st.Open) != 0 && s.Kind == Bind:
		return st.undo(s) // of a release: there is no key that it replaces
	case len(st.Open) != 0:
		return ErrBound
	case s.NotBefore.After(now.Add(MaxSkew)):
		return ErrHold
	}
	st.Base, st.Dispute = holder, time.Time{}
	return nil
}

// push adds a change that the holder before it may take back until it settles.
func (st *NameState) push(step Step, s Statement) error {
	top := st.top()
	switch {
	case top.Kind == Nobody:
		return ErrUnbound
	case top.Key != s.Replaced || step.Holder.Kind == Person && top.Kind != Person:
		return ErrReplaced
	case !step.Held && top.Revoked:
		return ErrRevoked
	case len(st.Open) >= MaxOpenSteps:
		return ErrBusy
	case step.Holder.Kind == Person && st.holds(step.Holder.Key):
		return ErrConflict
	}
	st.Open = append(slices.Clip(st.Open), step)
	return nil
}

// undo goes back to a replaced holder. A revoked key may still do this, or a thief who
// found the revocation code could keep what was stolen; it gains nothing else by it.
func (st *NameState) undo(s Statement) error {
	if st.top().Key != s.Replaced {
		return ErrReplaced
	}
	for i, step := range st.Open {
		before := st.before(i)
		if step.Held || before.Kind != Person || before.Key != s.Key {
			continue
		}
		if before.Identity != s.Identity || before.Revocation != s.Revocation {
			return ErrIdentity
		}
		st.keep(i)
		return nil
	}
	if st.top().Kind == Nobody {
		return ErrBound // until the release is settled
	}
	return ErrSettled
}

// decide is the roots' word, after the first veto of a dispute has rested. It is final:
// nobody may veto it, and every change that was not settled is gone.
func (st *NameState) decide(holder Holder, s Statement, now time.Time) error {
	switch {
	case st.Dispute.IsZero() || now.Before(st.Dispute.Add(VetoRest)):
		return ErrNoDispute
	case st.top().Key != s.Replaced:
		return ErrReplaced
	case holder.Kind == Person && st.holds(holder.Key):
		return ErrConflict
	}
	st.Base, st.Open, st.Dispute = holder, nil, time.Time{}
	return nil
}

// veto takes back a step by the key of the holder before it. The first veto of a reset
// or of a release begins a dispute; later ones do not prolong it, or a thief could keep
// the roots out for ever.
func (st *NameState) veto(s Statement, now time.Time) error {
	for i, step := range st.Open {
		if step.Holder.Statement != s.Prev || step.Holder.Version != s.Version {
			continue
		}
		before := st.before(i)
		if before.Kind != Person || before.Key != s.Key {
			return ErrSigner
		}
		if step.Held && before.Revoked {
			return ErrRevoked
		}
		st.keep(i)
		if step.Held && st.Dispute.IsZero() {
			st.Dispute = now
		}
		return nil
	}
	if s.Version > st.Version {
		return ErrEarly
	}
	return ErrSettled
}

// revoke marks a key wherever it holds the name.
func (st *NameState) revoke(s Statement) error {
	commitment, found := RevokeCommitment(s.Revocation), false
	mark := func(h *Holder) {
		if h.Kind == Person && h.Key == s.Key && h.Revocation == commitment {
			h.Revoked, found = true, true
		}
	}
	mark(&st.Base)
	st.Open = slices.Clone(st.Open)
	for i := range st.Open {
		mark(&st.Open[i].Holder)
	}
	if !found {
		return ErrSigner
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
