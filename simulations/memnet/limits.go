package memnet

import "time"

// Sizes and times of the modelled stack.
const (
	// StreamWindow is how many bytes a stream carries without its reader having
	// read them, in each direction.
	StreamWindow = 256 << 10
	// maxFrame is the most that one frame carries, as in yamux over TLS.
	maxFrame = 16 << 10
	// frameOverhead is what the observer sees around a frame's bytes: a yamux
	// header, a TLS record, and TCP and IP headers.
	frameOverhead = 12 + 22 + 40
	// handshakeSize is what one flight of a handshake weighs for the observer.
	handshakeSize = 1200
	// acceptBacklog bounds connections, and for each connection streams, that
	// wait to be accepted; what comes on top is refused.
	acceptBacklog = 256
	// firstRetransmit is the timeout after which a lost frame is sent again
	// (RFC 6298 §2.1 asks for a second at first; Linux goes down to this).
	firstRetransmit = 200 * time.Millisecond
	// maxRetransmits bounds how often one frame can be lost in a row.
	maxRetransmits = 8
	// maxProtocols bounds what a peer is said to speak, as in libp2p.
	maxProtocols = 128
	// firstPort is the first port that dialling hosts dial from.
	firstPort = 32768
)

// BreakAfter is how long a connection survives being cut: yamux sends a keep-alive
// every 30 s and gives up when 10 s bring no answer.
const BreakAfter = 40 * time.Second
