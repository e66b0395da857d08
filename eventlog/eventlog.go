package eventlog

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// eventLog is a Log over an engine. What only one goroutine touches is in writer
// and committer; here is what they share with callers.
type eventLog struct {
	opts        Options
	dir         string // empty for the memory engine
	pub         ed25519.PublicKey
	tagger      *tagger
	eng         engine
	heads       headStore
	projections []Projection
	byID        [128]Projection

	maintenance chan struct{} // holds a token while a Reclaim, Prune or Rebuild runs

	queue   chan *request // to the writer
	commits chan *batch   // writer to committer
	idle    chan error    // committer to writer: the batch is durable, or why not

	known   atomic.Pointer[filter] // keys stored before recent began
	recent  filter                 // keys used since; the writer's
	relearn chan struct{}          // has a token when known should be read again
	state   atomic.Pointer[State]
	newest  atomic.Pointer[Head]
	counts  atomic.Pointer[counters]
	kinds   atomic.Pointer[kindSet]
	eras    []Era         // set at opening
	flushed uint64        // set at opening: version up to which nothing is replayed
	begins  atomic.Uint64 // first sequence whose header is kept
	diskLow atomic.Bool
	failed  atomic.Pointer[error]
	stateMu sync.Mutex // orders changes of state; never held across I/O

	closing   chan struct{} // closed by Close
	stopped   chan struct{} // closed when the writer has answered everybody
	closeOnce sync.Once
	closeErr  error
	work      sync.WaitGroup // committer and background goroutines
}

// request is one append or decision, or work that needs the log to itself.
type request struct {
	ctx    context.Context
	events []prepared
	decide Decision
	alone  func() error
	done   chan struct{} // closed once the fields below hold
	// Set by the writer or the committer before done is closed.
	appended []placed
	err      error
	panicked any

	// Space for the most frequent request, an append of one event.
	event [1]prepared
	place [1]placed
}

// placed is where an event of a request ended up.
type placed struct {
	seq       uint64
	duplicate bool
	batch     *batch // nil if it was committed before this request was queued
}

func (r *request) finish(err error) {
	r.err = err
	close(r.done)
}

func newEventLog(o Options, dir string, eng engine, heads headStore) *eventLog {
	queue := queueLength
	if dir == "" {
		queue = memoryQueue
	}
	l := &eventLog{
		opts: o, dir: dir, eng: eng, heads: heads, projections: o.Projections,
		pub: o.Signer.Public().(ed25519.PublicKey), tagger: newTagger(tagsKey(o.Signer)),
		queue: make(chan *request, queue), commits: make(chan *batch, 1), idle: make(chan error, 1),
		relearn: make(chan struct{}, 1), maintenance: make(chan struct{}, 1),
		closing: make(chan struct{}), stopped: make(chan struct{}), flushed: allFlushed,
	}
	for _, p := range o.Projections {
		l.byID[p.ID()] = p
	}
	l.state.Store(&State{})
	l.newest.Store(&Head{})
	l.known.Store(new(filter))
	l.counts.Store(&counters{})
	l.kinds.Store(new(kindSet))
	return l
}

func (l *eventLog) projection(id byte) Projection {
	if id > 127 {
		return nil
	}
	return l.byID[id]
}

func (l *eventLog) Append(ctx context.Context, events ...Event) ([]Appended, error) {
	if len(events) > MaxEvents {
		return nil, fmt.Errorf("%w: %d events at once", ErrTooLarge, len(events))
	}
	r := &request{ctx: ctx, done: make(chan struct{})}
	if r.events = r.event[:]; len(events) != 1 {
		r.events = make([]prepared, len(events))
	}
	for i := range events {
		var err error
		if r.events[i], err = l.prepare(&events[i]); err != nil {
			return nil, err
		}
	}
	return l.submit(r)
}

func (l *eventLog) Decide(ctx context.Context, d Decision) ([]Appended, error) {
	return l.submit(&request{ctx: ctx, decide: d, done: make(chan struct{})})
}

// exclusively runs fn on the writer with nothing queued before it uncommitted and
// no snapshot of the writer's open.
func (l *eventLog) exclusively(ctx context.Context, fn func() error) error {
	_, err := l.submit(&request{ctx: ctx, alone: fn, done: make(chan struct{})})
	return err
}

// maintain waits until no other Reclaim, Prune or Rebuild runs; maintained lets the
// next one begin.
func (l *eventLog) maintain(ctx context.Context) error {
	select {
	case l.maintenance <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.closing:
		return ErrClosed
	}
}

func (l *eventLog) maintained() { <-l.maintenance }

// openContext has ended when the log closes as well.
type openContext struct {
	context.Context
	closing <-chan struct{}
}

func (c openContext) Err() error {
	select {
	case <-c.closing:
		return ErrClosed
	default:
		return c.Context.Err()
	}
}

// submit queues the request and waits for its answer.
func (l *eventLog) submit(r *request) ([]Appended, error) {
	select {
	case <-l.closing:
		return nil, ErrClosed
	default:
	}
	select {
	case l.queue <- r:
	case <-r.ctx.Done():
		return nil, r.ctx.Err()
	case <-l.closing:
		return nil, ErrClosed
	}
	select {
	case <-r.done:
	case <-r.ctx.Done():
		return nil, r.ctx.Err()
	case <-l.stopped:
		select {
		case <-r.done:
		default:
			return nil, ErrClosed // queued as the log closed
		}
	}
	if r.panicked != nil {
		panic(r.panicked)
	}
	if r.err != nil {
		return nil, r.err
	}
	return r.result(), nil
}

// result makes the proofs, on the goroutine of the caller that wants them.
func (r *request) result() []Appended {
	out := make([]Appended, len(r.appended))
	for i, p := range r.appended {
		out[i] = Appended{Seq: p.seq, Duplicate: p.duplicate}
		if e := p.batch.event(p.seq); e != nil {
			out[i].Proof = p.batch.prove(e)
		}
	}
	return out
}

func (b *batch) prove(e *stagedEvent) *Proof {
	p := &Proof{
		LogID: b.head.LogID, Number: b.head.Number, First: b.head.First, Count: b.head.Count,
		Prev: b.head.Prev, Signature: b.head.Signature,
		Path: b.tree.Path(int(e.seq - b.head.First)), Record: e.encoded,
	}
	if e.bodyRow != nil {
		p.Salt = append([]byte(nil), e.bodyRow[9:bodyOffset]...)
	}
	return p
}

func (l *eventLog) Head() Head { return *l.newest.Load() }

func (l *eventLog) State() State { return *l.state.Load() }

// degrade moves to a worse condition; the worst one reached stays, except that low
// space passes.
func (l *eventLog) degrade(h Health, reason string) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if now := l.state.Load(); h > now.Health {
		l.state.Store(&State{Health: h, Reason: reason})
	}
}

// setDiskLow enters or leaves the condition of low space.
func (l *eventLog) setDiskLow(low bool, reason string) {
	l.diskLow.Store(low)
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	switch now := l.state.Load(); {
	case low && now.Health == Healthy:
		l.state.Store(&State{Health: DiskLow, Reason: reason})
	case !low && now.Health == DiskLow:
		l.state.Store(&State{})
	}
}

// fail is what a failed commit leads to.
func (l *eventLog) fail(err error) error {
	err = fmt.Errorf("%w: %w", ErrFailed, err)
	if l.failed.CompareAndSwap(nil, &err) {
		l.degrade(Failed, err.Error())
		l.opts.Logger.Error("the event log failed and the process must end", "error", err)
		l.opts.OnFail(err)
	}
	return *l.failed.Load()
}

// refusal is why the log takes no appends, or nil.
func (l *eventLog) refusal() error {
	if f := l.failed.Load(); f != nil {
		return *f
	}
	if s := l.state.Load(); s.Health == ReadOnly {
		return fmt.Errorf("%w: %s", ErrReadOnly, s.Reason)
	}
	return nil
}

func (l *eventLog) Close() error {
	l.closeOnce.Do(func() {
		close(l.closing)
		<-l.stopped
		l.work.Wait()
		l.closeErr = l.shut()
	})
	return l.closeErr
}

// grain rounds an event's time and keeps it from running backwards.
func grain(now, last time.Time) time.Time {
	now = now.UTC().Truncate(TimeGrain)
	if now.Before(last) {
		return last
	}
	return now
}
