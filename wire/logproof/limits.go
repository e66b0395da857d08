package logproof

import "time"

// Sizes of a header's parts, in bytes.
const (
	MaxStream = 32
	MaxHeader = 1024
	SaltSize  = 32

	// MaxRecord is the longest header encoding.
	MaxRecord = len(labelEvent) + 1 + 8 + 8 + 2 + 1 + 1 + MaxStream + 2 + MaxHeader + 4 + 32 + 32

	// MaxPath allows batches of 2^32 events.
	MaxPath = 32

	// proofFixed is a proof without its path, record and salt.
	proofFixed = 1 + 32 + 8 + 8 + 4 + 32 + 64 + 1 + 2 + 1
	// MaxProof is the longest encoded proof.
	MaxProof = proofFixed + MaxPath*32 + MaxRecord + SaltSize
)

// TimeGrain is what event times are rounded down to, so that a log says no more
// about when people write than its retention needs.
const TimeGrain = time.Minute

// maxTime is 9999-12-31T23:59:00Z, the last time that every format can show.
const maxTime = 253402300740
