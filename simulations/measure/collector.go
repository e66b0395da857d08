package measure

import (
	"time"

	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// Collector is a trace.Recorder that measures a run. It is not safe for concurrent use.
type Collector struct {
	script   *script.Script
	now      time.Duration
	hash     hasher
	messages messages
	devices  devices
	time     timeline
	agents   []agent
	loads    loads
	counts   counts

	latency, latencyAny Histogram // µs
	accept, stored      Histogram // µs
	lookup, hops        Histogram // µs; peers
	join, start         Histogram // ms
	bytes               map[string]int64
	up                  int           // agents
	upSince             time.Duration // since when up is what it is
	upSum               time.Duration
	healed, drained     time.Duration // when the last fault ended, and its messages had arrived
	heals, hasDrained   bool
	undrained           int64 // messages sent before healed whose way has not ended
	founds, trues       int64
}

// counts are of the whole run.
type counts struct {
	sent, accepted, puts, refused, received, repeated, expired, failed int64
	rotated, joined, stray                                             int64
}

// New measures runs of a script.
func New(s *script.Script) *Collector {
	c := &Collector{script: s, hash: newHasher(), devices: newDevices(s), time: newTimeline(s.End()),
		agents: newAgents(s), loads: newLoads(len(s.Agents)), bytes: map[string]int64{}, up: len(s.Agents)}
	c.healed, c.heals = healed(s)
	return c
}

// Frames says that frames are not wanted.
func (c *Collector) Frames() bool { return false }

// Frame ignores what passes on the wire.
func (c *Collector) Frame(trace.Frame) {}

// Bytes adds what a protocol carried.
func (c *Collector) Bytes(protocol string, n int64) { c.bytes[protocol] += n }

// Event counts what happened.
func (c *Collector) Event(e trace.Event) {
	c.hash.event(&e)
	c.now = max(c.now, e.At)
	switch e.Kind {
	case trace.Down, trace.Up, trace.Joined:
		c.agentEvent(&e)
	case trace.Rotated:
		c.counts.rotated++
		c.time.at(e.At).row.Rotated++
	case trace.Collected:
		if a := c.agent(e.Other); a != nil {
			a.row.CollectedBytes += int64(e.Size)
		}
	case trace.Sent:
		c.sent(&e)
	default:
		m := c.messages.at(e.Message)
		if m == nil {
			c.counts.stray++
			return
		}
		c.messageEvent(&e, m)
	}
}

func (c *Collector) sent(e *trace.Event) {
	if !c.messages.send(e.Message, e.At) {
		c.counts.stray++
		return
	}
	c.counts.sent++
	c.time.at(e.At).row.Sent++
	if c.heals && e.At <= c.healed {
		c.undrained++
	}
}

// messageEvent counts what happened to a message.
func (c *Collector) messageEvent(e *trace.Event, m *message) {
	row, took := &c.time.at(e.At).row, int64((e.At-m.sent())/time.Microsecond)
	was := m.closed()
	switch e.Kind {
	case trace.Accepted:
		if a := c.agent(e.Agent); a != nil {
			a.row.Accepted++
		}
		if *m&accepted == 0 {
			*m |= accepted
			c.counts.accepted++
			row.Accepted++
			c.accept.Add(took)
		}
	case trace.Put:
		c.put(e, m, row)
	case trace.Refused:
		c.counts.refused++
		row.Refused++
		if a := c.agent(e.Agent); a != nil {
			a.row.Refused++
		}
	case trace.Stored:
		row.Stored++
		if a := c.agent(e.Other); a != nil {
			a.row.Stored++
		}
		if *m&stored == 0 {
			*m |= stored
			c.stored.Add(took)
		}
	case trace.Received:
		c.received(e, m, took)
	case trace.Repeated:
		c.repeated(e)
	case trace.Expired:
		if *m&expired == 0 {
			*m |= expired
			c.counts.expired++
			row.Expired++
		}
	case trace.Failed:
		if *m&failed == 0 {
			*m |= failed
			c.counts.failed++
			row.Failed++
		}
	}
	if !was && m.closed() && c.heals && m.sent() <= c.healed {
		c.undrained--
	}
	c.drain(e.At)
}

func (c *Collector) put(e *trace.Event, m *message, row *MinuteRow) {
	c.counts.puts++
	row.Puts++
	if m.attempts() < maxAttempts {
		*m += 1 << attemptsShift
	}
	if a := c.agent(e.Agent); a != nil {
		a.row.Puts++
	}
	if a := c.agent(e.Other); a != nil {
		a.row.Offered++
	}
}

func (c *Collector) received(e *trace.Event, m *message, took int64) {
	if *m&received != 0 {
		c.repeated(e)
		return
	}
	*m |= received
	c.counts.received++
	c.time.at(e.At).row.Received++
	c.time.at(m.sent()).row.Arrived++
	if a := c.agent(e.Other); a != nil {
		a.row.Collected++
	}
	c.latencyAny.Add(took)
	c.devices.advance(e.At)
	if c.devices.on(e.User, m.sent()) && c.devices.on(e.Peer, m.sent()) {
		c.latency.Add(took)
		c.time.at(m.sent()).latency.Add(took)
	}
}

func (c *Collector) repeated(e *trace.Event) {
	c.counts.repeated++
	c.time.at(e.At).row.Repeated++
}

// drain notes when the messages from before the last fault's end have all arrived.
func (c *Collector) drain(now time.Duration) {
	if c.heals && now >= c.healed && c.undrained == 0 && !c.hasDrained {
		c.hasDrained, c.drained = true, now
	}
}

// Lookup counts a lookup.
func (c *Collector) Lookup(l trace.Lookup) {
	c.hash.lookup(&l)
	c.now = max(c.now, l.At)
	row := &c.time.at(l.At).row
	row.Lookups++
	c.lookup.Add(int64(l.Took / time.Microsecond))
	if l.Hops > 0 {
		c.hops.Add(int64(l.Hops))
	}
	if l.Found {
		row.LookupsFound++
		c.founds++
	}
	if l.True {
		c.trues++
	}
}
