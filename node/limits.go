package node

import (
	"time"

	"communicator/internal/budget"
)

// Intervals of background work.
const (
	clockInterval  = time.Minute
	rotateInterval = time.Hour
	pruneInterval  = 24 * time.Hour
	// firstUpkeep is when the log is first tidied after a start: a node that is
	// restarted often must not put it off for ever.
	firstUpkeep = time.Minute
	// measureEvery is how old the count behind storage.max may be.
	measureEvery = time.Second
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
	// watchesPerConn is how many mailboxes are watched over a connection, on average.
	watchesPerConn = 16
	// connsPerSite is how many times the limit of an IPv6 /56 its /48 gets.
	connsPerSite = 8
	// dialsPerAddress bounds how fast one address opens connections, as a burst;
	// one more comes free every dialsEvery.
	dialsPerAddress = 60
	dialsEvery      = time.Second
	trimGrace       = time.Minute
)

// Of peers' conduct ([conduct]).
const (
	// unansweredPerPeer is how many streams of a peer may wait for their first answer.
	unansweredPerPeer = 16
	// maxWatched is how many peers, and networks, are remembered.
	maxWatched = 1 << 14
	// shunnedAnyway is a wait that only a peer has that was disconnected before.
	shunnedAnyway = 10 * time.Second
)

// Budgets of conduct: streams that a peer may waste, after which it is kept out for
// three minutes; and how often peers that are kept out may come again from an IPv4
// address or IPv6 /56, and from an IPv6 /48.
var (
	wastedOfPeer  = budget.Rate{Burst: 32, PerHour: 720}
	returnsOfHost = budget.Rate{Burst: 8, PerHour: 120}
	returnsOfSite = budget.Rate{Burst: 64, PerHour: 960}
)

// Of the overlay.
const (
	firstBootstrap    = 5 * time.Second
	bootstrapInterval = 10 * time.Minute // and how often an empty table is noticed
	searchEvery       = 5 * time.Minute  // for one agent
	searchTimeout     = time.Minute
	maxSearches       = 8    // at once
	maxSearched       = 4096 // agents that are remembered as looked for
	// Records that are published for others: at once, in one request, and remembered so
	// that one is not published twice within publishAgain.
	maxPublishing  = 4
	maxRecords     = 4
	maxPublished   = 1 << 16
	publishAgain   = time.Hour
	publishBusy    = time.Minute
	publishTimeout = 2 * time.Minute
	// foundTTL is how long an address that the overlay gave is tried.
	foundTTL = time.Hour
)

// memoryShare is the part of the container's memory limit that the garbage
// collector works towards, in percent.
const memoryShare = 80
