package proof

import (
	"time"
)

// By is who attests a change, and when.
type By struct {
	Attesting Key
	Issued    time.Time // whole seconds
}

// NewName is the state of a name without history.
func NewName(ns NSID, name Name) NameState { return NameState{NS: ns, Name: name} }

// The constructors below make the unsigned statement that follows a state. They do not
// ask whether the rules allow it: [Fold] does.

// FirstBind binds a free name. Revocation is a [RevokeCommitment], or zeros.
func (st NameState) FirstBind(id IdDoc, revocation Hash, by By) Statement {
	s := st.next(Bind, ByIdentity|ByAttesting, by)
	return s.bind(id, revocation)
}

// Rotate passes the name to a new key; the newest key signs too.
func (st NameState) Rotate(id IdDoc, revocation Hash, by By) Statement {
	s := st.next(Bind, ByIdentity|ByReplaced|ByAttesting, by)
	s.Replaced = st.top().Key
	return s.bind(id, revocation)
}

// UndoTo gives the name back to a holder that is in [NameState.Undoable]. After a release
// it looks like a first bind, there being no key that it replaces.
func (st NameState) UndoTo(holder Holder, by By) Statement {
	s := st.next(Bind, ByIdentity|ByAttesting, by)
	s.Replaced = st.top().Key
	s.Identity, s.Key, s.Revocation = holder.Identity, holder.Key, holder.Revocation
	return s
}

// Reset passes the name to a new key without the old one, after the hold.
func (st NameState) Reset(id IdDoc, revocation Hash, hold time.Duration, by By) Statement {
	s := st.next(Reset, ByIdentity|ByAttesting, by)
	s.NotBefore = s.Issued.Add(hold)
	s.Replaced = st.top().Key
	return s.bind(id, revocation)
}

// RootReset decides, after a veto has rested, whose the name is. Roots are ascending.
func (st NameState) RootReset(id IdDoc, revocation Hash, roots []Key, issued time.Time) Statement {
	s := st.next(Reset, ByIdentity|ByRoots, By{Issued: issued})
	s.Roots, s.Replaced = roots, st.top().Key
	return s.bind(id, revocation)
}

// Release gives the name up; the newest key signs.
func (st NameState) Release(by By) Statement {
	s := st.next(Tombstone, ByReplaced|ByAttesting, by)
	s.Replaced = st.top().Key
	return s
}

// HeldRelease takes the name away, after the hold.
func (st NameState) HeldRelease(hold time.Duration, by By) Statement {
	s := st.next(Tombstone, ByAttesting, by)
	s.NotBefore = s.Issued.Add(hold)
	s.Replaced = st.top().Key
	return s
}

// RootRelease takes the name away after a veto has rested. Roots are ascending.
func (st NameState) RootRelease(roots []Key, issued time.Time) Statement {
	s := st.next(Tombstone, ByRoots, By{Issued: issued})
	s.Roots, s.Replaced = roots, st.top().Key
	return s
}

// DelegateTo makes a free name stand for another namespace (hold 0), or changes for
// which one it stands, after the hold.
func (st NameState) DelegateTo(ns NSID, hold time.Duration, by By) Statement {
	s := st.next(Delegate, ByAttesting, by)
	s.NotBefore = s.Issued.Add(hold)
	s.Delegate = ns
	return s
}

// VetoOf objects to st.Open[step], by the key of the holder before it.
func (st NameState) VetoOf(step int, issued time.Time) Statement {
	target, before := st.Open[step].Holder, st.before(step)
	return Statement{Kind: Veto, NS: st.NS, Name: st.Name, Version: target.Version, Prev: target.Statement,
		Issued: issued, NotBefore: issued, Key: before.Key, Signers: ByIdentity}
}

// Revocation ends a key's rights when it is published. It is made in advance, and is to
// be kept where a thief of the key does not find it: without the code, which only it
// holds, nobody can revoke the key.
func Revocation(ns NSID, name Name, key Key, code [32]byte, issued time.Time) Statement {
	return Statement{Kind: Revoke, NS: ns, Name: name, Issued: issued, NotBefore: issued,
		Key: key, Revocation: code, Signers: ByIdentity}
}

// next is the part that all statements of the chain share.
func (st NameState) next(kind Kind, signers Signers, by By) Statement {
	return Statement{Kind: kind, NS: st.NS, Name: st.Name, Version: st.Version + 1, Prev: st.Head,
		Issued: by.Issued, NotBefore: by.Issued, Signers: signers, Attesting: by.Attesting}
}

func (s Statement) bind(id IdDoc, revocation Hash) Statement {
	s.Identity, s.Key, s.Revocation = id.Hash(), id.Key(), revocation
	return s
}
