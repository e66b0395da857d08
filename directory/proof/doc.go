// Package proof says whose key a name is. It is the attesting half of a directory: what
// it makes and checks lets nobody write to anybody, it only ties keys to names, in a way
// that a reader verifies offline and that a namespace cannot take back unseen. What
// grants contact is made elsewhere, from other types.
//
// Before a first message, a person who got a key package from somewhere compares its
// identity document with the [Staple] of the name that they expected. After it, contacts
// exchange checkpoints and vetoes inside their sessions.
//
// What it owns, each with its layout drawn beside it and told in docs/namespace.md:
//
//	NSID, Manifest, Chain    a namespace names itself by its first manifest; every change
//	                         is signed by the roots before it and after it
//	Name, FullName           one spelling, one script; alice@sales@example
//	Statement                one entry of a name's history, signed by all whom it names
//	NameState, Apply         the rule book: who may change a name, and who may take it back
//	Tag, Commit, Leaf        an entry of the transparency log, without names in clear
//	Checkpoint               the log's head, a C2SP signed note with witnesses' cosignatures
//	Staple, Fork             a proof that fits a QR code; a proof that a log has two faces
//	Relation, Conflicts      B follows A, A is B; and what contradicts what
//
// Everything here is a function of its arguments: no clock, no randomness, no I/O.
// Whatever is signed has a label in front, is carried as it was signed, and is refused
// if it has any spelling but one.
package proof
