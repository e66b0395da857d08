package access

import "time"

// MaxTokenUses is the most accounts that one token opens.
const MaxTokenUses = 100_000

// workHours is how many hours a proof of work's hour may differ from the agent's.
const workHours = 1

// maxBuckets bounds the memory of the rates: about 100 bytes each.
const maxBuckets = 1 << 16

// budget is a token bucket: burst at once, then one more every interval.
type budget struct {
	burst int
	every time.Duration
}

// Budgets of attempts. What fails is charged to the peer and to its networks; under
// the open policy, what succeeds is charged to the networks as well.
var (
	failuresOfPeer = budget{10, time.Minute}
	failuresOfHost = budget{30, 20 * time.Second} // an IPv4 address or IPv6 /56
	failuresOfSite = budget{240, 5 * time.Second} // an IPv6 /48
	opensOfHost    = budget{120, 2 * time.Second}
	opensOfSite    = budget{960, time.Second / 4}
)

// Prefix lengths that one customer of a provider typically has.
const (
	hostBits6 = 56
	siteBits6 = 48
)
