package directory

import (
	"time"

	"communicator/directory/vend"
	"communicator/internal/budget"
	"communicator/wire"
)

// Limits are every bound of a directory. Start from [DefaultLimits].
type Limits struct {
	// Vend bounds what one name may hold.
	Vend vend.Limits

	// Requests bounds a stream before a request is even parsed; one that is malformed or
	// wrongly signed counts RefusedCost times.
	Requests    budget.Rate
	RefusedCost int
	// Contacts bounds how many packages one peer may ask for, and MemberContacts how many
	// may be asked for with one member token. Beyond it the answer is "not granted".
	Contacts       budget.Rate
	MemberContacts budget.Rate
	// Registrations bounds those of one peer.
	Registrations budget.Rate
	// Tracked is for how many peers or tokens each of these budgets is remembered.
	Tracked int

	// InFlight bounds the requests of one stream that are worked on at a time.
	InFlight int
	// BadRequests is how many malformed requests or wrong signatures end a stream.
	BadRequests int
	// Workers verify the signatures of a batch; 0: as many as there are processors.
	Workers int
	// Secrets is how many names' secrets are derived at once, 32 MiB each.
	Secrets int
}

// DefaultLimits suit a public node on a small server.
func DefaultLimits() Limits {
	return Limits{
		Vend:           vend.DefaultLimits(),
		Requests:       budget.Rate{Burst: 200, PerHour: 100 * 3600},
		RefusedCost:    8,
		Contacts:       budget.Rate{Burst: 32, PerHour: 120},
		MemberContacts: budget.Rate{Burst: 32, PerHour: 60},
		Registrations:  budget.Rate{Burst: 8, PerHour: 30},
		Tracked:        1 << 14,
		InFlight:       64,
		BadRequests:    16,
		Secrets:        2,
	}
}

// Bounds of the protocol; both sides rely on them.
const (
	// MaxEntries is how many statements one submission brings.
	MaxEntries = 128
	// MaxStatements ends a page of a name's statements.
	MaxStatements = 32
	// MaxManifestPage ends a page of manifests.
	MaxManifestPage = 16
	// MaxWaiting ends a page of requests that wait.
	MaxWaiting = 32
	// MaxTags is how many tags one request asks about.
	MaxTags = 64
	// MaxLines is how many cosignatures one request brings.
	MaxLines = 5
	// MaxRevocations is how many statements one key's revocation id may hold.
	MaxRevocations = 8
	// MaxRelations is how many successions and equivalences lie under one key.
	MaxRelations = 8
	// maxOperation is the largest body of a signed operation.
	maxOperation = wire.MaxFrame - 1024
)

// Retry times told in the clear.
const (
	retryOverload = 2 * time.Second
	retryQuota    = 10 * time.Minute
	retryStorage  = 10 * time.Second
	retryDamage   = time.Hour
	retryClock    = 10 * time.Minute
	retryWitness  = time.Minute
	// retryContact is told to everyone who is not granted a package, whatever the reason.
	retryContact = time.Minute
)

// Upkeep.
const (
	sweepEvery = 15 * time.Minute
	// checkpointAge is how old a checkpoint gets before the same tree is signed again, so
	// that "logged, not checked since" stays near.
	checkpointAge = 10 * time.Minute
	// keptCheckpoints is how many of those given out last may be cosigned.
	keptCheckpoints = 8
	// foldRounds is how often a decision is tried again because a manifest changed.
	foldRounds = 3
)

// Bytes that one stream may hold in requests being served and in answers not sent.
const (
	serving = 4 * wire.MaxFrame
	unsent  = 64 << 10
)

// maxUnix is the last second of the year 9999: no time on the wire is later.
const maxUnix = 253402300799
