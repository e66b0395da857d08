package wire

import "time"

// Sizes on the wire, in bytes. Larger input is refused before it is read.
const (
	MaxCiphertext = 64 << 10 // a message's ciphertext, padded to a bucket
	// WrapOverhead is what an attempt's wrap adds: an XChaCha20-Poly1305 nonce
	// and tag.
	WrapOverhead = 24 + 16
	MaxPayload   = MaxCiphertext + WrapOverhead // what a put carries
	MaxFrame     = 72 << 10                     // one frame on a stream, with its envelope

	SealedPlainSize = 96                          // the plaintext of a sealed address, padded
	SealedSize      = 1120 + SealedPlainSize + 16 // X-Wing encapsulation, ciphertext, tag
	// OutcomePlainSize holds a code, a retry-after and a padded receipt.
	OutcomePlainSize = 1536
	OutcomeSize      = 32 + OutcomePlainSize + 16

	MaxURI        = 160  // an agent's URI inside an address
	MaxAddresses  = 4    // addresses in a set
	MaxAddressSet = 1000 // an encoded address set: every padding bucket reserves 1 KiB for it
	MaxBlob       = 16 << 10
	MaxDescriptor = 16 << 10
	MaxReceipt    = OutcomePlainSize - 1 - 4 - 2
)

// Times that both sides of a protocol must agree on.
const (
	EpochLength   = 7 * 24 * time.Hour  // an epoch: one address secret, one sealing key
	EpochGrace    = 90 * 24 * time.Hour // how long after its end an epoch's addresses open
	LifelineYear  = 365 * 24 * time.Hour
	LifelineLife  = 2 * LifelineYear
	MaxPutLife    = 14 * 24 * time.Hour // notAfter is at most this far ahead
	OutcomeGrace  = 7 * 24 * time.Hour  // an outcome is kept this long after notAfter
	MaxBlobLife   = 7 * 24 * time.Hour
	MaxContactAge = 7 * 24 * time.Hour // a contact mailbox's life
)
