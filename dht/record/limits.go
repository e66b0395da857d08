package record

import (
	"time"

	"communicator/wire"
)

// The network's rules. All nodes of one network hold to the same ones.
const (
	// WorkBits is how many leading zero bits a record's stamp asks for: about
	// 260,000 hashes, a few hundredths of a second on one core. Test networks may
	// ask for fewer, a network under attack for more.
	WorkBits = 18
	// MaxWorkBits: more zero bits than anyone should look for.
	MaxWorkBits = 40

	// Copies is how many places a record has, far from each other.
	Copies = 3
	// Overlap is how long before its epoch begins, and after it ends, a record may
	// be valid, so that a clock off by less finds it.
	Overlap = 24 * time.Hour
	// MaxLife is the longest that a record may be valid.
	MaxLife = wire.EpochLength + 2*Overlap
	// Skew is how far in the future a record may begin.
	Skew = 10 * time.Minute
	// MaxDescriptorAge is how long after it was issued a descriptor is stored.
	MaxDescriptorAge = 90 * 24 * time.Hour
)

// Argon2id (RFC 9106) of a name's secret: one pass, 32 MiB, one lane.
const (
	argonTime    = 1
	argonMemory  = 32 << 10 // KiB
	argonThreads = 1
)

// Sizes of a record's parts, in bytes.
const (
	keySize       = 32
	headerSize    = keySize + 8 + 8 + 8
	stampSize     = 8
	nonceSize     = 24
	tagSize       = 16
	signatureSize = 64
	boxOffset     = headerSize + stampSize + nonceSize
	overhead      = boxOffset + tagSize + signatureSize
	lengthSize    = 2

	// MaxPayload is the largest statement with its proofs that a record holds.
	MaxPayload = 4<<10 - lengthSize
	// MaxSize is the size of the largest attestation record.
	MaxSize = overhead + 4<<10
	// MaxValue is the largest value under any key.
	MaxValue = wire.MaxDescriptor

	maxUnix = 253402300799 // the last second of the year 9999
)

// buckets are the sizes that a payload, with its length, is padded to.
var buckets = [...]int{2 << 10, 3 << 10, 4 << 10}
