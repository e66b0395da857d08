package mux

import (
	"context"
	"io"

	"communicator/wire/pb"

	"google.golang.org/protobuf/proto"
)

// Items are the answers of one request. One goroutine uses it.
type Items struct {
	c     *Client
	k     *call // nil once closed
	ended error // what Next returns from now on
}

// Next waits for the next answer and decodes it into into. More is true for an item,
// false for the last answer; after that, and after Close, Next returns io.EOF. When ctx
// ends first it returns ctx's cause and may be called again.
func (s *Items) Next(ctx context.Context, into proto.Message) (more bool, err error) {
	if s.k == nil || s.ended != nil {
		if s.ended == nil {
			s.ended = io.EOF
		}
		return false, s.ended
	}
	a, err := s.c.next(ctx, s.k)
	if err != nil {
		if ctx.Err() == nil {
			s.ended = err
		}
		return false, err
	}
	if a.last {
		s.ended = io.EOF
	}
	return !a.last, a.decode(into)
}

// Close cancels the request if answers are still to come, and frees its place. It may
// be called more than once.
func (s *Items) Close() {
	if s.k == nil {
		return
	}
	k := s.k
	s.k = nil
	s.c.finish(k)
}

// read hands answers to the calls they belong to, until the stream ends.
func (c *Client) read() error {
	fr := newFrameReader(c.rwc, c.limits, false)
	for {
		buf, err := fr.next()
		if err != nil {
			return err
		}
		f, err := decodeFrame(buf.b)
		if err == nil {
			err = c.deliver(f, buf)
		}
		if err != nil {
			buf.free()
			return err
		}
	}
}

// deliver queues one answer. It owns buf unless it returns an error.
func (c *Client) deliver(f frame, buf *buffer) error {
	if f.kind != pb.Frame_RESPONSE && f.kind != pb.Frame_ITEM {
		return violation("a request from the answering side")
	}
	for {
		c.mu.Lock()
		k := c.calls[f.id]
		switch {
		case k == nil && f.id > c.last:
			c.mu.Unlock()
			return violation("an answer to no request")
		case k == nil || k.over && k.err != nil: // cancelled: the answer crossed it
			c.mu.Unlock()
			buf.free()
			return nil
		case f.kind == pb.Frame_ITEM && !k.stream:
			c.mu.Unlock()
			return violation("an item for a single call")
		case f.kind == pb.Frame_ITEM && k.bytes > 0 && k.bytes+cap(buf.b) > c.limits.MaxUnread && len(c.calls) == 1 && c.err == nil:
			// Nobody else waits on this stream, so the consumer sets the pace.
			c.mu.Unlock()
			<-c.wake
			continue
		}
		slow := k.put(f, buf, c.limits)
		c.mu.Unlock()
		if slow {
			c.w.cancel(f.id)
		}
		return nil
	}
}

// put queues an answer, or gives the call up as slow. The client's mu is held.
func (k *call) put(f frame, buf *buffer, l Limits) (slow bool) {
	last := f.kind == pb.Frame_RESPONSE
	if !last && k.bytes > 0 && k.bytes+cap(buf.b) > hardUnread*l.MaxUnread {
		buf.free()
		k.over, k.err = true, ErrSlow
		slow = true
	} else {
		k.queue = append(k.queue, answer{buf: buf, body: f.body, last: last})
		k.bytes += cap(buf.b)
		k.over = last
	}
	select {
	case k.ready <- struct{}{}:
	default:
	}
	return slow
}
