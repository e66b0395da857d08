// Package drill holds the tests that run the real program under faults: agents are
// processes of their own, made from the binary that users get, and their disks,
// networks, memory and peers go wrong while clients talk.
//
// One oracle serves all of them, [CheckDelivery] in its test files: a message that a
// sending agent accepted ends exactly once in its mailbox, whatever happened on the
// way; one that it did not accept at most once; one that its owner acknowledged does
// not come back.
//
// Each fault has a small form, which `go test` runs, and a long one, which
// COMMUNICATOR_SOAK=1 asks for. Networks are namespaces that a test makes and that end
// with it, disks are memory file systems of its own, and nothing leaves the machine.
// docs/performance.md and docs/operator.md say what an operator may rely on.
//
// The binary is built once, or named by COMMUNICATOR_DRILL_BINARY: then another build
// of the same version, such as a release, is what is tested.
package drill
