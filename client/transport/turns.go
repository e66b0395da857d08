package transport

import (
	"slices"
	"time"

	"communicator/wire"
)

// Who gets a connection where more are wanted than may be open, at one agent or in all:
//
//	1  work: sending, collecting, upkeep
//	2  watchers of relationships that are active, and were so later than one that is watched
//	3  watchers that are due: they have waited for as long as they said
//	4  other watchers
//
// and among those of one kind who came first. A free slot goes to the next of them, and so
// does that of an idle connection, which is closed. If there is neither, a watcher is asked
// to yield: by work, any; by an active relationship, one that was active longer ago; by
// who is due, any. It is always the one that was active longest ago, once it has settled:
// has got what lay there. Its slot is for who has asked. So conversations that go on keep
// their watch, and the last slot goes round among the others.

// waiter is a caller in the queue.
type waiter struct {
	key     Key
	patient bool
	due     bool
	asked   *Lease // who was asked to yield for it
}

// tightly is how many connections an agent takes from us, until it is tried again.
type tightly struct {
	limit int
	until time.Time
}

// rank is the kind of a waiter, the first the highest. The caller holds p.mu.
func (p *Pool) rank(w *waiter) int {
	switch {
	case !w.patient, w.asked != nil: // or somebody has yielded to it
		return 3
	case p.outdoes(w, p.leastActive(w, false)):
		return 2
	case w.due:
		return 1
	}
	return 0
}

// outdoes says whether w is active, and was so later than who holds a connection. The
// caller holds p.mu.
func (p *Pool) outdoes(w *waiter, c *conn) bool {
	mine, active := p.opts.Active(w.key)
	if !active || c == nil {
		return false
	}
	theirs, _ := p.opts.Active(c.key)
	return theirs.Before(mine)
}

// preceded says whether somebody in the queue who wants the same comes before w. The
// caller holds p.mu.
func (p *Pool) preceded(w *waiter) bool {
	mine, earlier := p.rank(w), true
	for _, other := range p.queue {
		if other == w {
			earlier = false
			continue
		}
		if !p.compete(other, w) {
			continue
		}
		if rank := p.rank(other); rank > mine || rank == mine && earlier {
			return true
		}
	}
	return false
}

// compete says whether a slot for the one is missing to the other. The caller holds p.mu.
func (p *Pool) compete(other, w *waiter) bool {
	if other.key.Agent == w.key.Agent {
		return true
	}
	return len(p.conns) >= p.opts.MaxOpen && p.at(other.key.Agent) < p.limit(other.key.Agent)
}

// at is how many connections there are at an agent. The caller holds p.mu.
func (p *Pool) at(agent wire.AgentID) (n int) {
	for key := range p.conns {
		if key.Agent == agent {
			n++
		}
	}
	return n
}

// limit is how many there may be. The caller holds p.mu.
func (p *Pool) limit(agent wire.AgentID) int {
	if t, ok := p.tight[agent]; ok {
		if p.opts.Now().Before(t.until) {
			return min(t.limit, p.opts.MaxPerAgent)
		}
		delete(p.tight, agent)
	}
	return p.opts.MaxPerAgent
}

// brokenOff notes that an agent hangs up on a further connection while others are open:
// it takes only so many from one network, which others share with us.
func (p *Pool) brokenOff(agent wire.AgentID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.at(agent); n > 1 {
		p.tight[agent] = tightly{n - 1, p.opts.Now().Add(tightFor)}
	}
}

// room says whether one more may be opened at an agent. The caller holds p.mu.
func (p *Pool) room(agent wire.AgentID) bool {
	return len(p.conns) < p.opts.MaxOpen && p.at(agent) < p.limit(agent)
}

// useful says whether closing a connection makes room for w. The caller holds p.mu.
func (p *Pool) useful(c *conn, w *waiter) bool {
	return c.key.Agent == w.key.Agent || p.at(w.key.Agent) < p.limit(w.key.Agent)
}

// leastIdle finds, of the connections without leases that make room for w, the one used
// least recently. The caller holds p.mu.
func (p *Pool) leastIdle(w *waiter) *conn {
	var found *conn
	for _, c := range p.conns {
		if len(c.leases) == 0 && p.useful(c, w) && (found == nil || c.turn < found.turn) {
			found = c
		}
	}
	return found
}

// enter puts a caller into the queue, if it is not there. The caller holds p.mu.
func (p *Pool) enter(w *waiter) {
	if !slices.Contains(p.queue, w) {
		p.queue = append(p.queue, w)
	}
}

// leave takes a caller out of the queue, if it is there, and lets the others look. The
// caller holds p.mu.
func (p *Pool) leave(w *waiter) {
	if i := slices.Index(p.queue, w); i >= 0 {
		p.queue = slices.Delete(p.queue, i, i+1)
		p.signal()
	}
}

// press asks a watcher to yield to w, unless one has been asked that has not done so yet.
// The caller holds p.mu.
func (p *Pool) press(w *waiter) {
	if w.asked != nil {
		if _, holds := w.asked.conn.leases[w.asked]; holds {
			return
		}
	}
	found := p.leastActive(w, false)
	if found != nil && !found.patient(true) {
		if w.patient {
			return // it is about to settle
		}
		if settled := p.leastActive(w, true); settled != nil {
			found = settled
		}
	}
	if found == nil || w.patient && !w.due && !p.outdoes(w, found) {
		return
	}
	for l := range found.leases {
		l.asked, w.asked = true, l
		close(l.yield)
	}
}

// leastActive finds, of the watchers whose connection makes room for w, the one whose
// relationship was active longest ago, and of several the one that holds it for longest.
// With settled it passes over those that have not got what they came for. The caller holds
// p.mu.
func (p *Pool) leastActive(w *waiter, settled bool) *conn {
	var found *conn
	var since time.Time
	for _, c := range p.conns {
		if !c.patient(settled) || !p.useful(c, w) {
			continue
		}
		last, _ := p.opts.Active(c.key)
		if found == nil || last.Before(since) || last.Equal(since) && c.turn < found.turn {
			found, since = c, last
		}
	}
	return found
}

// Reconsider lets those who wait look again: a relationship has become active.
func (p *Pool) Reconsider() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signal()
}

// Settle says that a watcher has got what lay there, so that it may be asked to yield to
// another.
func (l *Lease) Settle() {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	if !l.settled {
		l.settled = true
		l.pool.signal()
	}
}
