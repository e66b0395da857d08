package model

import (
	"math"
	"slices"
	"time"

	"communicator/simulations/trace"
	"communicator/wire"
)

// protocol is what bytes are counted under.
type protocol uint8

const (
	protoDial protocol = iota
	protoSubmit
	protoDeliver
	protoMailbox
	protoLookup
	protocols
)

var protocolNames = [protocols]string{"dial", wire.ProtocolSubmit, wire.ProtocolDeliver, wire.ProtocolMailbox, "lookup"}

// link is a connection between two agents.
type link struct {
	used     int64
	lives    uint64 // of both, when it was opened
	streamed bool   // a stream is open on which there was an answer
}

func linkKey(a, b int32) uint64 {
	if a > b {
		a, b = b, a
	}
	return uint64(a)<<32 | uint64(b)
}

// leg draws how long bytes take one way between two regions, lost packets included.
func (w *world) leg(from, to uint8) int64 {
	d := w.s.Network.OneWay(from, to)
	if w.slow != 1 {
		d = time.Duration(float64(d) * w.slow)
	}
	t := int64(d + w.s.Network.Jitter(w.air, d))
	if w.loss > 0 {
		t += w.retransmits()
	}
	return t
}

// retransmits draws what lost packets add, as TCP has it.
func (w *world) retransmits() (t int64) {
	again := int64(firstRetransmit)
	for range maxRetransmits {
		if w.air.Float64() >= w.loss {
			break
		}
		t += again
		again *= 2
	}
	return t
}

// trips draws how long a number of round trips takes.
func (w *world) trips(n int, from, to uint8) (t int64) {
	for range n {
		t += w.leg(from, to) + w.leg(to, from)
	}
	return t
}

// carry counts what a stream carries, and shows the observer the frames that it is in.
func (w *world) carry(p protocol, at int64, from, to int32, size int) {
	w.count.bytes[p] += int64(size)
	w.show(at, from, to, size+frameBytes*((size+maxSegment-1)/maxSegment))
}

// show shows frames to the observer when they leave.
func (w *world) show(at int64, from, to int32, size int) {
	if !w.frames {
		return
	}
	if at > w.now {
		w.at(at, event{kind: frameSent, a: from, b: to, x: int32(size)})
		return
	}
	w.rec.Frame(trace.Frame{At: time.Duration(w.now), From: from, To: to, Size: int32(size)})
}

// dial counts what opening a connection carries: more is what follows the handshake.
func (w *world) dial(from, to int32, more int) {
	w.count.bytes[protoDial] += 4 * flightBytes
	w.show(w.now, from, to, 2*flightBytes+more)
	w.show(w.now, to, from, 2*flightBytes+more)
}

// stream shows what opening a stream carries.
func (w *world) stream(at int64, from, to int32) {
	w.show(at, from, to, streamBytes)
	w.show(at, to, from, streamBytes)
}

// apart says whether a partition separates a user from an agent.
func (w *world) apart(u, a int32) bool { return w.users[u].group != w.agents[a].group }

// deaf says whether what is sent to an agent has to wait: it hangs, or a partition is
// between.
func (w *world) deafTo(u, a int32) bool { return w.agents[a].frozen || w.apart(u, a) }

// connect makes sure of a connection between two agents and returns how long that takes.
func (w *world) connect(from, to int32) (setup int64) {
	key := linkKey(from, to)
	l, known := w.links[key]
	a, b := &w.agents[from], &w.agents[to]
	lives := uint64(a.life)<<32 | uint64(b.life)
	if from > to {
		lives = uint64(b.life)<<32 | uint64(a.life)
	}
	if known && l.lives == lives && l.used > max(a.trimmed, b.trimmed) && !w.broken(l.used, from, to) {
		if !l.streamed || w.now-l.used > int64(idleClose) {
			l.streamed = false
			w.stream(w.now, from, to)
		}
		l.used = w.now
		w.links[key] = l
		return 0
	}
	if !known {
		w.linked(a)
		w.linked(b)
	}
	w.links[key] = link{used: w.now, lives: lives}
	if w.neighbours(key, lives, a, b) {
		w.stream(w.now, from, to)
		return 0
	}
	w.dial(from, to, identifyBytes)
	setup = w.trips(dialTrips+identifyTrips, a.region, b.region)
	w.stream(w.now+setup, from, to)
	return setup
}

// neighbours says whether two agents are connected by the overlay, as those are of which one
// is in the other's routing table.
func (w *world) neighbours(key, lives uint64, a, b *agent) bool {
	settled := w.now - int64(tableAfter)
	if a.cutTo > 0 && a.cutTo > settled || b.cutTo > 0 && b.cutTo > settled {
		return false // it has just come back
	}
	return float64(mix(key^mix(lives)^w.s.Scenario.Seed)>>11)/(1<<53) < w.overlay
}

// inTables is the share of pairs of n agents of which one has the other in its routing
// table: buckets of holders peers, and two directions.
func inTables(n int) float64 {
	peers := holders * (1 + math.Log2(max(1, float64(n)/holders)))
	return min(1, 2*peers/float64(n))
}

// linked counts a connection of an agent, which closes the oldest when it has too many.
func (w *world) linked(a *agent) {
	if a.linkCount++; a.linkCount > trimHigh {
		a.linkCount = trimLow
		a.trimmed = w.now - int64(trimGrace)
	}
	if len(w.links) > maxLinks {
		w.sweep()
	}
}

// sweep forgets connections that have been idle for long. Which ones does not depend on
// the order of the map.
func (w *world) sweep() {
	old := w.now - int64(10*time.Minute)
	for key, l := range w.links {
		if l.used < old {
			delete(w.links, key)
			a, b := &w.agents[int32(key>>32)], &w.agents[int32(key&0xffffffff)]
			a.linkCount, b.linkCount = max(0, a.linkCount-1), max(0, b.linkCount-1)
		}
	}
}

// broken says whether a connection that was last used at a time has died of silence since.
func (w *world) broken(used int64, from, to int32) bool {
	for _, i := range [2]int32{from, to} {
		a := &w.agents[i]
		end := a.cutTo
		if end == 0 {
			end = w.now
		}
		if a.cutFrom > 0 && end > used && end-a.cutFrom > int64(breakAfter) {
			return true
		}
	}
	return false
}

// answered notes that an agent answered on the connection.
func (w *world) answered(from, to int32) {
	key := linkKey(from, to)
	if l, ok := w.links[key]; ok {
		l.used, l.streamed = w.now, true
		w.links[key] = l
	}
}

// answers says whether a stream to an agent is open on which it answered.
func (w *world) answers(from, to int32) bool {
	l, ok := w.links[linkKey(from, to)]
	return ok && l.streamed && w.now-l.used <= int64(idleClose)
}

// keep holds an event back until its ends can hear each other.
func (w *world) keep(e event) { w.held = append(w.held, e) }

// retry puts what was held back on its way again. What still has to wait is held again
// when it comes.
func (w *world) retry() {
	w.held, w.heldOut = w.heldOut[:0], w.held
	for _, e := range w.heldOut {
		w.at(w.now+int64(w.heldTrip(&e)), e)
	}
}

// heldTrip is how long what was held takes once it can go.
func (w *world) heldTrip(e *event) int64 {
	switch e.kind {
	case putArrives, putAnswered:
		return w.leg(w.agents[e.a].region, w.agents[e.b].region)
	case submitArrives, pollArrives, receiptArrives, outcomeArrives:
		return w.leg(w.agents[e.a].region, w.users[e.b].region)
	}
	return 0
}

// member says whether a partition has a user's or an agent's region.
func (c *cut) member(region uint8) bool { return slices.Contains(c.regions, region) }

func (w *world) sizeOf(text int32) int32 {
	return payloadSize(text, w.s.Scenario.Privacy.Padding != "none")
}
