package proof

import (
	"time"
)

// Kind is what a statement does.
type Kind uint8

// Kinds. Veto and revocation are the identity key's alone: they stand outside the
// chain of a name's versions and outside the log, so the namespace cannot refuse them.
const (
	Bind      Kind = 1 // the name is this identity's
	Tombstone Kind = 2 // the name is nobody's
	Delegate  Kind = 3 // the name stands for another namespace
	Reset     Kind = 4 // the name is this identity's; the key before it did not agree
	Veto      Kind = 5 // the key before it objects to a reset, a tombstone or a rotation
	Revoke    Kind = 6 // the key's owner gives up its rights
)

// Signers says who signs a statement, or is to sign it.
type Signers uint8

// Signers, in the order of their signatures. Unknown bits are refused.
const (
	ByIdentity  Signers = 1 << iota // Statement.Key
	ByReplaced                      // Statement.Replaced
	ByAttesting                     // Statement.Attesting
	ByRoots                         // Statement.Roots
	signersKnown
)

// Statement is one entry of a name's history. docs/namespace.md has its layout, the
// table of who signs what, and the rules by which a history is read.
type Statement struct {
	Kind       Kind
	NS         NSID
	Name       Name
	Version    uint32    // from 1, one more than the one before; a veto has its target's, a revocation 0
	Prev       Hash      // [Statement.Hash] of the one before; a veto has its target's; zeros if none
	Issued     time.Time // whole seconds
	NotBefore  time.Time // Issued, or later where the kind has to wait
	Identity   Hash      // [IdDoc.Hash] of the new identity (Bind, Reset)
	Delegate   NSID      // Delegate alone
	Key        Key       // Ed25519 key of the identity (Bind, Reset), or the one that speaks (Veto, Revoke)
	Replaced   Key       // key that held the name until now; zeros if nobody did
	Revocation [32]byte  // Bind, Reset: [RevokeCommitment], or zeros; Revoke: the code itself
	Signers    Signers
	Attesting  Key         // zeros without ByAttesting
	Roots      []Key       // ascending; none without ByRoots
	Signatures []Signature // in the order of [Statement.Keys]; zeros where one is still missing
}

// Signature is an Ed25519 signature.
type Signature [signatureSize]byte

// Change is how a statement came about; it follows from kind and signers.
type Change uint8

// Changes.
const (
	Unknown     Change = iota
	FirstBind          // Bind: new identity and attesting key; the name was nobody's
	Rotation           // Bind: new, old and attesting key; in force at once, the old key may undo it
	Undo               // Bind: a replaced key takes the name back, with the attesting key
	HeldReset          // Reset: new and attesting key, after the hold; the old key may veto it
	RootReset          // Reset: new identity and roots, 14 days after a veto; final
	Release            // Tombstone: old and attesting key; in force at once, the old key may undo it
	HeldRelease        // Tombstone: attesting key, after the hold; the old key may veto it
	RootRelease        // Tombstone: roots, 14 days after a veto; final
	Delegating         // Delegate: attesting key; a change of a delegation after the hold
	Vetoing            // Veto
	Revoking           // Revoke
)
