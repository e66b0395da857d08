package script

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"communicator/simulations/scenario"
)

// Act is what a Change does.
type Act uint8

// Acts. Those with agents concern Change.Agents, those with users Change.Users.
const (
	Stop      Act = iota + 1 // agents stop cleanly (SIGTERM)
	Kill                     // agents are killed (kill -9)
	Start                    // agents start again
	CutOff                   // agents can reach each other, and nobody else can reach them
	Heal                     // agents that were cut off are reached again
	Freeze                   // agents hang, with their connections open
	Thaw                     // and go on
	DrainThem                // agents are drained
	Loss                     // Value is the share of packets that are lost from now on
	Slow                     // Value is the factor on every latency from now on
	Full                     // agents' disks are full
	Free                     // and have space again
	Off                      // users' devices are switched off
	On                       // and on
)

// Change is something that happens to agents, users or the network.
type Change struct {
	At     time.Duration
	Act    Act
	Agents []int32
	Users  []int32
	Value  float64
	// Region is set with CutOff and Heal of whole regions: users there are cut off too,
	// with their side. Nil otherwise.
	Regions []uint8
}

// crowd is a time in which more is sent.
type crowd struct {
	from, to time.Duration
	factor   float64
	victims  []int32
}

func (s *Script) changes() {
	s.churn()
	s.devices()
	for i := range s.Scenario.Events {
		s.event(i, &s.Scenario.Events[i])
	}
	slices.SortStableFunc(s.Changes, func(a, b Change) int { return int(a.At - b.At) })
}

func (s *Script) add(c Change) {
	if c.At <= s.End() {
		s.Changes = append(s.Changes, c)
	}
}

// churn draws when each agent stops and starts again. A run begins in the middle of an
// agent's time.
func (s *Script) churn() {
	c := s.Scenario.Churn
	if c.Model == "none" {
		return
	}
	for i := range s.Agents {
		if s.Agents[i].Stable {
			continue
		}
		r := s.Rand("churn", i)
		at := time.Duration(r.Float64() * float64(up(r, c)))
		for at < s.Scenario.Duration.D() {
			one := []int32{int32(i)}
			s.add(Change{At: at, Act: Stop, Agents: one})
			if r.Float64() < c.Forever {
				break
			}
			at += time.Second + time.Duration(r.ExpFloat64()*float64(c.Down)).Truncate(time.Millisecond)
			s.add(Change{At: at, Act: Start, Agents: one})
			at += up(r, c)
		}
	}
}

// up draws how long an agent stays up.
func up(r *rand.Rand, c scenario.Churn) time.Duration {
	x := r.ExpFloat64()
	if c.Model == "weibull" {
		x = math.Pow(x, 1/c.K)
	}
	return time.Second + time.Duration(min(x, 1e4)*float64(c.Scale)).Truncate(time.Millisecond)
}

// devices draws when users' devices are on, where that is not always.
func (s *Script) devices() {
	w := s.Scenario.Workload
	if w.Online >= 1 {
		return
	}
	off := time.Duration(float64(w.Session) * (1 - w.Online) / w.Online)
	for i := range s.Users {
		r := s.Rand("device", i)
		on := r.Float64() < w.Online
		if !on {
			s.add(Change{Act: Off, Users: []int32{int32(i)}})
		}
		for at := time.Duration(0); ; on = !on {
			mean, act := w.Session.D(), Off
			if !on {
				mean, act = off, On
			}
			if at += time.Second + time.Duration(r.ExpFloat64()*float64(mean)).Truncate(time.Millisecond); at >= s.Scenario.Duration.D() {
				break
			}
			s.add(Change{At: at, Act: act, Users: []int32{int32(i)}})
		}
	}
	// Everybody is there at the end, so that what was sent can arrive.
	all := make([]int32, len(s.Users))
	for i := range all {
		all[i] = int32(i)
	}
	s.add(Change{At: s.Scenario.Duration.D(), Act: On, Users: all})
}

// share draws a share of agents for an event.
func (s *Script) share(i, of int, share float64) (out []int32) {
	for at, yes := range chosen(s.Rand("event", i), of, share) {
		if yes {
			out = append(out, int32(at))
		}
	}
	return out
}

func (s *Script) event(i int, e *scenario.Event) {
	at, until := e.At.D(), e.At.D()+e.For.D()
	pair := func(begin, end Change) {
		begin.At, end.At = at, until
		end.Agents, end.Users, end.Regions = begin.Agents, begin.Users, begin.Regions
		s.add(begin)
		if e.For > 0 {
			s.add(end)
		}
	}
	agents := func(share float64) Change { return Change{Agents: s.share(i, len(s.Agents), share)} }
	with := func(c Change, act Act) Change { c.Act = act; return c }
	switch {
	case len(e.Partition) > 0:
		c := s.regions(e.Partition)
		pair(with(c, CutOff), Change{Act: Heal})
	case e.CutOff > 0:
		pair(with(agents(e.CutOff), CutOff), Change{Act: Heal})
	case e.Kill > 0:
		pair(with(agents(e.Kill), Kill), Change{Act: Start})
	case e.Freeze > 0:
		pair(with(agents(e.Freeze), Freeze), Change{Act: Thaw})
	case e.Drain > 0:
		s.add(Change{At: at, Act: DrainThem, Agents: agents(e.Drain).Agents})
	case e.Leave > 0:
		c := Change{At: at, Act: DrainThem}
		for j, a := range s.Agents {
			if int(a.Operator) < e.Leave {
				c.Agents = append(c.Agents, int32(j))
			}
		}
		s.add(c)
	case e.Full > 0:
		pair(with(agents(e.Full), Full), Change{Act: Free})
	case e.Offline > 0:
		pair(Change{Act: Off, Users: s.share(i, len(s.Users), e.Offline)}, Change{Act: On})
	case e.Loss > 0:
		pair(Change{Act: Loss, Value: e.Loss}, Change{Act: Loss, Value: s.Network.loss})
	case e.Slow > 0:
		pair(Change{Act: Slow, Value: e.Slow}, Change{Act: Slow, Value: 1})
	case e.Crowd.Factor > 0:
		s.crowd(i, e)
	}
}

// regions is a change that concerns whole regions.
func (s *Script) regions(names []string) (c Change) {
	for i, name := range s.Network.Regions {
		if slices.Contains(names, name) {
			c.Regions = append(c.Regions, uint8(i))
		}
	}
	for i, a := range s.Agents {
		if slices.Contains(c.Regions, a.Region) {
			c.Agents = append(c.Agents, int32(i))
		}
	}
	for i, u := range s.Users {
		if slices.Contains(c.Regions, u.Region) {
			c.Users = append(c.Users, int32(i))
		}
	}
	return c
}

func (s *Script) crowd(i int, e *scenario.Event) {
	until := e.At + e.For
	if e.For == 0 {
		until = s.Scenario.Duration
	}
	c := crowd{from: e.At.D(), to: until.D(), factor: e.Crowd.Factor}
	if n := min(e.Crowd.To, len(s.Users)); n > 0 {
		for _, u := range s.Rand("crowd", i).Perm(len(s.Users))[:n] {
			c.victims = append(c.victims, int32(u))
		}
	}
	s.crowds = append(s.crowds, c)
}
