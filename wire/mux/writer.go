package mux

import (
	"context"
	"io"
	"runtime"
	"sync"
	"time"

	"communicator/wire/pb"
)

// writer coalesces frames: its goroutine writes whatever has been queued since its last
// write in one go, so a lone frame leaves at once and a burst leaves as one.
type writer struct {
	w        io.Writer
	deadline writeDeadliner
	limits   Limits
	wake     chan struct{} // capacity 1: queued bytes, or the end, to look at
	joined   chan struct{} // closed when run has returned
	extended time.Time     // owned by run: when the deadline was last set

	mu      sync.Mutex
	pending []byte        // guarded by mu: frames not yet given to the stream
	space   chan struct{} // guarded by mu: closed when pending is taken; nil if nobody waits
	ending  bool          // guarded by mu: write what is pending, then return
	err     error         // guarded by mu: why nothing more is written
	busy    bool          // guarded by mu: a write is under way
}

func newWriter(w io.Writer, l Limits) *writer {
	d, _ := w.(writeDeadliner)
	return &writer{w: w, deadline: d, limits: l, wake: make(chan struct{}, 1), joined: make(chan struct{})}
}

// send queues one frame and frees its buffer. It waits while too much is unsent, until
// ctx ends. Quiet means that another frame follows at once, and that this one may leave
// with it.
func (w *writer) send(ctx context.Context, buf *buffer, quiet bool) error {
	defer buf.free()
	for {
		space, err := w.tryAdd(buf.b, quiet)
		if space == nil {
			return err
		}
		select {
		case <-space:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tryAdd queues a frame if there is room, else returns a channel that is closed when
// there may be.
func (w *writer) tryAdd(frame []byte, quiet bool) (space chan struct{}, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, w.err
	}
	if len(w.pending) >= w.limits.MaxUnsent {
		if w.space == nil {
			w.space = make(chan struct{})
		}
		w.notify() // of quiet frames, perhaps
		return w.space, nil
	}
	w.append(frame)
	if !quiet {
		w.notify()
	}
	return nil, nil
}

// append adds to pending. The mutex is held.
func (w *writer) append(frame []byte) {
	if len(w.pending)+len(frame) > cap(w.pending) && cap(w.pending) <= keepBuffer {
		if large, ok := batches.Get().(*[]byte); ok {
			w.pending = append((*large)[:0], w.pending...)
		}
	}
	w.pending = append(w.pending, frame...)
}

// batches holds the large buffers that idle writers do without.
var batches sync.Pool

// lend gives a large buffer to whoever needs one next, and returns what to keep.
func lend(b []byte) []byte {
	if cap(b) <= keepBuffer {
		return b
	}
	batches.Put(&b)
	return nil
}

// cancel queues a CANCEL, beyond the limit if need be: it is a few bytes, and waiting
// is what its caller just gave up.
func (w *writer) cancel(id uint64) {
	buf, err := encodeFrame(id, pb.Frame_CANCEL, nil, w.limits.MaxFrame)
	if err != nil {
		return // only where MaxFrame holds no frame at all
	}
	w.mu.Lock()
	if w.err == nil {
		w.append(buf.b)
	}
	w.mu.Unlock()
	buf.free()
	w.notify()
}

func (w *writer) notify() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run writes until fail, or until finish and nothing is pending. It returns the
// stream's error, if that is what ended it.
func (w *writer) run() error {
	defer close(w.joined)
	var batch []byte
	for {
		// Whoever is about to queue a frame gets to do so first: twice the calls a
		// second on two cores, and a lone call is no slower.
		runtime.Gosched()
		next, more := w.take(batch)
		if !more {
			return nil
		}
		if len(next) == 0 {
			batch = next
			<-w.wake
			continue
		}
		batch = next
		w.extend()
		if _, err := w.w.Write(batch); err != nil {
			w.fail(err)
			return err
		}
	}
}

// extend gives the next write its time: WriteTimeout, or a little less if writes follow
// each other closely, since setting a deadline costs as much as a small write.
func (w *writer) extend() {
	if w.deadline == nil {
		return
	}
	if now := time.Now(); now.Sub(w.extended) > w.limits.WriteTimeout/deadlineSlack {
		w.extended = now
		_ = w.deadline.SetWriteDeadline(now.Add(w.limits.WriteTimeout))
	}
}

// take swaps the batch just written for what has been queued since.
func (w *writer) take(written []byte) (batch []byte, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.ending && len(w.pending) == 0 {
		w.busy = false
		return nil, false
	}
	w.busy = len(w.pending) > 0
	if !w.busy { // idle: a burst's buffers go back
		written, w.pending = lend(written), lend(w.pending)
	}
	batch, w.pending = w.pending, written[:0]
	if w.space != nil {
		close(w.space)
		w.space = nil
	}
	return batch, true
}

// fail makes every later send return err. The caller ends the stream, so that a write
// under way returns.
func (w *writer) fail(err error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	if w.space != nil {
		close(w.space)
		w.space = nil
	}
	w.mu.Unlock()
	w.notify()
}

// finish lets run return once everything queued is written.
func (w *writer) finish() {
	w.mu.Lock()
	w.ending = true
	w.mu.Unlock()
	w.notify()
}

// idle says whether everything queued has been handed to the stream.
func (w *writer) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pending) == 0 && !w.busy
}
