package route

import (
	"math/rand/v2"
	"time"
)

// Policy is how patient a client is. A zero field takes its default.
type Policy struct {
	// SubmitPatience is how long a sending agent may fail to take an attempt before
	// another one is tried. (10 s)
	SubmitPatience time.Duration
	// OutcomePatience is how long a receiving agent may take before another one is
	// tried. (1 min)
	OutcomePatience time.Duration
	// RetryMin and RetryMax bound the pauses between submissions of the same bytes,
	// and between questions for an outcome; each doubles the last. (1 s, 15 min)
	RetryMin, RetryMax time.Duration
	// TroubleFor is how long an agent that failed is tried after the others. (15 min)
	TroubleFor time.Duration
	// MaxAttempts bounds the attempts of one message. (16)
	MaxAttempts int
}

// WithDefaults fills what is zero.
func (p Policy) WithDefaults() Policy {
	def := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&p.SubmitPatience, 10*time.Second)
	def(&p.OutcomePatience, time.Minute)
	def(&p.RetryMin, time.Second)
	def(&p.RetryMax, 15*time.Minute)
	def(&p.TroubleFor, 15*time.Minute)
	if p.MaxAttempts <= 0 {
		p.MaxAttempts = 16
	}
	return p
}

// Backoff is the pause after a number of tries without an answer: doubling from
// RetryMin to RetryMax, of which a random half is taken off at most.
func (p Policy) Backoff(tries uint64, rnd *rand.Rand) time.Duration {
	d := p.RetryMax
	if tries < 32 && p.RetryMin<<tries < p.RetryMax {
		d = p.RetryMin << tries
	}
	return d - time.Duration(rnd.Float64()*float64(d)/2)
}

// An agent of our own that cannot be reached is tried again after at most a thirtieth of
// the time that it has failed for, or 20 s if that is more: after an outage of ten minutes
// what waits is sent and fetched within 20 s, after one of a day within 15 min.
const (
	shortOutage = 20 * time.Second
	outageShare = 30
)

// Reconnect is the pause before an agent of our own that cannot be reached is tried again,
// after a number of failures in a row, of which the first was that long ago. It is perhaps
// this device that has no network.
func (p Policy) Reconnect(tries uint64, failing time.Duration, rnd *rand.Rand) time.Duration {
	p.RetryMax = min(p.RetryMax, max(shortOutage, failing/outageShare))
	return p.Backoff(tries, rnd)
}
