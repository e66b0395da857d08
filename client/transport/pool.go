package transport

import (
	"context"
	"crypto/rand"
	"io"
	"sync"
	"time"

	"communicator/wire"
)

// Key names a connection: a relationship, by an id that never leaves this process, at
// an agent.
type Key struct {
	Relationship [16]byte
	Agent        wire.AgentID
}

// Options of a pool.
type Options struct {
	// Host makes hosts; NewHost("") if nil.
	Host HostFunc
	// MaxOpen is how many connections are open at once, and MaxPerAgent how many of them
	// at one agent; [DefaultMaxOpen] and [DefaultMaxPerAgent] if both are zero. Of MaxOpen
	// alone any number may be at one agent.
	MaxOpen, MaxPerAgent int
	// Active says when a relationship was last active at an agent, and whether it still is:
	// that decides who keeps a connection where there are too few. Never active if nil. It
	// must not call the pool.
	Active func(Key) (last time.Time, active bool)
	// Rand draws identities; crypto/rand if nil.
	Rand io.Reader
	// Now is the clock for proofs of work; time.Now if nil.
	Now func() time.Time
}

// Pool opens and keeps connections. Its methods may be called from many goroutines.
type Pool struct {
	opts   Options
	proofs proofs

	mu     sync.Mutex // guards what follows; never held across I/O
	conns  map[Key]*conn
	queue  []*waiter                // callers without a slot, in the order of their coming
	tight  map[wire.AgentID]tightly // agents that did not take as many connections as we may open
	freed  chan struct{}            // closed and replaced when those in the queue should look again
	turn   uint64                   // counts leases, to find the one used least recently
	closed bool
}

// NewPool makes a pool. Close ends it.
func NewPool(o Options) (*Pool, error) {
	if o.Host == nil {
		h, err := NewHost("")
		if err != nil {
			return nil, err
		}
		o.Host = h
	}
	if o.MaxOpen <= 0 && o.MaxPerAgent <= 0 {
		o.MaxOpen, o.MaxPerAgent = DefaultMaxOpen, DefaultMaxPerAgent
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = DefaultMaxOpen
	}
	if o.MaxPerAgent <= 0 {
		o.MaxPerAgent = o.MaxOpen
	}
	if o.Active == nil {
		o.Active = func(Key) (last time.Time, active bool) { return last, false }
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Pool{opts: o, conns: map[Key]*conn{}, tight: map[wire.AgentID]tightly{}, freed: make(chan struct{})}, nil
}

// Lease keeps a connection open for its holder, who must Release it.
type Lease struct {
	pool    *Pool
	conn    *conn
	once    sync.Once
	yield   chan struct{} // closed when somebody needs the slot; nil if never asked
	asked   bool          // guarded by pool.mu, as is
	settled bool          // a watcher has what it came for
}

// Take waits for a slot and leases the connection for key to the agent at target, for a
// piece of work.
func (p *Pool) Take(ctx context.Context, key Key, target Target) (*Lease, error) {
	return p.wait(ctx, &waiter{key: key}, target, 0)
}

// Watch is Take for a holder that only waits for deliveries and will heed [Lease.Yield].
// It waits for a slot that is free, or that a relationship holds which was active longer
// ago than this one, if this one is active now; after due it gets one in turn in any case.
func (p *Pool) Watch(ctx context.Context, key Key, target Target, due time.Duration) (*Lease, error) {
	return p.wait(ctx, &waiter{key: key, patient: true, due: due <= 0}, target, due)
}

func (p *Pool) wait(ctx context.Context, w *waiter, target Target, due time.Duration) (*Lease, error) {
	var ripe <-chan time.Time
	if due > 0 {
		timer := time.NewTimer(due)
		defer timer.Stop()
		ripe = timer.C
	}
	for {
		l, freed, evicted, err := p.tryTake(w, target)
		if evicted != nil {
			evicted.close()
		}
		if l != nil || err != nil {
			return l, err
		}
		select {
		case <-freed:
		case <-ripe:
			p.mu.Lock()
			w.due = true
			p.mu.Unlock()
		case <-ctx.Done():
			p.mu.Lock()
			defer p.mu.Unlock()
			p.leave(w)
			return nil, context.Cause(ctx)
		}
	}
}

// tryTake leases at once, or puts the caller into the queue and returns what to wait for.
func (p *Pool) tryTake(w *waiter, target Target) (l *Lease, freed chan struct{}, evicted *conn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		p.leave(w)
		return nil, nil, nil, ErrClosed
	}
	first := !p.preceded(w)
	c := p.conns[w.key]
	if c == nil && first {
		if !p.room(w.key.Agent) {
			if evicted = p.leastIdle(w); evicted != nil {
				delete(p.conns, evicted.key)
			}
		}
		if evicted != nil || p.room(w.key.Agent) {
			c = newConn(p, w.key)
			p.conns[w.key] = c
		}
	}
	// A connection that is open and idle may be somebody else's turn.
	if c == nil || len(c.leases) == 0 && !first {
		p.enter(w)
		if first || !w.patient {
			p.press(w)
		}
		return nil, p.freed, nil, nil
	}
	p.leave(w)
	p.turn++
	c.turn = p.turn
	c.setTarget(target)
	l = &Lease{pool: p, conn: c}
	if w.patient {
		l.yield = make(chan struct{})
	}
	c.leases[l] = struct{}{}
	return l, nil, evicted, nil
}

// Yield is closed when the slot is needed for something else. It is nil for a lease
// that is not patient.
func (l *Lease) Yield() <-chan struct{} { return l.yield }

// Release gives the lease back. The connection stays open until its slot is needed or
// CloseIdle is called.
func (l *Lease) Release() {
	l.once.Do(func() {
		p := l.pool
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(l.conn.leases, l)
		p.signal()
	})
}

// signal wakes everybody in the queue. The caller holds p.mu.
func (p *Pool) signal() {
	close(p.freed)
	p.freed = make(chan struct{})
}

// CloseIdle closes every connection that nobody has leased.
func (p *Pool) CloseIdle() {
	p.mu.Lock()
	var idle []*conn
	for key, c := range p.conns {
		if len(c.leases) == 0 {
			idle = append(idle, c)
			delete(p.conns, key)
		}
	}
	p.signal()
	p.mu.Unlock()
	closeAll(idle)
}

// Open is how many connections the pool holds.
func (p *Pool) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// Close ends every connection, those that are leased too.
func (p *Pool) Close() error {
	p.mu.Lock()
	var all []*conn
	for key, c := range p.conns {
		all = append(all, c)
		delete(p.conns, key)
	}
	p.closed = true
	p.signal()
	p.mu.Unlock()
	closeAll(all)
	return nil
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		c.close()
	}
}
