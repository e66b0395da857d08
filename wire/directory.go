package wire

// ProtocolDirectory is the stream protocol of a directory: docs/directory.md.
const ProtocolDirectory = "/communicator/directory/1"

// Projection identifiers of a directory's tables.
const (
	TableDirectory = 5 // namespaces, statements, the transparency log's hashes
	TableVend      = 6 // stocks of key packages, rules of contact, requests, tokens
)

// Labels of a directory.
const (
	LabelDirectoryOp      Label = "comm/1/directory-op"      // signature over one operation
	LabelDirectoryRequest Label = "comm/1/directory-request" // H of an operation's body
	LabelDirectoryName    Label = "comm/1/directory-name"    // H(label ‖ namespace ‖ name)[:16]
	LabelDirectoryOwner   Label = "comm/1/directory-owner"   // H(label ‖ name id ‖ identity)[:16]
	LabelDirectoryToken   Label = "comm/1/directory-token"   // H of a token, as stored
	LabelContactRequest   Label = "comm/1/contact-request"   // H of a request id, as stored
	LabelContactWork      Label = "comm/1/contact-work"      // proof of work of a contact request
	LabelContactPackage   Label = "comm/1/contact-package"   // H of a package in stock, as stored
)
