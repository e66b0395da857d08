package node

import (
	"time"

	"communicator/wire"
)

// Intervals of background work.
const (
	clockInterval  = time.Minute
	rotateInterval = time.Hour
	pruneInterval  = 24 * time.Hour
	// firstUpkeep is when the log is first tidied after a start: a node that is
	// restarted often must not put it off for ever.
	firstUpkeep = time.Minute
)

// Jumps of the clock that stop expiry and admission until they are confirmed.
const (
	maxClockJump    = time.Hour
	maxRestartGap   = 30 * 24 * time.Hour // forwards, across a restart
	maxRestartBack  = maxClockJump        // backwards, across a restart
	confirmedAround = maxClockJump
)

// How long opening a directory waits for another process to let go of it.
const (
	lockPatience = 2 * time.Second
	lockEvery    = 50 * time.Millisecond
)

// Of streams that the node opens or serves by itself.
const (
	dialTimeout       = 30 * time.Second
	descriptorTimeout = 30 * time.Second // from the first byte to the last
	closeTimeout      = 10 * time.Second // for what is under way when the node stops
)

// Of the libp2p host; connections come from the configuration.
const (
	streamsPerConn     = 64
	streamsPerPeer     = 64
	handshakesAtOnce   = 128
	memoryPerConn      = 8 << 20 // yamux windows
	descriptorsPerPeer = 4       // streams
	// connsPerSite is how many times the limit of an IPv6 /56 its /48 gets.
	connsPerSite = 8
	// dialsPerAddress bounds how fast one address opens connections, as a burst;
	// one more comes free every dialsEvery.
	dialsPerAddress = 60
	dialsEvery      = time.Second
	trimGrace       = time.Minute
)

// memoryShare is the part of the container's memory limit that the garbage
// collector works towards, in percent.
const memoryShare = 80

// maxLinks is how many descriptors back the chain is kept: what fits one frame
// beside the largest descriptor, thirty years of weekly ones.
const maxLinks = (wire.MaxFrame - wire.MaxDescriptor - 1<<10) / (2 + 32)
