// Package directory is the role of a node that knows names. It serves two powers that
// are kept apart by type: an attestation ([communicator/directory/proof]) says whose key
// a name is, to anybody, and never lets anyone write to anyone; a brokered answer
// ([communicator/directory/vend]) hands out a key package, which is permission to write,
// under the rules of the name's owner. docs/directory.md is the protocol.
//
//	authority ── statements, tokens, defaults ──▶ verify in parallel, then the log's writer:
//	owner ────── register, packages, rules ─────▶ fold into the name's state, append
//	                                              commit ──▶ answer
//	anybody ──── name ──▶ staple: statement, inclusion proof, signed checkpoint
//	anybody ──── name, token or work ──▶ [vend.Step] on the log's writer
//	                                              commit ──▶ package, or "not granted"
//
// # What it owns
//
// Facts of the kinds 0x0301 to 0x0306 and those of vend in the event log, and two
// projections: vend's table, and this package's, whose keys begin with the letter and,
// but for the first two, with the namespace's number (u16; integers are big-endian):
//
//	'n' ‖ namespace 32                → u16 number ‖ u32 manifests ‖ u64 leaves
//	'p' ‖ namespace 32                → what parts of a longer fact came so far
//	'm' ‖ ns ‖ u32 number of manifest → signed manifest
//	'a' ‖ ns ‖ name                   → row of a name: its secret, newest leaf and state
//	'l' ‖ ns ‖ u64 leaf               → statement, identity document, opening
//	't' ‖ ns ‖ tag 32                 → u64 leaf
//	'h' ‖ ns ‖ u8 level ‖ u64 tile    → up to 8 hashes of the log's tree: see tree.go
//	'r' ‖ ns ‖ revocation id 32 ‖ statement hash 32 → veto or revocation
//	'e' ‖ ns ‖ revocation id 32 ‖ relation id 32 → succession or equivalence, under both keys
//	'c' ‖ ns                          → the newest checkpoint that enough witnesses cosigned
//
// Statements lie in the headers of their events, not in bodies: a body that is never
// erased would keep the log's headers from ever being pruned. What does not fit a header
// is preceded by parts, in the same commit.
//
// # What is signed, and when
//
// The tree is a projection, so it holds what was committed and nothing else; a checkpoint
// is signed for a tree that has been read back, kept in a file beside the log
// ([CheckpointStore]), and only then shown. A directory whose log does not continue the
// newest checkpoint in that file, because it was restored from a backup, signs nothing
// for that namespace: a log with two faces could never be mended.
package directory
