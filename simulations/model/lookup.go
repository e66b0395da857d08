package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"communicator/simulations/scenario"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// A name lies at three places of the overlay, each with the twenty servers nearest to it.
// Whoever looks it up asks every server that the search meets, at all places at once, and
// is done when two places have been read to their end and agree and the third has had as
// long again. Who is near what is drawn once for each name; who answers follows from the
// agents' state. What the model does not have is a routing table: how many round trips a
// search takes, and how many servers it meets beside the nearest, was measured
// (calibration.go).

// lookups are those of the script, and what all have in common.
type lookups struct {
	drawn  *script.Lookups
	due    script.Lookup
	target int32 // name that Sybils gather around; -1: none
	hops   int
	trips  int
}

func (l *lookups) begin(w *world) {
	l.drawn, l.target = w.s.Lookups(), w.s.Beset()
	l.hops, l.trips = hopsOf(len(w.agents))
	l.next(w)
}

// hopsOf is how many servers are asked one after another in an overlay of n, and how many
// round trips that takes, dialling included.
func hopsOf(n int) (hops, trips int) {
	more := 0
	if n > lookupFlat {
		more = int(math.Ceil(math.Log2(float64(n)/lookupFlat) / bitsPerHop))
	}
	return lookupHops + more, lookupTrips + more*(dialTrips+1)
}

func (l *lookups) next(w *world) {
	var more bool
	if l.due, more = l.drawn.Next(); more {
		w.at(int64(l.due.At), event{kind: lookupBegins})
	}
}

func (w *world) onLookupBegins() {
	l := &w.lookups
	user, name := l.due.User, l.due.Name
	l.next(w)
	if !w.users[user].on {
		return
	}
	var took [places]int64
	fresh, stale := 0, 0
	for p := range took {
		r := w.readPlace(user, name, p)
		took[p] = r.took
		fresh += r.fresh
		stale += r.stale
	}
	slices.Sort(took[:])
	second := took[places-2]
	e := event{kind: lookupEnds, a: int32(l.hops)}
	t := min(took[places-1], second+max(second, int64(minPatience)))
	e.x = int32(t / int64(time.Microsecond))
	switch {
	case fresh > 0:
		e.y = 3
	case stale > 0:
		e.y = 1
	}
	if name == l.target {
		e.y |= lookupTarget
		if w.sybilsAt() > 0 {
			e.y |= lookupSeen
		}
	}
	w.at(w.now+t, e)
}

// What a lookup ended with, in an event's y: beside bit 0, found, and bit 1, true.
const (
	lookupTarget = 4 << iota // it was of the name that Sybils gather around
	lookupSeen               // and one of them was asked
)

// sybilsAt is how many of the servers nearest to each place of a beset name are Sybils.
func (w *world) sybilsAt() int { return min(holders, w.s.Scenario.Adversary.Sybil.Count/places) }

func (w *world) onLookupEnds(e *event) {
	w.rec.Lookup(trace.Lookup{At: time.Duration(w.now), Took: time.Duration(e.x) * time.Microsecond, Hops: int(e.a),
		Found: e.y&1 != 0, True: e.y&2 != 0, Target: e.y&lookupTarget != 0, Seen: e.y&lookupSeen != 0})
}

// reading is what one place of a name answered.
type reading struct {
	took         int64
	fresh, stale int // servers that have the newest record, or an older one
}

// readPlace asks the servers of one place.
func (w *world) readPlace(user, name int32, place int) (r reading) {
	near := rand.NewPCG(w.s.Scenario.Seed, mix(uint64(name)*places+uint64(place)))
	sybils := 0
	if name == w.lookups.target {
		sybils = w.sybilsAt()
	}
	region := w.users[user].region
	slowest, waits := int64(0), [2]bool{}
	for i := range holders + lookupExtra {
		agent := int32(near.Uint64() % uint64(len(w.agents)))
		// Servers that Sybils have pushed away from the place still have its record, and
		// are met if they are among the next.
		holds := i < holders-sybils || i >= holders && i-holders < sybils
		if i >= holders-sybils && i < holders {
			continue // a Sybil, which answers that it has nothing
		}
		a := &w.agents[agent]
		w.carry(protoLookup, w.now, trace.UserMachine(user), agent, lookupAskBytes)
		switch {
		case !a.up: // refused
			continue
		case w.deafTo(user, agent), a.evil == script.Drop, a.evil == script.Delay && w.s.Scenario.Adversary.Hostile.Delay > scenario.Duration(lookupPatience):
			waits[min(i/holders, 1)] = true
			continue
		}
		w.carry(protoLookup, w.now, agent, trace.UserMachine(user), lookupAnswerBytes)
		if i < settledServers {
			slowest = max(slowest, w.trips(1, region, a.region))
		}
		switch {
		case !holds || a.evil == script.Forge:
		case a.evil == script.Stale:
			r.stale++
		default:
			r.fresh++
		}
	}
	if slowest == 0 {
		slowest = w.trips(1, region, region)
	}
	r.took = int64(w.lookups.trips) * slowest
	for _, silent := range waits {
		if silent {
			r.took += int64(lookupPatience)
		}
	}
	return r
}
