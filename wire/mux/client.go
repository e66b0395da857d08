package mux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"communicator/wire/pb"

	"google.golang.org/protobuf/proto"
)

// Client asks over one stream. Its methods are safe for concurrent use.
type Client struct {
	rwc    io.ReadWriteCloser
	limits Limits
	w      *writer
	places chan struct{}  // one for each request in flight
	done   chan struct{}  // closed once err is set
	joined sync.WaitGroup // the reader
	wake   chan struct{}  // capacity 1: the reader waits for a slow consumer no longer

	mu    sync.Mutex
	calls map[uint64]*call // guarded by mu: requests in flight, by id
	spare []*call          // guarded by mu: for reuse, at most limits.MaxInFlight
	last  uint64           // guarded by mu: the highest id given out
	err   error            // guarded by mu: why the stream ended
}

// NewClient starts asking over rwc, which it owns from here on. Close joins what runs.
func NewClient(rwc io.ReadWriteCloser, l Limits) *Client {
	l = l.withDefaults()
	c := &Client{
		rwc: rwc, limits: l,
		places: make(chan struct{}, l.MaxInFlight),
		done:   make(chan struct{}),
		wake:   make(chan struct{}, 1),
		calls:  make(map[uint64]*call),
	}
	c.w = newWriter(rwc, l, c.end)
	c.joined.Go(func() { c.end(c.read()) })
	return c
}

// call is one request in flight: a queue of answers that one goroutine consumes.
type call struct {
	id     uint64
	stream bool          // ITEMs are expected
	ready  chan struct{} // capacity 1: the queue or its end changed

	// Guarded by the client's mu.
	queue []answer
	head  int   // the next of queue to consume
	bytes int   // held by what is queued
	over  bool  // nothing more will be queued
	err   error // why, if not a RESPONSE
}

type answer struct {
	buf  *buffer
	body []byte
	last bool
}

// Call sends one request and waits for its answer, which it decodes into resp. When
// ctx ends first it cancels the request and returns ctx's cause.
func (c *Client) Call(ctx context.Context, req, resp proto.Message) error {
	k, err := c.begin(ctx, req, false)
	if err != nil {
		return err
	}
	a, err := c.next(ctx, k)
	c.finish(k)
	if err != nil {
		return err
	}
	return a.decode(resp)
}

// Stream sends one request with several answers.
func (c *Client) Stream(ctx context.Context, req proto.Message) (*Items, error) {
	k, err := c.begin(ctx, req, true)
	if err != nil {
		return nil, err
	}
	return &Items{c: c, k: k}, nil
}

// begin registers and sends a request once there is a place for it.
func (c *Client) begin(ctx context.Context, req proto.Message, stream bool) (*call, error) {
	select {
	case c.places <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.done:
		return nil, c.Err()
	}
	k, err := c.register(stream)
	if err != nil {
		<-c.places
		return nil, err
	}
	buf, err := encodeFrame(k.id, pb.Frame_REQUEST, req, c.limits.MaxFrame)
	if err == nil {
		err = c.w.send(ctx, buf, false)
	}
	if err != nil {
		c.forget(k) // it never left
		return nil, err
	}
	return k, nil
}

func (c *Client) register(stream bool) (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	var k *call
	if n := len(c.spare); n > 0 {
		k, c.spare = c.spare[n-1], c.spare[:n-1]
	} else {
		k = &call{ready: make(chan struct{}, 1)}
	}
	c.last++
	k.id, k.stream = c.last, stream
	c.calls[k.id] = k
	c.nudge() // a reader that waits for a lone slow consumer must read on
	return k, nil
}

// next waits for an answer.
func (c *Client) next(ctx context.Context, k *call) (answer, error) {
	for {
		c.mu.Lock()
		if !k.empty() {
			a := k.pop()
			c.mu.Unlock()
			c.nudge()
			return a, nil
		}
		over, err := k.over, k.err
		if !over && c.err != nil {
			over, err = true, c.err
		}
		c.mu.Unlock()
		if over && err == nil {
			return answer{}, io.EOF
		}
		if over {
			return answer{}, err
		}
		select {
		case <-k.ready:
		case <-c.done:
		case <-ctx.Done():
			return answer{}, context.Cause(ctx)
		}
	}
}

// finish ends a request, and cancels it if answers are still to come.
func (c *Client) finish(k *call) {
	if id, open := c.forget(k); open {
		c.w.cancel(id)
	}
}

// forget takes a request off the list, frees its place and keeps k for reuse: the reader
// touches only what is on the list. Open means that answers were still to come.
func (c *Client) forget(k *call) (id uint64, open bool) {
	c.mu.Lock()
	id, open = k.id, !k.over && c.err == nil
	delete(c.calls, id)
	for !k.empty() {
		k.pop().buf.free()
	}
	select {
	case <-k.ready:
	default:
	}
	*k = call{ready: k.ready, queue: k.queue}
	c.spare = append(c.spare, k)
	c.mu.Unlock()
	c.nudge()
	<-c.places
	return id, open
}

// Done is closed when the stream has ended; [Client.Err] then says why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is nil until the stream has ended.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the stream and joins what NewClient started. Requests in flight fail with
// [ErrClosed].
func (c *Client) Close() error {
	c.end(ErrClosed)
	c.joined.Wait()
	c.w.join()
	if err := c.Err(); !errors.Is(err, ErrClosed) {
		return err
	}
	return nil
}

// end records why the stream ended, once, and closes it.
func (c *Client) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrEnded
	}
	c.err = err
	quiet := errors.Is(err, ErrClosed) && len(c.calls) == 0
	close(c.done)
	c.mu.Unlock()
	idle := c.w.idle()
	c.w.fail(err)
	c.nudge()
	if quiet && idle {
		_ = c.rwc.Close() // nothing is lost that could still be reported
		return
	}
	abort(c.rwc)
}

func (c *Client) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// empty says whether nothing is queued. The client's mu is held.
func (k *call) empty() bool { return k.head == len(k.queue) }

// pop takes the oldest answer. The client's mu is held.
func (k *call) pop() answer {
	a := k.queue[k.head]
	k.queue[k.head] = answer{}
	k.head++
	if k.empty() {
		k.queue, k.head = k.queue[:0], 0
	}
	k.bytes -= cap(a.buf.b)
	return a
}

func (a answer) decode(into proto.Message) error {
	err := proto.Unmarshal(a.body, into)
	a.buf.free()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBody, err)
	}
	return nil
}
