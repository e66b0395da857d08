package wire

// Stream protocols, as libp2p negotiates them. Each has a document in docs/.
const (
	ProtocolSubmit     = "/communicator/submit/1"     // client → sending agent
	ProtocolDeliver    = "/communicator/deliver/1"    // sending agent → receiving agent
	ProtocolMailbox    = "/communicator/mailbox/1"    // owner ↔ receiving agent
	ProtocolBlob       = "/communicator/blob/1"       // invitations' key packages
	ProtocolDescriptor = "/communicator/descriptor/1" // an agent's service descriptor
	ProtocolPublish    = "/communicator/publish/1"    // names' records, into the overlay
)

// Event kinds are assigned in ranges, so that a package can add one without
// asking the others: 0x01xx relay, 0x02xx mailbox, 0x03xx directory, 0x04xx node.
const (
	KindsRelay     = 0x0100
	KindsMailbox   = 0x0200
	KindsDirectory = 0x0300
	KindsNode      = 0x0400
)

// Projection identifiers, the one-byte key prefixes of tables in the event log.
const (
	TableRelay   = 1
	TableMailbox = 2
	TableBlob    = 3
	TableAccess  = 4
)
