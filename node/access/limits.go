package access

import "communicator/internal/budget"

// MaxTokenUses is the most accounts that one token opens.
const MaxTokenUses = 100_000

// workHours is how many hours a proof of work's hour may differ from the agent's.
const workHours = 1

// maxTracked bounds the memory of each of the rates: about 100 bytes a peer or network.
const maxTracked = 1 << 14

// Budgets of attempts. What fails is charged to the peer and to its networks; under
// the open policy, what succeeds is charged to the networks as well.
var (
	failuresOfPeer = budget.Rate{Burst: 10, PerHour: 60}
	failuresOfHost = budget.Rate{Burst: 30, PerHour: 180}  // an IPv4 address or IPv6 /56
	failuresOfSite = budget.Rate{Burst: 240, PerHour: 720} // an IPv6 /48
	opensOfHost    = budget.Rate{Burst: 120, PerHour: 1800}
	opensOfSite    = budget.Rate{Burst: 960, PerHour: 14400}
)
