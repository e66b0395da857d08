package dht

import "time"

// Protocol constants: all nodes of a network have the same ones.
const (
	// Prefix is the first part of the stream protocol: /communicator/kad/1.0.0, or
	// /communicator/NETWORK/kad/1.0.0 for a network with a name.
	Prefix = "/communicator"
	// Replication is how many peers nearest to a key keep its records (k), Parallel
	// how many are asked at once (alpha), Settled how many of the nearest must have
	// answered before a search ends (beta).
	Replication = 20
	Parallel    = 10
	Settled     = 3
	// RecordAge is how long a peer keeps a record that nobody publishes again.
	RecordAge = 48 * time.Hour
	// RepublishEvery is how often a subject publishes its records again: three
	// failures in a row lose nothing.
	RepublishEvery = 12 * time.Hour
)

// Bounds of one node.
const (
	// DefaultRecords and DefaultBytes bound what a node stores of each kind.
	DefaultRecords = 8192
	DefaultBytes   = 32 << 20
	// DefaultRefresh is how often the routing table is refreshed.
	DefaultRefresh = 10 * time.Minute
	// DefaultSearch bounds finding the peers nearest to one key, DefaultRequest one
	// request to one peer.
	DefaultSearch  = 30 * time.Second
	DefaultRequest = 4 * time.Second
	// dialPatience bounds connecting to a peer that a search meets: a silent address
	// would otherwise hold up one of the places in parallel for the library's 15 s.
	dialPatience = 3 * time.Second

	// maxReply is what a reply may take: the largest record, and 20 peers with as many
	// addresses as the library passes on.
	maxReply = 256 << 10
	// maxNamed is how many peers of a reply are looked at, as the library does.
	maxNamed = 2 * Replication
	// Streams to a peer are kept for the next request, this many and this long; the
	// other side gives up after a minute.
	maxIdle  = 2
	idleTime = 45 * time.Second

	// maxRequest is what a request may take: the largest value, its key twice, and
	// room for what later versions add.
	maxRequest    = 20 << 10
	maxLengthBits = 28 // of a length: four groups of seven, the least being enough
	// Streams that peers may hold open to this node.
	maxStreams, maxStreamsPerPeer = 2048, 32
	// maxGuests is how many peers' rates are remembered.
	maxGuests = 2 * maxStreams
	// A peer's requests; beyond that they are held up, and given up after maxHold.
	requestsPerSecond, requestBurst = 50, 200
	maxHold                         = 5 * time.Second

	sweepEvery    = time.Hour // how often expired records are removed
	maxNetwork    = 32        // bytes of a network's name
	maxBootstrap  = 64
	maxEntries    = 64 // of one Publish
	maxKeys       = 8  // of one LookupAll
	maxParallel   = 4  // keys published or looked up at once
	maxRequests   = 20 // stores in flight for one key
	maxRepairs    = 64 // repairs in flight, in the background
	maxConflicts  = 4  // records of one sequence that are returned
	maxFallback   = 16 // records taken from a fallback
	bootstrapTime = 30 * time.Second

	// Once two of three keys have been read to their end and agree, the others get as
	// long again as the slower of the two took, and at least minPatience.
	minPatience = 2 * time.Second

	// At most this many peers of one IP group (/16, or AS for IPv6) in the routing
	// table, and in one of its buckets.
	groupPerTable, groupPerBucket = 3, 2
)

// The density alarm: see Density.
const (
	// densityFrom is the smallest number of peers that is looked at: a few may lie
	// close by chance.
	densityFrom = 5
	// densitySlack is how far the estimate of the network's size may be too low.
	densitySlack = 2
	// densityChance is the probability below which the peers around a key are no
	// accident, over all that is tested for one key.
	densityChance = 1e-6
)

// Bounds of republishing.
const (
	// MaxPublications bounds what one Republisher looks after.
	MaxPublications = 64
	retryFirst      = time.Minute
	retryMost       = time.Hour
	// wakeAtLeast is how often the clock is looked at, so that a clock that is set
	// is followed.
	wakeAtLeast = 10 * time.Minute
	// spread is the part of the interval by which a publication comes earlier at
	// random, so that one subject's names do not move in step.
	spread = 10
)
