package measure

import (
	"time"

	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// agent is one agent's row, and whether it is up.
type agent struct {
	row   AgentRow
	down  bool
	since time.Duration // when it went up or down
}

func newAgents(s *script.Script) []agent {
	out := make([]agent, len(s.Agents))
	for i, a := range s.Agents {
		out[i].row = AgentRow{Agent: int32(i), Region: s.Network.Regions[a.Region], Operator: a.Operator,
			Stable: a.Stable, Colludes: a.Colludes, Hostile: a.Hostile != script.Honest}
	}
	return out
}

// agent is the one of a number; nil if there is none.
func (c *Collector) agent(i int32) *agent {
	if i < 0 || int(i) >= len(c.agents) {
		return nil
	}
	return &c.agents[i]
}

// agentEvent follows who is up.
func (c *Collector) agentEvent(e *trace.Event) {
	a := c.agent(e.Agent)
	if a == nil {
		c.counts.stray++
		return
	}
	switch {
	case e.Kind == trace.Joined:
		c.counts.joined++
		c.join.Add(int64(e.Took / time.Millisecond))
	case e.Kind == trace.Down && !a.down:
		a.row.Downs++
		a.row.UpS += (e.At - a.since).Seconds()
		a.down, a.since = true, e.At
		c.ups(e.At, -1)
	case e.Kind == trace.Up && a.down:
		c.start.Add(int64(e.Took / time.Millisecond))
		a.down, a.since = false, e.At
		c.ups(e.At, 1)
	}
}

// ups changes how many agents are up.
func (c *Collector) ups(now time.Duration, by int) {
	c.time.spread(c.upSince, now, c.up)
	c.upSum += (now - c.upSince) * time.Duration(c.up)
	c.up += by
	c.upSince = now
}

// loads keeps every agent's last load, and their sums.
type loads struct {
	last           []trace.Load
	at             time.Duration // of the newest
	queued, held   int64
	bytes          int64
	queuedMax      int64
	queuedAgentMax int64
	storedAgentMax int64
	heard          bool
}

func newLoads(agents int) loads { return loads{last: make([]trace.Load, agents)} }

// Load notes an agent's load. Sums over agents are read when time has moved on, so that a
// round of loads counts as one.
func (c *Collector) Load(l trace.Load) {
	c.hash.load(&l)
	c.now = max(c.now, l.At)
	a := c.agent(l.Agent)
	if a == nil {
		c.counts.stray++
		return
	}
	if l.At > c.loads.at {
		c.sumLoads()
	}
	was := &c.loads.last[l.Agent]
	c.loads.queued += int64(l.Queued - was.Queued)
	c.loads.held += int64(l.Held - was.Held)
	c.loads.bytes += l.Bytes - was.Bytes
	c.loads.at, c.loads.heard = l.At, true
	*was = l
	a.row.QueuedMax = max(a.row.QueuedMax, int64(l.Queued))
	a.row.HeldMax = max(a.row.HeldMax, int64(l.Held))
	a.row.BytesMax = max(a.row.BytesMax, l.Bytes)
	a.row.ConnsMax = max(a.row.ConnsMax, int64(l.Conns))
	a.row.Bytes, a.row.Events = l.Bytes, l.Events
	c.loads.queuedAgentMax = max(c.loads.queuedAgentMax, int64(l.Queued))
	c.loads.storedAgentMax = max(c.loads.storedAgentMax, l.Bytes)
	c.time.at(l.At).bytes.Add(l.Bytes)
}

// sumLoads ends a round of loads.
func (c *Collector) sumLoads() {
	if !c.loads.heard {
		return
	}
	row := &c.time.at(c.loads.at).row
	row.Queued = max(row.Queued, c.loads.queued)
	row.Held = max(row.Held, c.loads.held)
	row.StoredBytes = max(row.StoredBytes, c.loads.bytes)
	c.loads.queuedMax = max(c.loads.queuedMax, c.loads.queued)
}
