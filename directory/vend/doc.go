// Package vend decides what a brokered directory hands out: which key package, to whom,
// under which rule. It is pure: [Step] is a function of the time, of rows and of an
// input, and answers with facts; [Apply] folds a fact into the rows. There is no clock,
// network, storage or randomness in here, so that a node, a test and a model of a
// million names decide alike.
//
// # The power that it guards
//
// A key package is permission to write: it holds prekeys and the address of a contact
// mailbox. So each name has a rule of contact, or takes its namespace's:
//
//	closed    nobody
//	invited   who shows a token that the name's owner made, once
//	members   who shows a token that the namespace's authority made, until it expires
//	approved  whom the owner approves: the request waits in a bounded pool (proof of work)
//	open      who shows a proof of work
//
// and each rule a number of packages, or of waiting requests, an hour. A one-time package
// is vended at most once, since the fact that it was vended follows from the same rows
// that offered it, in order. Without one the name's last-resort package is vended, which
// many share, and the owner is told. A request carries a random id: asked again with the
// same id it gets the same package.
//
// # What an answer tells
//
// "Not granted" is one value. No such name, a closed one, a wrong token, too little work,
// a full pool, an hour's number used up, nothing in stock, waiting for the owner and
// declined by the owner are the same answer, made by the same reads. Of who asked nothing
// is stored: a request leaves its id's hash, the hash of a token that it used up, and
// while it waits the note that it brought.
//
// # Rows
//
// First byte of the key, then (big-endian):
//
//	'd' ‖ namespace 32                            → row of [Space]
//	'n' ‖ name id 16                              → row of [Name]
//	'o' ‖ name id 16 ‖ u32 generation ‖ u32 expires (hour) ‖ u64 position
//	                                              → nothing: a one-time package in stock
//	'x' ‖ u32 expires (hour) ‖ u64 position       → u8 kind ‖ u32 generation ‖ name id 16 ‖ digest 16
//	'h' ‖ name id 16 ‖ digest 16                  → nothing: the package was added before
//	'q' ‖ name id 16 ‖ request 16                 → row of a request
//	'f' ‖ u32 forget (hour) ‖ name id 16 ‖ request 16  → nothing
//	'w' ‖ name id 16 ‖ u64 position               → request 16: waits for the owner
//	'k' ‖ u8 kind ‖ scope 16 ‖ digest 16          → u32 expires (hour)
//	'e' ‖ u32 expires (hour) ‖ u8 kind ‖ scope 16 ‖ digest 16  → nothing
//	'c' ‖ u8 kind ‖ scope 16                      → u32 tokens that are valid
//	'v'                                           → u32 era: how often the log was restored
//
// Packages and notes are the bodies of the facts that brought them; a position is the
// number of that fact in the log.
package vend
