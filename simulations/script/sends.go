package script

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Send is a message that somebody writes.
type Send struct {
	At       time.Duration
	Number   uint32
	From, To int32
	Relation int32
	Size     int32 // bytes, before padding
}

// Sends draws the messages of a run one by one, in order of time.
type Sends struct {
	s       *Script
	r       *rand.Rand
	at      time.Duration
	number  uint32
	planned []Send // where each pair has its number of messages
	next    int
}

// Sends begins anew with the first message.
func (s *Script) Sends() *Sends {
	out := &Sends{s: s, r: s.Rand("sends", 0)}
	if n := s.Scenario.Workload.MessagesPerPair; n > 0 {
		out.plan(n)
	}
	return out
}

// Next is the next message, until there is none.
func (w *Sends) Next() (Send, bool) {
	if w.planned != nil {
		if w.next == len(w.planned) {
			return Send{}, false
		}
		m := w.planned[w.next]
		m.Number = uint32(w.next)
		w.next++
		return m, true
	}
	end := w.s.Scenario.Duration.D()
	rate := w.s.Scenario.Workload.MessagesPerUserHour * float64(len(w.s.Users)) / float64(time.Hour) // a nanosecond
	if rate == 0 {
		return Send{}, false
	}
	// The rate changes where crowds come and go: draw with the highest, and thin.
	highest := w.s.highest()
	for {
		w.at += time.Duration(w.r.ExpFloat64() / (rate * highest))
		if w.at >= end {
			return Send{}, false
		}
		factor, victims := w.s.crowdAt(w.at)
		if w.r.Float64()*highest >= factor {
			continue
		}
		if m, ok := w.draw(victims); ok {
			m.Number = w.number
			w.number++
			return m, true
		}
	}
}

// draw draws who writes to whom.
func (w *Sends) draw(victims []int32) (Send, bool) {
	m := Send{At: w.at.Truncate(time.Microsecond)}
	if len(victims) > 0 {
		m.To = victims[w.r.IntN(len(victims))]
		contacts := w.s.Users[m.To].Contacts
		m.Relation = contacts[w.r.IntN(len(contacts))]
		m.From = w.s.Relations[m.Relation].Other(m.To)
	} else {
		m.From = int32(w.r.IntN(len(w.s.Users)))
		contacts := w.s.Users[m.From].Contacts
		if len(contacts) == 0 {
			return m, false
		}
		m.Relation = contacts[w.rank(len(contacts))]
		m.To = w.s.Relations[m.Relation].Other(m.From)
	}
	m.Size = w.size()
	return m, true
}

// rank draws which of n contacts is written to: by Zipf's law, the k-th with weight 1/k.
func (w *Sends) rank(n int) int {
	if w.s.Scenario.Workload.Contacts == "uniform" || n == 1 {
		return w.r.IntN(n)
	}
	total := 0.0
	for k := range n {
		total += 1 / float64(k+1)
	}
	x := w.r.Float64() * total
	for k := range n {
		if x -= 1 / float64(k+1); x < 0 {
			return k
		}
	}
	return n - 1
}

// maxText is the longest message that a client takes, in bytes.
const maxText = 16 << 10

func (w *Sends) size() int32 {
	z := w.s.Scenario.Workload.Size
	x := float64(z.Median)
	if z.Sigma > 0 {
		x *= math.Exp(w.r.NormFloat64() * z.Sigma)
	}
	return int32(min(max(x, 1), maxText))
}

// plan spreads each pair's messages over the run, each in a direction of its own.
func (w *Sends) plan(each int) {
	span := w.s.Scenario.Duration.D()
	w.planned = make([]Send, 0, each*len(w.s.Relations))
	for i, rel := range w.s.Relations {
		for range each {
			m := Send{At: time.Duration(w.r.Int64N(int64(span))).Truncate(time.Microsecond), Relation: int32(i),
				From: rel.A, To: rel.B, Size: w.size()}
			if w.r.IntN(2) == 1 {
				m.From, m.To = m.To, m.From
			}
			w.planned = append(w.planned, m)
		}
	}
	slices.SortStableFunc(w.planned, func(a, b Send) int {
		return int(a.At - b.At)
	})
}

// highest is the highest factor that any crowd brings.
func (s *Script) highest() float64 {
	f := 1.0
	for _, c := range s.crowds {
		f = max(f, c.factor)
	}
	return f
}

// crowdAt is the factor at a time, and who is written to.
func (s *Script) crowdAt(at time.Duration) (float64, []int32) {
	for _, c := range s.crowds {
		if at >= c.from && at < c.to {
			return c.factor, c.victims
		}
	}
	return 1, nil
}
