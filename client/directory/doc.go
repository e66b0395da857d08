// Package directory is a client's side of a directory, /communicator/directory/1: it asks
// for proofs about names, asks for permission to write, and lets the owner of a name, or
// the authority of a namespace, say what holds. docs/directory.md is the protocol.
//
// # What is checked here
//
// What a directory answers is read strictly: sizes, counts, and that it belongs to what
// was asked. Proofs are verified where the request has what that takes: a chain of
// manifests ([Client.Chain]), checkpoints ([Client.Checkpoint], [Client.Continue]),
// attestations ([Client.Attestation]). A key package is opaque; whoever uses it verifies
// its signatures and compares its identity with an attestation.
//
// # What a directory sees
//
// The peer id of the connection, and the name that is asked about. Use a connection of
// its own for each relationship, and ask for attestations elsewhere than for packages.
//
// The stream is opened by a [Dialer]; one that broke is opened once more for the request
// at hand, which is safe, since every request may be repeated.
package directory
