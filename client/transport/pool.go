package transport

import (
	"context"
	"crypto/rand"
	"io"
	"slices"
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
	// MaxOpen is how many connections are open at once; [DefaultMaxOpen] if zero.
	MaxOpen int
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
	queue  []*waiter     // callers of Take without a slot, in the order of their coming
	freed  chan struct{} // closed and replaced when one of them should look again
	turn   uint64        // counts leases, to find the one used least recently
	closed bool
}

// waiter is a caller of Take in the queue.
type waiter struct{ patient bool }

// NewPool makes a pool. Close ends it.
func NewPool(o Options) (*Pool, error) {
	if o.Host == nil {
		h, err := NewHost("")
		if err != nil {
			return nil, err
		}
		o.Host = h
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = DefaultMaxOpen
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Pool{opts: o, conns: map[Key]*conn{}, freed: make(chan struct{})}, nil
}

// Lease keeps a connection open for its holder, who must Release it.
type Lease struct {
	pool  *Pool
	conn  *conn
	once  sync.Once
	yield chan struct{} // closed when somebody needs the slot; nil if never asked
	asked bool          // guarded by pool.mu
}

// Take waits for a slot and leases the connection for key to the agent at target.
// patient says that the holder only waits for deliveries and will heed Yield. Slots go
// to those first who are not patient, otherwise in the order of coming.
func (p *Pool) Take(ctx context.Context, key Key, target Target, patient bool) (*Lease, error) {
	w := &waiter{patient}
	for {
		l, wait, evicted, err := p.tryTake(key, target, w)
		if evicted != nil {
			evicted.close()
		}
		if l != nil || err != nil {
			return l, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			p.mu.Lock()
			defer p.mu.Unlock()
			p.leave(w)
			return nil, context.Cause(ctx)
		}
	}
}

// tryTake leases at once, or puts the caller into the queue and returns what to wait for.
func (p *Pool) tryTake(key Key, target Target, w *waiter) (l *Lease, wait chan struct{}, evicted *conn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		p.leave(w)
		return nil, nil, nil, ErrClosed
	}
	c := p.conns[key]
	if c != nil && len(c.leases) == 0 && p.hasBefore(w) {
		// Its connection is open, but the slot is somebody else's turn.
		p.enter(w)
		return nil, p.freed, nil, nil
	}
	if c == nil {
		free := len(p.conns) < p.opts.MaxOpen
		if !free && !p.hasBefore(w) {
			evicted = p.leastIdle()
		}
		if !free && evicted == nil || p.hasBefore(w) {
			p.enter(w)
			return nil, p.freed, nil, nil
		}
		if evicted != nil {
			delete(p.conns, evicted.key)
		}
		c = newConn(p, key)
		p.conns[key] = c
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

// hasBefore says whether somebody in the queue comes before w. The caller holds p.mu.
func (p *Pool) hasBefore(w *waiter) bool {
	for i, other := range p.queue {
		if other == w {
			return w.patient && slices.ContainsFunc(p.queue[i:], func(o *waiter) bool { return !o.patient })
		}
		if w.patient || !other.patient {
			return true
		}
	}
	return false
}

// enter puts a caller into the queue, if it is not there. One that is not patient has a
// patient holder asked. The caller holds p.mu.
func (p *Pool) enter(w *waiter) {
	if slices.Contains(p.queue, w) {
		return
	}
	p.queue = append(p.queue, w)
	if !w.patient {
		p.askToYield()
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

// Crowded says whether somebody waits for a slot: a patient holder that has had its
// share of time then gives way.
func (p *Pool) Crowded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue) > 0
}

// leastIdle finds the connection without leases that was used least recently.
func (p *Pool) leastIdle() *conn {
	var found *conn
	for _, c := range p.conns {
		if len(c.leases) == 0 && (found == nil || c.turn < found.turn) {
			found = c
		}
	}
	return found
}

// askToYield asks the holders of the connection that has waited longest, of those that
// only wait and were not asked before.
func (p *Pool) askToYield() {
	var found *conn
	for _, c := range p.conns {
		if c.patient() && (found == nil || c.turn < found.turn) {
			found = c
		}
	}
	if found == nil {
		return
	}
	for l := range found.leases {
		l.asked = true
		close(l.yield)
	}
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
