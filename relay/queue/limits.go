package queue

import "time"

// Config bounds the decisions. The zero value of a field takes the default.
type Config struct {
	BackoffMin time.Duration // first pause, 1 s
	BackoffMax time.Duration // longest pause, 15 min

	PerDestination int // sends in flight to one destination, 64
	Total          int // sends in flight to destinations that answer, 1,024
	PerAccount     int // of them, those of one account, 256
	Burst          int // sends before the next destination has its turn, 16

	// Probes is how many sends are in flight to destinations that have not
	// answered, ProbesPerAccount how many of them for one account. Of both, half
	// (rounded down) is kept for destinations that have not failed yet. (128; 12)
	Probes, ProbesPerAccount int
	// ProbeTimeout is how long the first probe of a destination may take, connecting
	// included. It doubles with each failure to ProbeTimeoutMax, so that a slow agent
	// gets its time, but not before others had theirs. (6 s; 24 s)
	ProbeTimeout, ProbeTimeoutMax time.Duration

	// JitterMax caps the mean delay that a sender may ask for, 15 min. No single
	// draw exceeds ten times its mean, nor half of what is left until notAfter.
	JitterMax time.Duration
}

// jitterTail bounds one draw of the exponential delay, in means: fewer than one
// in twenty thousand draws is cut.
const jitterTail = 10

func (c Config) withDefaults() Config {
	set(&c.BackoffMin, time.Second)
	set(&c.BackoffMax, 15*time.Minute)
	set(&c.PerDestination, 64)
	set(&c.Total, 1024)
	set(&c.PerAccount, 256)
	set(&c.Burst, 16)
	set(&c.Probes, 128)
	set(&c.ProbesPerAccount, 12)
	set(&c.ProbeTimeout, 6*time.Second)
	set(&c.ProbeTimeoutMax, 24*time.Second)
	set(&c.JitterMax, 15*time.Minute)
	return c
}

// A destination's pause is at most a thirtieth of the time that it has failed for,
// within BackoffMax, but may always be 20 s: after an outage of ten minutes its
// messages wait 20 s at most, after one of a day 15 min.
const (
	shortOutage = 20 * time.Second
	outageShare = 30
)

// again is how many of n probes may go to destinations that failed before.
func again(n int) int { return n - n/2 }

func set[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
