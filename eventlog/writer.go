package eventlog

import (
	"iter"
	"runtime"
	"time"

	"communicator/wire/logproof"
)

// writer is the one goroutine through which everything is appended. It stages
// requests in order into the pending batch while the batch before is being synced
// by the committer; each sees the rows of all before it.
type writer struct {
	l    *eventLog
	snap snapshot // the committed state, below inflight

	scratch *stage // of the request at hand
	spare   *batch // empty, in the space of one that has landed, or nil

	pending  *batch // being filled
	inflight *batch // at the committer, or nil

	// The end of the log as of the last staged event.
	logID    [32]byte
	nextSeq  uint64
	lastTime time.Time
	lastHash [32]byte
	// The end of the log as of the last sealed batch.
	head   Head
	tip    [32]byte // the hash of the last batch's head
	counts counters
	kinds  *kindSet
}

// run answers requests until the log closes, then what is still queued.
func (w *writer) run() {
	defer close(w.l.stopped)
	defer close(w.l.commits)
	for {
		select {
		case r := <-w.l.queue:
			w.handle(r)
			w.drain()
		case err := <-w.l.idle:
			w.landed(err)
			w.gather()
		case <-w.l.closing:
			w.drain()
			w.flush()
			w.release()
			return
		}
		if w.inflight == nil && len(w.pending.waiting) > 0 {
			w.dispatch()
		}
	}
}

// gather lets those who were just answered queue their next requests, so that they
// share the next sync with those who queued during the last one instead of taking
// turns with them. It gives way to goroutines that can run and never waits. Larger
// batches go at once: there, staging beside the sync gains more.
func (w *writer) gather() {
	for range maxYields {
		if len(w.pending.waiting) >= smallBatch {
			return
		}
		runtime.Gosched()
		if len(w.l.queue) == 0 {
			return
		}
		w.drain()
	}
}

// drain takes what is waiting now, so that it shares the next sync.
func (w *writer) drain() {
	for n := len(w.l.queue); n > 0; n-- {
		w.handle(<-w.l.queue)
	}
}

// handle stages one request, which is answered when its batch is durable, or
// refuses it.
func (w *writer) handle(r *request) {
	if err := r.ctx.Err(); err != nil {
		r.finish(err)
		return
	}
	if r.alone != nil {
		w.flush()
		w.release()
		err := r.alone()
		if again := w.acquire(); again != nil {
			err = w.l.fail(again)
		}
		r.finish(err)
		return
	}
	if err := w.l.refusal(); err != nil {
		r.finish(err)
		return
	}
	s, err := w.stage(r)
	if err != nil || r.panicked != nil {
		r.finish(err)
		return
	}
	if !w.pending.fits(s) {
		w.await()
		w.dispatch()
		if err := w.l.refusal(); err != nil {
			r.finish(err)
			return
		}
	}
	w.accept(r, s)
	w.l.opts.Hook("queued")
}

// accept makes a staged request part of the pending batch.
func (w *writer) accept(r *request, s *stage) {
	for i := range r.appended {
		if a := &r.appended[i]; a.seq >= w.nextSeq { // not one of an earlier request's
			a.batch = w.pending
		}
	}
	for i := range s.events {
		if e := &s.events[i]; e.key != (tag{}) {
			w.l.recent.add(e.key)
		}
	}
	w.pending.add(s)
	w.pending.waiting = append(w.pending.waiting, r)
	if n := len(s.events); n > 0 {
		if len(w.pending.events) == n {
			w.pending.before = w.lastHash
		}
		end := &s.events[n-1]
		w.nextSeq = end.seq + 1
		w.lastHash = end.hash
		w.lastTime = s.end
	}
	w.counts.bodies += s.bodies
	w.counts.bodyBytes += s.bodyBytes
}

// dispatch seals the pending batch and hands it to the committer, which is idle.
func (w *writer) dispatch() {
	b := w.pending
	w.pending = w.fresh()
	w.seal(b)
	w.inflight = b
	w.l.commits <- b
}

// seal computes the batch's tree and signs its head. A batch without events, which
// only answers refusals, writes a row that means nothing, so that refusing takes
// the time of a sync as well.
func (w *writer) seal(b *batch) {
	if len(b.events) == 0 {
		b.meta = append(b.meta, row{metaTick, make([]byte, inlineLimit)})
		b.head, b.counts = w.head, w.counts
		return
	}
	leaves := make([][32]byte, len(b.events))
	for i := range b.events {
		leaves[i] = b.events[i].hash
	}
	b.tree = logproof.NewTree(leaves)
	first := b.events[0].seq
	next := Head{
		LogID: w.logID, Number: w.head.Number + 1, Root: b.tree.Root(),
		First: first, Count: uint32(len(b.events)),
	}
	next.Prev = w.tip
	next.Sign(w.l.opts.Signer)
	before := w.counts.volume
	w.counts.volume += uint64(b.inline)
	b.head, b.counts = next, w.counts
	w.head, w.tip = next, next.Hash()
	b.meta = append(b.meta, w.noteKinds(b)...)
	if before/checkpointEvery != w.counts.volume/checkpointEvery {
		b.meta = append(b.meta, w.checkpoint(b))
	}
}

// checkpoint is the anchor at the end of the batch.
func (w *writer) checkpoint(b *batch) row {
	a := anchor{
		number: b.head.Number, seq: b.head.Last(), head: b.head.Hash(),
		record: b.events[len(b.events)-1].hash, logID: b.head.LogID, volume: b.counts.volume,
	}
	return row{seqKey(keyCheckpoint, a.seq), sealAnchor(&a, w.l.opts.Signer)}
}

// uncommitted visits what the snapshot does not have, newest first.
func (w *writer) uncommitted() iter.Seq[*batch] {
	return func(yield func(*batch) bool) {
		if yield(w.pending) && w.inflight != nil {
			yield(w.inflight)
		}
	}
}

// await blocks until the committer is idle.
func (w *writer) await() {
	if w.inflight != nil {
		w.landed(<-w.l.idle)
	}
}

// flush makes everything staged durable.
func (w *writer) flush() {
	w.await()
	if len(w.pending.waiting) > 0 {
		w.dispatch()
		w.await()
	}
}

// fresh is an empty batch.
func (w *writer) fresh() *batch {
	if b := w.spare; b != nil {
		w.spare = nil
		return b
	}
	return newBatch()
}

// landed takes note that the batch in flight is durable, or that it failed.
func (w *writer) landed(err error) {
	if err == nil {
		w.spare = w.inflight.heir()
		w.inflight = nil
		w.release()
		err = w.acquire()
	}
	w.inflight = nil
	if err != nil {
		err = w.l.fail(err)
		for _, r := range w.pending.waiting {
			r.finish(err)
		}
		w.pending = newBatch()
	}
}

func (w *writer) acquire() error {
	snap, err := w.l.eng.snapshot()
	w.snap = snap
	return err
}

func (w *writer) release() {
	if w.snap != nil {
		w.snap.close()
		w.snap = nil
	}
}
