package mailbox

import (
	"time"

	"communicator/internal/budget"
	"communicator/mailbox/admit"
	"communicator/wire"
)

// Limits are every bound of a receiving agent. Start from [DefaultLimits].
type Limits struct {
	// Quotas bound what one mailbox holds. Only the sealed outcome shows them.
	Quotas admit.Quotas
	// MailboxesPerAccount counts those that are open.
	MailboxesPerAccount uint32
	// Retention is how long a delivery waits for its owner.
	Retention time.Duration
	// Blobs is how many blobs are held at once.
	Blobs uint64

	// Creates and BlobPuts bound what one account may make, FailedOpenings how many
	// seals that do not open, or tags that are wrong, one peer may send. A peer beyond
	// it is served only when nothing else waits, and at hostileEvery if it never sent a
	// good one.
	Creates        budget.Rate
	BlobPuts       budget.Rate
	FailedOpenings budget.Rate
	// Tracked is for how many accounts or peers each of these budgets is remembered.
	Tracked int

	// OpenQueue is how many seals wait for a worker, SuspectQueue how many of peers
	// over their budget. Beyond it puts are refused with OverloadRetry.
	OpenQueue    int
	SuspectQueue int

	// DeliverInFlight, OwnerInFlight and BlobInFlight bound the requests of one
	// stream that are worked on at a time. A watch counts for as long as it lasts.
	DeliverInFlight int
	OwnerInFlight   int
	BlobInFlight    int
	// Watches bounds them over all streams, EmptyWatches those of mailboxes that do not
	// exist at the agent.
	Watches      WatchLimits
	EmptyWatches WatchLimits
	// BadRequests is how many malformed requests or wrong signatures end a stream.
	BadRequests int
}

// WatchLimits are how many watches are open at a time: altogether, from one IPv4 address
// or IPv6 /56, and of one peer.
type WatchLimits struct {
	All        int
	PerNetwork int
	PerPeer    int
}

// DefaultLimits suit a public node on a small server.
func DefaultLimits() Limits {
	return Limits{
		Quotas: admit.Quotas{
			Deliveries: 1024, Bytes: 16 << 20, LifelineDeliveries: 128, FullRetry: time.Hour,
		},
		MailboxesPerAccount: 100,
		Retention:           14 * 24 * time.Hour,
		Blobs:               1 << 14,
		Creates:             budget.Rate{Burst: 200, PerHour: 60},
		BlobPuts:            budget.Rate{Burst: 20, PerHour: 20},
		FailedOpenings:      budget.Rate{Burst: 32, PerHour: 3600},
		Tracked:             1 << 14,
		OpenQueue:           512,
		SuspectQueue:        16,
		DeliverInFlight:     256,
		OwnerInFlight:       128,
		BlobInFlight:        8,
		Watches:             WatchLimits{All: 1 << 13, PerNetwork: 1024, PerPeer: 128},
		EmptyWatches:        WatchLimits{All: 1 << 10, PerNetwork: 64, PerPeer: 32},
		BadRequests:         16,
	}
}

// Bounds of the protocols; both sides rely on them.
const (
	// MaxCollectItems and MaxCollectBytes end a page.
	MaxCollectItems = 64
	MaxCollectBytes = 1 << 20
	// MaxAckPositions is how many deliveries one request acknowledges.
	MaxAckPositions = 256
	// maxOperation is the largest body of an owner's operation: a full ack.
	maxOperation = 4 << 10
)

// Retry times told in the clear.
const (
	retryOverload = 2 * time.Second
	retryQuota    = 10 * time.Minute
	retryStorage  = 10 * time.Second
	retryDamage   = time.Hour
	retryClock    = 10 * time.Minute
)

// hostileEvery is the interval at which seals are opened of all the peers together that
// are over their budget of bad ones and never sent a good one: opening these takes a
// hundredth of a processor.
const hostileEvery = 20 * time.Millisecond

// maxUnheeded is how many puts of such a peer are answered on one stream.
const maxUnheeded = 64

// Upkeep.
const (
	sweepEvery  = 15 * time.Minute
	rotateEvery = time.Hour
	// replayGrace keeps replay ids a day longer than any put that they could meet.
	replayGrace = 24 * time.Hour
	// sweepRows is how many rows one look at the tables visits, sweepFacts how many
	// events one commit of a sweep makes, and forgetRows how many replay ids one
	// event drops.
	sweepRows  = 512
	sweepFacts = 64
	forgetRows = 1024
)

// Of the filter over replay ids: bytes for each week, the step in which they come, and
// rows read at a time.
const (
	seenBytes = 1 << 20
	seenPage  = 1 << 10
	seenRows  = 1 << 12
)

// Positions are looked up by one scan from scanFrom of them on, unless that would visit
// scanShare times as many rows.
const (
	scanFrom  = 4
	scanShare = 4
)

// Bytes that one stream may hold in requests being served and in answers not sent.
const (
	servingDeliver = 1 << 20
	servingOwner   = wire.MaxFrame
	unsentOwner    = 64 << 10
)

// maxUnix is the last second of the year 9999: no time on the wire is later.
const maxUnix = 253402300799
