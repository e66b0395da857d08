package address

import (
	"time"

	"communicator/wire"
)

// Sizes in bytes of the layouts drawn in the package comment.
const (
	// PublicKeySize: an X-Wing public key, ML-KEM-768's 1,184 and X25519's 32.
	PublicKeySize = 1216
	// PrivateKeySize: the X-Wing seed.
	PrivateKeySize = 32

	encSize        = wire.SealedSize - wire.SealedPlainSize - aeadOverhead
	aeadOverhead   = 16
	aeadKeySize    = 32
	aeadNonceSize  = 12
	outcomeSalt    = 32
	exportedSize   = 32
	plainUsed      = 16 + 4 + 8 + 4 + 8 + 32
	outcomeHeader  = 1 + 4 + 2
	outcomeSecrets = exportedSize + encSize
)

const (
	// NotAfterGrain: notAfter is a multiple of it, so that it tells little about
	// when the message was written.
	NotAfterGrain = time.Hour
	// ClockSkew is how far ahead of the agent's clock a sender's may be.
	ClockSkew = time.Hour
	// maxUnix is the last second of the year 9999.
	maxUnix = 253402300799
	// maxRetryAfter is what fits an outcome.
	maxRetryAfter = (1<<32 - 1) * time.Second
)
