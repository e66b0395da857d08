package script

import (
	"math/rand/v2"
	"time"
)

// Lookup is a name that somebody looks up.
type Lookup struct {
	At   time.Duration
	User int32
	Name int32
}

// Lookups draws the lookups of a run one by one, in order of time.
type Lookups struct {
	s    *Script
	r    *rand.Rand
	rate float64 // a nanosecond
	at   time.Duration
}

// Lookups begins anew with the first lookup.
func (s *Script) Lookups() *Lookups {
	rate := s.Scenario.Workload.LookupsPerUserHour * float64(len(s.Users)) / float64(time.Hour)
	return &Lookups{s: s, r: s.Rand("lookups", 0), rate: rate}
}

// Next is the next lookup, until there is none.
func (l *Lookups) Next() (Lookup, bool) {
	if l.rate == 0 {
		return Lookup{}, false
	}
	l.at += time.Duration(l.r.ExpFloat64() / l.rate)
	if l.at >= l.s.Scenario.Duration.D() {
		return Lookup{}, false
	}
	return Lookup{At: l.at, User: int32(l.r.IntN(len(l.s.Users))), Name: int32(l.r.IntN(l.s.Scenario.Workload.Names))}, true
}

// Beset is the name that Sybils gather around; -1 if there is none.
func (s *Script) Beset() int32 {
	if s.Scenario.Adversary.Sybil.Target == "none" {
		return -1
	}
	return int32(s.Rand("sybil", 0).IntN(s.Scenario.Workload.Names))
}
