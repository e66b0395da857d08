package transport

import "time"

const (
	// DefaultMaxOpen is how many connections are open at once, and DefaultMaxPerAgent how
	// many at one agent, which takes eight from one network by default; people may share
	// that. What an agent does not take is not tried again for tightFor.
	DefaultMaxOpen     = 24
	DefaultMaxPerAgent = 6
	tightFor           = 10 * time.Minute
	// DialTimeout bounds reaching an agent and the secure handshake.
	DialTimeout = 10 * time.Second
	// dialTries is how often a connection is tried that the agent breaks off, within
	// DialTimeout; dialPause is about how long after the first time, doubled each time.
	dialTries = 6
	dialPause = 100 * time.Millisecond
	// CallTimeout bounds one request and its answer.
	CallTimeout = 20 * time.Second
	// MaxWait is the longest that FetchOutcomes lets an agent wait.
	MaxWait = 60 * time.Second

	// MaxHandles is how many outcomes one request fetches or acknowledges.
	MaxHandles = 64
	// MaxCollect is how many deliveries one page brings.
	MaxCollect = 64
	// MaxAcks is how many deliveries one request acknowledges.
	MaxAcks = 256
	// maxLinks is how many steps a descriptor's chain may have.
	maxLinks = 4096
	// maxWorkBits is the hardest proof of work that is looked for: a second or two.
	maxWorkBits = 26
	// maxProofs is how many proofs are remembered beyond this hour's.
	maxProofs = 64

	inFlight = 64 // requests on one stream
)
