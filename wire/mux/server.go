package mux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"

	"communicator/wire/pb"

	"google.golang.org/protobuf/proto"
)

// Handler answers requests.
type Handler interface {
	// Serve answers one request, on a goroutine of its own. Body is valid until it
	// returns (protobuf copies what it keeps). It ends with exactly one Reply; the
	// error it returns is a fault and resets the whole stream, so a request that
	// is merely refused is answered with a status instead. Ctx is cancelled by the
	// asker's CANCEL and by the stream's end; after that no reply is needed.
	Serve(ctx context.Context, body []byte, w ReplyWriter) error
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, body []byte, w ReplyWriter) error

// Serve calls f.
func (f HandlerFunc) Serve(ctx context.Context, body []byte, w ReplyWriter) error {
	return f(ctx, body, w)
}

// ReplyWriter takes the answers of one request, from one goroutine at a time. Its
// methods return once the answer is queued; they wait while the asker reads too slowly,
// until the request's context ends.
type ReplyWriter interface {
	Item(proto.Message) error  // one of several answers; more follow
	Reply(proto.Message) error // the last, or only, answer
	// Hold says that the last answer follows at once: items need not leave before it.
	Hold()
}

// Serve answers the requests of one stream until it ends, then cancels what is still
// being served, joins it and closes the stream. It returns nil when the asker ended the
// stream between frames, otherwise what ended it: a handler's error, a *[PanicError], a
// broken rule, the stream's own error or ctx's cause. Every fault resets the stream.
func Serve(ctx context.Context, rwc io.ReadWriteCloser, h Handler, l Limits) error {
	l = l.withDefaults()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &server{
		handler: h, limits: l, cancel: cancel,
		places:  make(chan struct{}, l.MaxInFlight),
		serving: make(map[uint64]*reply),
		freed:   make(chan struct{}, 1),
	}
	s.w = newWriter(rwc, l, s.fault)
	// However it is cancelled, a reader and a writer that wait in the stream return.
	aborted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		s.w.fail(context.Cause(ctx))
		abort(rwc)
		close(aborted)
	})
	err := s.read(ctx, newFrameReader(rwc, l, true))
	if errors.Is(err, io.EOF) {
		err = nil
	} else {
		s.fault(err)
	}
	s.cancelAll()
	s.handlers.Wait()
	if err == nil {
		s.w.finish() // replies to an asker that closed only its own direction
	}
	if stop() {
		return rwc.Close()
	}
	<-aborted
	s.w.join()
	return context.Cause(ctx) // the first fault, not what it led to
}

type server struct {
	handler  Handler
	limits   Limits
	cancel   context.CancelCauseFunc
	w        *writer
	places   chan struct{} // one for each request being served
	freed    chan struct{} // capacity 1: held bytes went down
	handlers sync.WaitGroup

	mu      sync.Mutex
	serving map[uint64]*reply // guarded by mu: requests without their last answer
	held    int               // guarded by mu: bytes of request bodies being served
}

func (s *server) fault(err error) { s.cancel(err) }

// read dispatches frames until the stream ends.
func (s *server) read(ctx context.Context, fr *frameReader) error {
	for {
		buf, err := fr.next()
		if err != nil {
			return err
		}
		f, err := decodeFrame(buf.b)
		if err != nil {
			buf.free()
			return err
		}
		switch f.kind {
		case pb.Frame_REQUEST:
			if err := s.start(ctx, f, buf); err != nil {
				return err
			}
		case pb.Frame_CANCEL:
			buf.free()
			s.cancelOne(f.id)
		default:
			buf.free()
			return violation("an answer from the asking side")
		}
	}
}

// start waits for a place and for room, then serves the request.
func (s *server) start(ctx context.Context, f frame, buf *buffer) error {
	select {
	case s.places <- struct{}{}:
	case <-ctx.Done():
		buf.free()
		return context.Cause(ctx)
	}
	if err := s.hold(ctx, cap(buf.b)); err != nil {
		buf.free()
		return err
	}
	r := &reply{s: s, id: f.id, ctx: requestContext{Context: ctx}}
	s.mu.Lock()
	_, twice := s.serving[f.id]
	s.serving[f.id] = r
	s.mu.Unlock()
	if twice {
		buf.free()
		return violation("a request's number is in use")
	}
	s.handlers.Add(1)
	go r.serve(f.body, buf)
	return nil
}

func (s *server) hold(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		// One request always fits, however small the limit.
		if s.held == 0 || s.held+n <= s.limits.MaxServing {
			s.held += n
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		select {
		case <-s.freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *server) release(n int) {
	s.mu.Lock()
	s.held -= n
	s.mu.Unlock()
	select {
	case s.freed <- struct{}{}:
	default:
	}
	<-s.places
}

func (s *server) cancelOne(id uint64) {
	s.mu.Lock()
	r := s.serving[id]
	s.mu.Unlock()
	if r != nil {
		r.ctx.cancel()
	}
}

func (s *server) cancelAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.serving {
		r.ctx.cancel()
	}
}

// reply is one request being served.
type reply struct {
	s    *server
	id   uint64
	ctx  requestContext
	done bool // owned by the handler's goroutine, as hold: the last answer was given
	hold bool // items wait for the last answer
}

func (r *reply) serve(body []byte, buf *buffer) {
	defer r.s.handlers.Done()
	held := cap(buf.b)
	defer r.s.release(held)
	err := r.call(body)
	if err == nil && !r.done && r.ctx.Err() == nil {
		err = ErrNoReply
	}
	// An error that follows from being cancelled is no fault.
	if err != nil && (r.ctx.Err() == nil || isPanic(err)) {
		r.s.fault(err)
	}
	r.forget()
	r.ctx.cancel()
	buf.free()
}

func (r *reply) call(body []byte) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return r.s.handler.Serve(&r.ctx, body, r)
}

func (r *reply) Hold() { r.hold = true }

func (r *reply) Item(m proto.Message) error { return r.send(pb.Frame_ITEM, m) }

func (r *reply) Reply(m proto.Message) error {
	if r.done {
		return ErrReplied
	}
	// Forgotten first: once the asker has the answer it may not be cancelled.
	r.forget()
	err := r.send(pb.Frame_RESPONSE, m)
	r.done = true
	return err
}

func (r *reply) send(kind pb.Frame_Type, m proto.Message) error {
	if r.done {
		return ErrReplied
	}
	buf, err := encodeFrame(r.id, kind, m, r.s.limits.MaxFrame)
	if err != nil {
		return fmt.Errorf("mux: answer: %w", err)
	}
	return r.s.w.send(&r.ctx, buf, r.hold && kind == pb.Frame_ITEM)
}

func (r *reply) forget() {
	r.s.mu.Lock()
	delete(r.s.serving, r.id)
	r.s.mu.Unlock()
}

func isPanic(err error) bool {
	var p *PanicError
	return errors.As(err, &p)
}
