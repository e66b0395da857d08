// Package lookup finds whose key a name is, checks the proof, and remembers what it was
// shown, so that a namespace cannot say one thing today and another tomorrow, or one
// thing here and another there.
//
//	alice@club ─▶ petname ─▶ namespace id ─▶ manifests ─▶ name's secret
//	   ─▶ three places in the overlay, else the namespace's own directories
//	   ─▶ staple ─▶ proof.VerifyStaple ─▶ compared with what is remembered ─▶ Result
//
// It attests and grants nothing: a Result names a key and lets nobody write to anybody.
//
// # What is compared
//
// For each namespace the newest checkpoint of its log that was ever verified is kept;
// another one counts only with a proof that one log holds both. For each name the
// highest version and its statement are kept; an older version is refused
// ([ErrRolledBack]), and the next one has to build on it. Two checkpoints that no log
// holds, two statements of one version, or one that builds on another past, are the
// namespace's own signatures against it: they are kept as a [proof.Fork] or a
// contradiction, the namespace is frozen ([ErrFrozen]) and stays so until the person
// decides otherwise ([Resolver.Forget]). If one of two checkpoints is by a key of the log
// that was replaced since, it may be a thief's work, and warns alone. What comes with a
// log that nobody could compare is shown ([Result.Uncompared]) and not remembered.
//
// # What waits, and who objects
//
// A change that takes a name from whom it was seen with is in force a hold after this
// person first saw it, whatever times it claims, and the directories are asked whether
// the key that it replaces objects ([ErrVetoed]). Versions between two looks are read from
// a directory and judged as if each of them had been seen now: the newest statement
// proves them, since each names the one before it by its hash. Where no directory gives
// them the newest is shown and not remembered. A name that is seen for the first time has
// only its own times.
//
// # What is remembered, and where
//
// A [Memory] holds one opaque row for each namespace and each name: a profile's store
// for somebody who has one, files ([Dir]) for somebody without an account. Rows of names
// are kept under a hash; the row itself has the name's last statement and so says whom
// the person looked up.
//
// # Who learns what
//
// Peers of the overlay see a blinded key and who asked for it. A directory of the
// namespace, which is asked where the overlay has no answer or a doubtful one, or where
// versions were missed, sees the name. Of a name whose key was replaced all of them are asked for vetoes, until the
// change has settled, and see a hash of the key. Once a day one is asked for manifests.
package lookup
