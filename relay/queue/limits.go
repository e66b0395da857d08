package queue

import "time"

// Config bounds the decisions. The zero value of a field takes the default.
type Config struct {
	BackoffMin time.Duration // first pause, 1 s
	BackoffMax time.Duration // longest pause, 15 min

	PerDestination int // sends in flight to one destination, 64
	Total          int // sends in flight to destinations that answer, 1,024
	Probes         int // sends in flight to destinations that have not answered, 128
	Burst          int // sends before the next destination has its turn, 16

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
	set(&c.Probes, 128)
	set(&c.Burst, 16)
	set(&c.JitterMax, 15*time.Minute)
	return c
}

func set[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
