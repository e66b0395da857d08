package directory

import "time"

const (
	// CallTimeout bounds one request and its answer.
	CallTimeout = 20 * time.Second
	// MaxWorkBits is the hardest proof of work that is looked for: some seconds.
	MaxWorkBits = 26

	inFlight = 32 // requests on one stream
	// workStep is how many nonces are tried between looks at the context.
	workStep = 1 << 14
	// Bounds of what a directory may answer.
	maxPage         = 64
	maxPages        = 4096
	maxHistoryPages = 64 // of statements about one name
	maxHashes       = 81
	maxRecords      = 8
	maxRecordSize   = 8 << 10
	maxRetryAfter   = 7 * 24 * time.Hour
	maxUnix         = 253402300799
)

// What one request brings.
const (
	maxEntries    = 128
	entryOverhead = 32 + 32 + 24 // secret, opening, and protobuf's own bytes
	uploadSize    = 60 << 10
)
