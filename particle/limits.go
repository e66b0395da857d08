package particle

import (
	"time"

	"communicator/wire"
)

// Limits of a session.
const (
	// MaxSkip is how many message keys one ciphertext may skip in its chain. A longer
	// jump is refused; in a chain that the peer has left, it abandons that chain.
	MaxSkip = 1024
	// MaxSkipped is how many skipped message keys are stored; the oldest go first.
	MaxSkipped = 2048
	// SkippedLife is how long a skipped message key is kept.
	SkippedLife = 30 * 24 * time.Hour
	// MaxCheckpoint is the most bytes of a log's checkpoint that a message carries: with
	// as many bytes of text the message still fits the smallest bucket.
	MaxCheckpoint = 1152
	// RelationSize is the bytes of a succession or an equivalence.
	RelationSize = 266
	// MaxVeto is the most bytes of a veto or a revocation.
	MaxVeto = 1024
	// MaxFormerChains is how many chains that the peer has left can still be read.
	MaxFormerChains = 8
	// AnswerAfter messages received since we last sent, an answer is due, if need be an
	// empty one: without it the peer's chain cannot step.
	AnswerAfter = 256
	// MaxUnanswered messages in one chain, the sender stops: [ErrUnanswered].
	MaxUnanswered = 1000
	// maxSeen is how many received headers of one chain are remembered to tell a
	// duplicate from a second ciphertext for the same place.
	maxSeen = 1024
	// maxFormerSessions and FormerSessionLife bound how long messages of a session that
	// was re-established can still be read.
	maxFormerSessions = 2
	FormerSessionLife = 30 * 24 * time.Hour
)

// Sizes in bytes.
const (
	// Spare is what every bucket keeps free for an address set, so that a rotation never
	// shows in the size of a message.
	Spare = 1024

	bodyLengthSize = 4  // u32 in front of a body's content
	tagSize        = 16 // Poly1305

	// MaxAttestation is the longest attestation in a package.
	MaxAttestation = 4096
	// MaxPackage is the longest encoded package.
	MaxPackage = packageFixed + prekeySize + maxAddress + MaxAttestation
	maxAddress = 512

	// MaxText is the longest text in bytes. It fits the largest bucket even behind the
	// longest handshake block, with the spare for an address set kept free.
	MaxText = wire.MaxCiphertext - blockOneTimeSize - encryptedHeaderSize - tagSize -
		bodyLengthSize - Spare - contentFixed - itemOverhead
	// MaxState is the longest encoded Particle that is parsed.
	MaxState = 4 << 20
)

// buckets are the sizes of a ciphertext: the smallest that fits is used.
var buckets = [...]int{4 << 10, 8 << 10, 16 << 10, 32 << 10, wire.MaxCiphertext}

// Limits of the address exchange.
const (
	// RotateAge, RotatePuts and RotateBeforeExpiry are when a generation of addresses is
	// due for replacement.
	RotateAge          = 24 * time.Hour
	RotatePuts         = 256
	RotateBeforeExpiry = wire.MaxPutLife
	// CloseAfter is how long a replaced generation stays open after the peer has
	// acknowledged its successor.
	CloseAfter = 7 * 24 * time.Hour
	// MaxOpenSets is how many of our own sets may be open at once.
	MaxOpenSets = 8
	// maxPeerSets is how many of the peer's sets are kept for sending.
	maxPeerSets = 4
)

// Times of recovery packages.
const (
	// RecoveryEvery is how often a new recovery package is given to the peer.
	RecoveryEvery = 30 * 24 * time.Hour
	// RecoveryLife is how long its private part is kept: a profile exported longer ago
	// cannot be re-established.
	RecoveryLife = 180 * 24 * time.Hour
	// maxRecovery is how many private parts are kept; RecoveryLife / RecoveryEvery and
	// two that a re-establishment may have added.
	maxRecovery = 8
	// maxHandshakes is how many recovery handshakes are remembered as used.
	maxHandshakes = 64
)
