package model

import "time"

// What follows was measured, and is what the model knows of the parts of the product that
// it does not run. docs/simulation-models.md says how, with the commands.
const (
	// commitTime is how long an agent takes from a request to its answer when what it
	// answers for has to be on disk first: "communicator bench deliver --clients 1" has a
	// median of 3.4 ms for a message with two such steps, on one machine.
	commitTime = 1600 * time.Microsecond
	// submitWork and putWork are how long one request occupies an agent, so that its
	// capacity ends somewhere: 370 and 290 µs of CPU on one of two cores (the same bench
	// with 64 clients).
	submitWork = 185 * time.Microsecond
	putWork    = 145 * time.Microsecond
	// maxBusy is how far an agent may be behind with puts before it answers that it takes
	// none now: mailbox.Limits.OpenQueue of them.
	maxBusy = 512 * putWork

	// startClean and startKilled are how long an agent takes from its start until it
	// serves: "communicator bench start".
	startClean  = 120 * time.Millisecond
	startKilled = 1200 * time.Millisecond
)

// Round trips before a request can leave, as whole nodes and clients take them over memnet:
// counted in the frames of tier real at a fixed latency.
const (
	dialTrips      = 2 // TCP, then TLS 1.3
	identifyTrips  = 1 // between agents: libp2p's identify, which the first stream waits for
	negotiateTrips = 1 // of clients, which do not know yet what the agent speaks
	helloTrips     = 1 // of clients, with the nonce that operations are signed over
)

// spareConnections are those of a client that has one for each watch: for its sending
// agents, and for upkeep.
const spareConnections = 6

// Bytes on the wire: the frames of tier real, less what surrounds each frame and the parts
// whose sizes the protocol fixes.
const (
	frameBytes = 74 // around each frame: yamux, TLS, TCP and IP
	maxSegment = 16 << 10

	flightBytes   = 1200 // of a handshake, two in each direction
	identifyBytes = 1050 // each way, frames included
	streamBytes   = 193  // to open a stream and agree on its protocol, each way, frames included
	helloBytes    = 49   // its answer: shortBytes
	shortBytes    = 9    // an answer that says no more than "done"
	submitBytes   = 148  // of a submission: handle, URI, key id, times
	receiptBytes  = 370  // a sending agent's receipt
	fetchBytes    = 43   // a question for an outcome
	stateBytes    = 62   // of its answer, beside the outcome
	ackBytes      = 41   // an outcome acknowledged
	putBytes      = 29   // of a put: key id, notAfter
	answerBytes   = 14   // of a put's answer, beside the outcome
	watchBytes    = 114  // a watch: signed
	pushBytes     = 25   // of a delivery: position, time
	eraseBytes    = 114  // a delivery acknowledged, signed
	createBytes   = 480  // a mailbox made, signed, and its address
)

// Bytes on disk, beside bodies: "communicator bench store" finds 1.15 × ciphertext and
// 132 bytes each.
const (
	eventBytes   = 132
	outcomeBytes = 1600
)

// Looking names up, fitted to "communicator bench lookup" with 64, 256 and 512 nodes and
// shares of them gone: p50 of the round trips of a client with a full table, and of the
// time with silent servers, which make a search wait once among the nearest, and once more
// if the next ones are silent too.
const (
	places         = 3
	holders        = 20 // of each place
	lookupHops     = 2
	lookupTrips    = 4
	lookupFlat     = 512 // servers up to which that many suffice
	joinTrips      = 16  // of a server that knows three addresses: 13 among 64, 16 among 256 and 512
	bitsPerHop     = 4.3 // of the distance that each further answer takes off: log2 of 20 peers
	lookupExtra    = 4   // servers met beside the nearest
	settledServers = 3   // the nearest must have answered
	lookupPatience = 3 * time.Second
	minPatience    = 2 * time.Second

	lookupAskBytes    = 120
	lookupAnswerBytes = 1915 + 20*90 // a record, and the peers nearest to it
)
