package relay

import (
	"time"

	"communicator/relay/queue"
	"communicator/wire"
	"communicator/wire/descriptor"
	"communicator/wire/mux"
)

// Limits bounds what strangers can make a sending agent do. A field left zero takes
// its default.
type Limits struct {
	// QueuedPerAccount is how many submissions of one account may be queued, and
	// QueuedBytesPerAccount how many bytes their bodies may have together. A quota
	// below the largest body shuts it out. (10,000; 256 MiB)
	QueuedPerAccount      int
	QueuedBytesPerAccount int64
	// StorageMax is how many bytes queued submissions and kept outcomes may take
	// together, counted before the log's overhead. (8 GiB)
	StorageMax int64
	// BodiesInMemory is how many bytes of submissions are kept in memory until their
	// first attempt, StatesInMemory how many bytes of states and outcomes until they
	// are acknowledged. What does not fit is read from the log. (16 MiB; 16 MiB)
	BodiesInMemory, StatesInMemory int
	// MaxPayload is the largest payload taken, in bytes. (wire.MaxPayload)
	MaxPayload int

	// RequestsPerSecond and RequestBurst bound one stream; a request that is
	// malformed, forbidden or lacks permission counts as RefusedCost of them.
	// (2,000; 4,000; 50)
	RequestsPerSecond, RequestBurst, RefusedCost int

	// RefusedRequests is how many such requests end a stream that has no account. (16)
	RefusedRequests int

	// MaxHandles is how many handles one fetch or acknowledgement may name. (64)
	MaxHandles int
	// MaxWait is the longest a fetch waits for an outcome. (60 s)
	MaxWait time.Duration

	// OpenTimeout is how long opening a stream to a receiving agent may take,
	// RequestTimeout how long one answer may. (20 s; 30 s)
	OpenTimeout, RequestTimeout time.Duration
	// IdleClose is how long a stream to a receiving agent stays open unused. (60 s)
	IdleClose time.Duration

	// DescriptorAge is how long a fetched descriptor is given to others who ask;
	// DescriptorCache how many are kept; DescriptorFetches how many are fetched at
	// once. (60 s; 256; 32)
	DescriptorAge                      time.Duration
	DescriptorCache, DescriptorFetches int

	Queue queue.Config // caps and backoff of forwarding
	Mux   mux.Limits   // of one client's stream
}

const (
	defaultQueued      = 10_000
	defaultQueuedBytes = 256 << 20
	defaultStorage     = 8 << 30
	defaultInMemory    = 16 << 20
	defaultRate        = 2_000
	defaultBurst       = 4_000
	defaultRefusedCost = 50
	defaultRefused     = 16
	defaultHandles     = 64
	defaultWait        = 60 * time.Second
	defaultOpen        = 20 * time.Second
	defaultRequest     = 30 * time.Second
	defaultIdle        = 60 * time.Second
	defaultDescAge     = 60 * time.Second
	defaultDescCache   = 256
	defaultDescFetches = 32

	// outcomeCharge is what a kept outcome counts against StorageMax, in bytes.
	outcomeCharge = wire.OutcomeSize

	// maxLinks is how many hashes a descriptor's reply may carry.
	maxLinks = descriptor.MaxLinks

	// uriCache is how many parsed URIs are remembered.
	uriCache = 1024
	// frameRoom is what a descriptor's reply leaves of a frame for its envelope.
	frameRoom = 64

	// What a client is told to wait, by reason.
	retryRate     = time.Second
	retryQuota    = time.Minute
	retryStorage  = 10 * time.Second
	retryReadOnly = time.Hour
	retryClock    = 5 * time.Minute
	retryInternal = 10 * time.Second
	retryPeer     = 30 * time.Second

	// tickMax bounds how long the forwarder sleeps: a machine that was suspended
	// notices by then.
	tickMax = time.Minute
	// sweepEvery is how often outcomes that nobody fetched are looked for, and
	// sweepFirst when first: an agent may be restarted more often.
	sweepEvery = time.Hour
	sweepFirst = 5 * time.Minute
	// scanChunk is how many rows are read in one view; decideChunk how many events
	// housekeeping appends at once.
	scanChunk, decideChunk = 4096, 256
	// abandonRetry is how long housekeeping waits after the log refused an event.
	abandonRetry = time.Minute
)

func (l Limits) withDefaults() Limits {
	def(&l.QueuedPerAccount, defaultQueued)
	def(&l.QueuedBytesPerAccount, defaultQueuedBytes)
	def(&l.StorageMax, defaultStorage)
	def(&l.BodiesInMemory, defaultInMemory)
	def(&l.StatesInMemory, defaultInMemory)
	def(&l.MaxPayload, wire.MaxPayload)
	def(&l.RequestsPerSecond, defaultRate)
	def(&l.RequestBurst, defaultBurst)
	def(&l.RefusedCost, defaultRefusedCost)
	def(&l.RefusedRequests, defaultRefused)
	def(&l.MaxHandles, defaultHandles)
	def(&l.MaxWait, defaultWait)
	def(&l.OpenTimeout, defaultOpen)
	def(&l.RequestTimeout, defaultRequest)
	def(&l.IdleClose, defaultIdle)
	def(&l.DescriptorAge, defaultDescAge)
	def(&l.DescriptorCache, defaultDescCache)
	def(&l.DescriptorFetches, defaultDescFetches)
	l.MaxPayload = min(l.MaxPayload, wire.MaxPayload)
	l.RefusedCost = min(l.RefusedCost, l.RequestBurst)
	return l
}

func def[T int | int64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
