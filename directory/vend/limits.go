package vend

import "time"

// Limits are the bounds that a directory sets. Start from [DefaultLimits].
type Limits struct {
	Stock   uint32 // one-time packages that a name may have in stock
	Waiting uint32 // requests that wait for one owner
	Tokens  uint32 // tokens that are valid at once, of one kind and scope
	PerHour uint32 // the highest number that a rule may have
	// AskLife is how long a request waits for its owner, and is remembered once declined.
	AskLife time.Duration
}

// DefaultLimits suit a public node.
func DefaultLimits() Limits {
	return Limits{Stock: 1024, Waiting: 64, Tokens: 4096, PerHour: 3600, AskLife: 14 * 24 * time.Hour}
}

// Bounds of the protocol; both sides rely on them.
const (
	// MaxPackage is the largest key package, in bytes.
	MaxPackage = 7447
	// MaxPackages is how many one upload adds.
	MaxPackages = 16
	// MaxPackageLife is how long a directory keeps one, whatever its own expiry.
	MaxPackageLife = 30 * 24 * time.Hour
	// MaxNote is the longest note of a request that waits for the owner, in bytes.
	MaxNote = 512
	// MaxTokens is how many tokens one operation issues or revokes.
	MaxTokens = 32
	// MaxTokenLife is how long a token may be valid.
	MaxTokenLife = 400 * 24 * time.Hour
	// MaxDecisions is how many requests one operation approves or declines.
	MaxDecisions = 16
	// MaxWorkBits is the hardest proof of work that a namespace may ask for.
	MaxWorkBits = 26
)

const (
	// minLeft is the least that a vended package must have before it, in whole hours: so
	// that the asker has an hour to use it.
	minLeft = 2
	// forgetRows is how many rows of each kind one [Forgotten] drops.
	forgetRows = 128
)
