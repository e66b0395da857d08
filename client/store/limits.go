package store

import "time"

const (
	// MaxName bounds a contact's name, in bytes.
	MaxName = 128
	// MaxText bounds a message's text, in bytes.
	MaxText = 64 << 10
	// MaxBlob bounds every opaque value, in bytes. A particle's state with all
	// its skipped keys is the largest, well below it.
	MaxBlob = 4 << 20
	// DeliveredRetention is how long a delivery id is remembered.
	DeliveredRetention = 45 * 24 * time.Hour

	readConns       = 3                // connections for View
	aloneCache      = 32               // KiB of page cache with Options.Alone
	aloneStatements = 12               // statements that stay compiled then, of 4 KiB on average
	aloneCheckpoint = 32               // and what checkpointPages is then
	checkpointPages = 256              // WAL length, in 4 KiB pages, that triggers a checkpoint
	busyTimeout     = 10 * time.Second // default of Options.BusyTimeout
	busyStep        = 20 * time.Millisecond
	pollInterval    = 100 * time.Millisecond // default of Options.Poll

	exportChunk = 64 << 10 // plaintext bytes in one sealed chunk of an export
)

// Bounds on a key slot's Argon2id cost, so that a forged header cannot make
// [Open] or [Import] take all memory or never return.
const (
	maxKDFTime    = 64
	maxKDFMemory  = 2 << 20 // KiB: 2 GiB
	maxKDFThreads = 64
)

// KDF is the cost of Argon2id (RFC 9106).
type KDF struct {
	Time    uint32 // passes
	Memory  uint32 // KiB
	Threads uint8
}

// DefaultKDF is the second recommended option of RFC 9106, section 4.
var DefaultKDF = KDF{Time: 3, Memory: 64 << 10, Threads: 4}

func (k KDF) valid() bool {
	return k.Time >= 1 && k.Time <= maxKDFTime && k.Threads >= 1 && k.Threads <= maxKDFThreads &&
		k.Memory >= 8*uint32(k.Threads) && k.Memory <= maxKDFMemory
}
