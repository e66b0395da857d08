package descriptor

// Limits of a descriptor. A signed descriptor is at most wire.MaxDescriptor bytes.
const (
	Version   = 1
	MaxAddrs  = 8
	MaxEpochs = 3
	// MaxLinks is how many steps a reply may lead from a known descriptor to the
	// newest: two a day for the two years of a lifeline. A reply with as many, and the
	// largest descriptor, fits a frame.
	MaxLinks = 1536
	// SealKeySize: an encoded X-Wing public key.
	SealKeySize = 1216
	// MaxWorkBits: more zero bits than any client would look for.
	MaxWorkBits = 40

	chainSize     = 32
	signatureSize = 64
	maxUnix       = 253402300799 // the last second of the year 9999
)
