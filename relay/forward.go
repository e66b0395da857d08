package relay

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"
	"unique"

	"communicator/eventlog"
	"communicator/relay/queue"
	"communicator/wire"
)

// entry is what the service keeps of a queued submission beside the queue's own
// state. It never changes.
type entry struct {
	id       queue.ID // the sequence of its Submitted
	handle   wire.HandleHash
	account  wire.AccountID
	size     uint32 // bytes of its body
	notAfter hour
}

// event is what happened since the forwarder's last step.
type event struct {
	in  queue.Input
	add *entry // with queue.Add
}

// forwarder carries out what the queue decides. One goroutine, in run, owns the
// queue and the entries; everyone else posts events.
type forwarder struct {
	s      *Service
	posted chan struct{} // capacity 1: events is not empty

	mu     sync.Mutex
	events []event    // guarded by mu
	counts queue.Stat // guarded by mu: as of the last step

	// Owned by run.
	queue    *queue.Queue
	entries  map[queue.ID]*entry
	random   *rand.Rand
	effects  queue.Effects
	attempts sync.WaitGroup
	trusted  time.Time // the last time that the clock was believed
}

func newForwarder(s *Service) *forwarder {
	return &forwarder{
		s: s, posted: make(chan struct{}, 1),
		queue: queue.New(s.limits.Queue), entries: make(map[queue.ID]*entry),
	}
}

// add queues an accepted submission.
func (f *forwarder) add(e *entry, uri string, jitter time.Duration) {
	in := addInput(e, uri, jitter)
	in.Answers = f.s.links.answers(uri)
	f.post(event{in, e})
}

func addInput(e *entry, uri string, jitter time.Duration) queue.Input {
	return queue.Input{
		Kind: queue.Add, ID: e.id, Account: e.account, Jitter: jitter, NotAfter: e.notAfter.time(),
		Destination: unique.Make(uri).Value(), // thousands may share one
	}
}

func (f *forwarder) post(e event) {
	f.mu.Lock()
	f.events = append(f.events, e)
	f.mu.Unlock()
	select {
	case f.posted <- struct{}{}:
	default:
	}
}

func (f *forwarder) stat() queue.Stat {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts
}

// run reads the queue from the log, then steps until ctx ends, and joins the
// attempts.
func (f *forwarder) run(ctx context.Context) error {
	defer f.attempts.Wait()
	var seed [32]byte
	if _, err := io.ReadFull(f.s.cfg.Rand, seed[:]); err != nil {
		return err
	}
	f.random = rand.New(rand.NewChaCha8(seed))
	f.trusted = f.s.now()
	if err := f.load(ctx); err != nil {
		return err
	}
	close(f.s.loaded)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var spare []event
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.posted:
		case <-timer.C:
		}
		f.mu.Lock()
		events := f.events
		f.events = spare[:0]
		f.mu.Unlock()
		timer.Reset(f.steps(ctx, events))
		clear(events)
		spare = events
	}
}

// steps folds what happened, carries out the effects and returns how long to sleep.
func (f *forwarder) steps(ctx context.Context, events []event) time.Duration {
	now := f.now()
	for _, e := range events {
		f.step(ctx, now, e)
	}
	f.step(ctx, now, event{in: queue.Input{Kind: queue.Tick}})
	f.mu.Lock()
	f.counts = f.queue.Stat()
	f.mu.Unlock()
	if f.effects.Wake.IsZero() {
		return tickMax
	}
	return min(tickMax, max(0, f.effects.Wake.Sub(now)))
}

// now stands still while the clock is in doubt: then nothing expires.
func (f *forwarder) now() time.Time {
	if f.s.clockOK() {
		f.trusted = f.s.now()
	}
	return f.trusted
}

func (f *forwarder) step(ctx context.Context, now time.Time, e event) {
	switch e.in.Kind {
	case queue.Add:
		f.entries[e.in.ID] = e.add
	case queue.Settled:
		delete(f.entries, e.in.ID)
	}
	e.in.Random = f.random.Float64()
	f.effects.Reset()
	f.queue.Step(now, e.in, &f.effects)
	for _, send := range f.effects.Send {
		entry := f.entries[send.ID]
		f.attempts.Go(func() { f.attempt(ctx, entry, send) })
	}
	for _, id := range f.effects.Abandon {
		f.s.bodies.take(id)
		f.s.keeper.abandon(f.entries[id])
		delete(f.entries, id)
	}
}

// load makes the queue from the rows, a chunk at a time so that no view of the log
// is held while sends begin.
func (f *forwarder) load(ctx context.Context) error {
	return f.s.scan(ctx, func(h wire.HandleHash, r row) {
		if r.state != stateQueued {
			f.s.quota.outcome(1)
			return
		}
		e := &entry{queue.ID(r.seq), h, r.account, r.size, r.notAfter}
		f.s.quota.load(e.account, int(e.size))
		jitter := time.Duration(r.jitterMS) * time.Millisecond
		f.step(ctx, f.now(), event{addInput(e, r.uri, jitter), e})
	})
}

// scan visits every row, outside any view.
func (s *Service) scan(ctx context.Context, visit func(wire.HandleHash, row)) error {
	var start []byte
	for {
		hashes, rows, err := s.chunk(start)
		if err != nil {
			return err
		}
		for i := range rows {
			visit(hashes[i], rows[i])
		}
		if len(rows) < scanChunk {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		start = append(hashes[len(hashes)-1][:], 0) // the next possible key
	}
}

func (s *Service) chunk(start []byte) (hashes []wire.HandleHash, rows []row, err error) {
	err = s.cfg.Log.View(func(t eventlog.Tables) error {
		var damaged error
		err := t.Table(wire.TableRelay).Scan(nil, start, func(key, value []byte) bool {
			r, err := parseRow(value)
			if err != nil || len(key) != len(wire.HandleHash{}) {
				damaged = errors.Join(wire.ErrMalformed, err)
				return false
			}
			hashes, rows = append(hashes, wire.HandleHash(key)), append(rows, r)
			return len(rows) < scanChunk
		})
		return errors.Join(err, damaged)
	})
	return hashes, rows, err
}
