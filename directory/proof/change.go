package proof

import (
	"fmt"
	"time"

	"communicator/wire"
)

// field says what a change does with a field of a statement.
type field uint8

const (
	absent field = iota // zeros
	needed              // not zeros
	maybe
)

// rule is one row of the table of changes: who signs, and which fields there are.
type rule struct {
	change     Change
	kind       Kind
	signers    Signers
	subject    field // identity hash, or delegate
	key        field
	replaced   field
	revocation field
	held       field // NotBefore after Issued
}

// rules is the whole table; a statement that fits no row is refused.
var rules = []rule{
	{FirstBind, Bind, ByIdentity | ByAttesting, needed, needed, absent, maybe, absent},
	{Undo, Bind, ByIdentity | ByAttesting, needed, needed, needed, maybe, absent},
	{Rotation, Bind, ByIdentity | ByReplaced | ByAttesting, needed, needed, needed, maybe, absent},
	{HeldReset, Reset, ByIdentity | ByAttesting, needed, needed, needed, maybe, needed},
	{RootReset, Reset, ByIdentity | ByRoots, needed, needed, needed, maybe, absent},
	{Release, Tombstone, ByReplaced | ByAttesting, absent, absent, needed, absent, absent},
	{HeldRelease, Tombstone, ByAttesting, absent, absent, maybe, absent, needed},
	{RootRelease, Tombstone, ByRoots, absent, absent, needed, absent, absent},
	{Delegating, Delegate, ByAttesting, needed, absent, absent, absent, maybe},
	{Vetoing, Veto, ByIdentity, absent, needed, absent, absent, absent},
	{Revoking, Revoke, ByIdentity, absent, needed, absent, needed, absent},
}

func (f field) fits(present bool) bool {
	return f == maybe || (f == needed) == present
}

func (r rule) fits(s Statement) bool {
	subject, other := s.Identity, Hash(s.Delegate)
	if s.Kind == Delegate {
		subject, other = other, subject
	}
	return r.kind == s.Kind && r.signers == s.Signers &&
		r.subject.fits(subject != Hash{}) && other == Hash{} &&
		r.key.fits(s.Key != Key{}) && r.replaced.fits(s.Replaced != Key{}) &&
		r.revocation.fits(s.Revocation != [32]byte{}) && r.held.fits(s.NotBefore.After(s.Issued))
}

// Change says how the statement comes about, from its kind, its signers and which
// fields it has, or returns [ErrKind]: there is one row of the table that fits, or none.
func (s Statement) Change() (Change, error) {
	for _, r := range rules {
		if r.fits(s) {
			return r.change, nil
		}
	}
	return Unknown, ErrKind
}

// String is one word for people.
func (c Change) String() string {
	names := [...]string{"unknown", "first bind", "rotation", "undo", "reset", "reset by the roots",
		"release", "release by the namespace", "release by the roots", "delegation", "veto", "revocation"}
	if int(c) >= len(names) {
		return names[Unknown]
	}
	return names[c]
}

// validate holds what is signed and what is read to the same rules.
func (s Statement) validate() error {
	change, err := s.Change()
	if err != nil {
		return err
	}
	switch {
	case !s.Name.canonical():
		return ErrName
	case !wholeSeconds(s.Issued) || !wholeSeconds(s.NotBefore) || s.NotBefore.Before(s.Issued):
		return fmt.Errorf("%w: times", wire.ErrMalformed)
	case s.NotBefore.After(s.Issued) && (s.NotBefore.Sub(s.Issued) < MinHold || s.NotBefore.Sub(s.Issued) > MaxHold):
		return fmt.Errorf("%w: hold", wire.ErrMalformed)
	case s.Key != Key{} && s.Key == s.Replaced:
		return fmt.Errorf("%w: replaces itself", ErrKind)
	case (s.Signers&ByAttesting != 0) != (s.Attesting != Key{}):
		return fmt.Errorf("%w: attesting key", wire.ErrMalformed)
	case (s.Signers&ByRoots != 0) != (len(s.Roots) != 0) || !ascending(s.Roots):
		return fmt.Errorf("%w: root keys", wire.ErrMalformed)
	case len(s.Roots) > MaxRoots || len(s.Signatures) > len(s.Keys()):
		return wire.ErrTooLarge
	}
	return s.validatePlace(change)
}

// validatePlace checks version and previous hash. Whether a change can be the first of
// a name's history is known without the history.
func (s Statement) validatePlace(change Change) error {
	var ok bool
	switch change {
	case Revoking:
		ok = s.Version == 0 && s.Prev == Hash{}
	case FirstBind, Delegating:
		ok = s.Version > 0 && (s.Version == 1) == (s.Prev == Hash{})
	default:
		ok = s.Version > 1 && s.Prev != Hash{}
	}
	if !ok {
		return fmt.Errorf("%w: version and previous hash", wire.ErrMalformed)
	}
	return nil
}

// Keys returns who signs, in the order of the signatures: the identity, the replaced
// key, the attesting key, the roots.
func (s Statement) Keys() []Key {
	keys := make([]Key, 0, 3+len(s.Roots))
	if s.Signers&ByIdentity != 0 {
		keys = append(keys, s.Key)
	}
	if s.Signers&ByReplaced != 0 {
		keys = append(keys, s.Replaced)
	}
	if s.Signers&ByAttesting != 0 {
		keys = append(keys, s.Attesting)
	}
	if s.Signers&ByRoots != 0 {
		keys = append(keys, s.Roots...)
	}
	return keys
}

// Fresh returns nil if the statement was issued within [MaxSkew] of now. Who writes a
// log asks this, since a statement's own times prove nothing. A revocation, which is
// made in advance, is always fresh. Errors: [ErrTime].
func (s Statement) Fresh(now time.Time) error {
	if age := now.Sub(s.Issued); s.Kind != Revoke && (age > MaxSkew || age < -MaxSkew) {
		return ErrTime
	}
	return nil
}
