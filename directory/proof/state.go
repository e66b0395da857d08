package proof

import (
	"slices"
	"time"
)

// HolderKind is what a name stands for.
type HolderKind uint8

// Kinds of holder.
const (
	Nobody    HolderKind = 0
	Person    HolderKind = 1
	Namespace HolderKind = 2
)

// Holder is what a name stands for, and the statement by which.
type Holder struct {
	Kind       HolderKind
	Identity   Hash // Person
	Key        Key  // Person
	Revocation Hash // Person: commitment to the revocation code, or zeros
	Revoked    bool // Person: the owner has revoked the key
	Delegate   NSID // Namespace
	Version    uint32
	Statement  Hash // zeros for a name that was never used
	Since      time.Time
}

// Step is a change that is not settled: until it is, the holder before it may take it
// back.
type Step struct {
	Holder  Holder
	Held    bool      // takes effect only when it settles; else at once
	Settles time.Time // when it can no longer be undone or vetoed
}

// NameState is what a name's history so far amounts to. It is a value: [Apply] returns
// another one. The zero value is a name without history.
type NameState struct {
	NS      NSID
	Name    Name
	Version uint32    // of the last statement, vetoes and revocations not counted
	Head    Hash      // hash of it
	Issued  time.Time // of it
	Base    Holder    // the newest holder that is settled
	Open    []Step    // what came after, oldest first; at most [MaxOpenSteps]
	Dispute time.Time // when the first veto was seen that the roots may decide about; or zero
}

// top is the newest holder, in force or not: who is replaced next.
func (st NameState) top() Holder {
	if n := len(st.Open); n > 0 {
		return st.Open[n-1].Holder
	}
	return st.Base
}

// before is the holder that step i replaces.
func (st NameState) before(i int) Holder {
	if i == 0 {
		return st.Base
	}
	return st.Open[i-1].Holder
}

// keep drops every step but the first n, from a slice of its own.
func (st *NameState) keep(n int) {
	if n == 0 {
		st.Open = nil
		return
	}
	st.Open = slices.Clone(st.Open[:n])
}

// holds is whether a key is a holder's already, so that none comes twice.
func (st NameState) holds(key Key) bool {
	if st.Base.Kind == Person && st.Base.Key == key {
		return true
	}
	for _, step := range st.Open {
		if step.Holder.Kind == Person && step.Holder.Key == key {
			return true
		}
	}
	return false
}

// Settle returns the state in which every step whose time has come is settled. A reset
// that settles ends the dispute about the name; a rotation does not, or a thief could
// escape the roots by rotating. A dispute that the roots left alone ends after
// [VetoLife].
func (st NameState) Settle(now time.Time) NameState {
	for len(st.Open) > 0 && !now.Before(st.Open[0].Settles) {
		if st.Open[0].Held {
			st.Dispute = time.Time{}
		}
		st.Base, st.Open = st.Open[0].Holder, st.Open[1:]
	}
	if len(st.Open) == 0 {
		st.Open = nil
	}
	if !st.Dispute.IsZero() && !now.Before(st.Dispute.Add(VetoLife)) {
		st.Dispute = time.Time{}
	}
	return st
}

// Current returns what the name stands for at this time, and whether that is settled.
// If it is not, somebody may still take it back: show who held the name before.
func (st NameState) Current(now time.Time) (holder Holder, settled bool) {
	st = st.Settle(now)
	holder, settled = st.Base, true
	for _, step := range st.Open {
		if step.Held && now.Before(step.Settles) {
			break
		}
		holder, settled = step.Holder, false
	}
	return holder, settled
}

// Pending returns the reset or release that the current holder may veto, if there is
// one: contacts are to be warned of it.
func (st NameState) Pending(now time.Time) (Step, bool) {
	for _, step := range st.Settle(now).Open {
		if step.Held && now.Before(step.Settles) {
			return step, true
		}
	}
	return Step{}, false
}

// Undoable returns the holders that may take the name back with [NameState.UndoTo].
func (st NameState) Undoable(now time.Time) []Holder {
	st = st.Settle(now)
	var holders []Holder
	for i, step := range st.Open {
		if !step.Held {
			holders = append(holders, st.before(i))
		}
	}
	return holders
}
