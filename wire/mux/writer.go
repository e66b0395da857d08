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
// write in one go, so a lone frame leaves at once and a burst leaves as one. The goroutine
// and the buffers are there while there is something to write: most streams are idle.
type writer struct {
	w        io.Writer
	deadline writeDeadliner
	limits   Limits
	failed   func(error) // told of the stream's error, by the goroutine that met it
	extended time.Time   // owned by run: when the deadline was last set

	mu      sync.Mutex
	pending *batch        // guarded by mu: frames not yet given to the stream; nil if there are none
	space   chan struct{} // guarded by mu: closed when pending is taken; nil if nobody waits
	running bool          // guarded by mu: run has something to do
	left    chan struct{} // guarded by mu: closed when run returns; nil if nobody waits
	err     error         // guarded by mu: why nothing more is written
}

func newWriter(w io.Writer, l Limits, failed func(error)) *writer {
	d, _ := w.(writeDeadliner)
	return &writer{w: w, deadline: d, limits: l, failed: failed}
}

// batch is what one write takes.
type batch struct{ b []byte }

var batches sync.Pool

func newBatch() *batch {
	if b, ok := batches.Get().(*batch); ok {
		return b
	}
	return &batch{make([]byte, 0, firstBatch)}
}

func (b *batch) free() {
	b.b = b.b[:0]
	batches.Put(b)
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
	if w.pending != nil && len(w.pending.b) >= w.limits.MaxUnsent {
		if w.space == nil {
			w.space = make(chan struct{})
		}
		w.start() // with quiet frames, perhaps
		return w.space, nil
	}
	w.append(frame)
	if !quiet {
		w.start()
	}
	return nil, nil
}

// append adds to pending. The mutex is held.
func (w *writer) append(frame []byte) {
	if w.pending == nil {
		w.pending = newBatch()
	}
	w.pending.b = append(w.pending.b, frame...)
}

// start begins to write unless that is under way. The mutex is held.
func (w *writer) start() {
	if !w.running && w.pending != nil && w.err == nil {
		w.running = true
		go w.run()
	}
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
		w.start()
	}
	w.mu.Unlock()
	buf.free()
}

// run writes until nothing is pending, or until fail.
func (w *writer) run() {
	for {
		// Whoever is about to queue a frame gets to do so first: twice the calls a
		// second on two cores, and a lone call is no slower.
		runtime.Gosched()
		next := w.take()
		if next == nil {
			return
		}
		w.extend()
		if _, err := w.w.Write(next.b); err != nil {
			w.fail(err)
			w.failed(err)
			w.take() // which returns, having failed
			return
		}
		next.free()
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

// take returns what has been queued, or nil, after which run returns.
func (w *writer) take() *batch {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.pending == nil {
		w.running = false
		if w.left != nil {
			close(w.left)
			w.left = nil
		}
		return nil
	}
	next := w.pending
	w.pending = nil
	if w.space != nil {
		close(w.space)
		w.space = nil
	}
	return next
}

// fail makes every later send return err. The caller ends the stream, so that a write
// under way returns.
func (w *writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.pending = nil
	if w.space != nil {
		close(w.space)
		w.space = nil
	}
}

// finish writes what is pending. Nothing is sent any more.
func (w *writer) finish() {
	w.mu.Lock()
	w.start()
	w.mu.Unlock()
	w.join()
}

// join waits for run, after which nothing begins any more: fail or finish came before it.
func (w *writer) join() {
	w.mu.Lock()
	if !w.running {
		w.mu.Unlock()
		return
	}
	if w.left == nil {
		w.left = make(chan struct{})
	}
	left := w.left
	w.mu.Unlock()
	<-left
}

// idle says whether everything queued has been handed to the stream.
func (w *writer) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pending == nil && !w.running
}
