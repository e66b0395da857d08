package mailbox

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"communicator/eventlog"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// collect answers with one item per delivery, oldest first, until the page is full.
func (c *session) collect(_ context.Context, mb wire.MailboxID, body []byte, w mux.ReplyWriter) (*pb.MailboxResponse, error) {
	var req pb.Collect
	if proto.Unmarshal(body, &req) != nil {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	items := MaxCollectItems
	if n := req.MaxItems; n > 0 && n < MaxCollectItems {
		items = int(n)
	}
	page, more, err := c.page(mb, req.After, items)
	if err != nil {
		return nil, err
	}
	if err := c.send(page, w); err != nil {
		return nil, err
	}
	return &pb.MailboxResponse{More: more}, nil
}

// watch answers with what is stored, a mark after the last of it, and then with each
// delivery as it arrives, until the owner cancels or the stream ends.
func (c *session) watch(ctx context.Context, mb wire.MailboxID, body []byte, w mux.ReplyWriter) (*pb.MailboxResponse, error) {
	me, sent, err := c.join(mb, body)
	if err != nil {
		return nil, err
	}
	c.cfg.Metrics.watches.Inc()
	defer c.cfg.Metrics.watches.Dec()
	defer c.hub.leave(me)
	for {
		if err := c.catchUp(mb, sent, w); err != nil {
			return nil, err
		}
		select {
		case <-me.wake:
		case <-ctx.Done():
			return nil, nil // the asker has gone: nothing is left to answer
		}
	}
}

// watched is how far a watcher has come.
type watched struct {
	after             uint64 // the last position that was sent
	caughtUp, leaving bool   // what the last mark said
}

// join begins to watch. Neither it nor catchUp is part of watch, which waits for days, on
// as small a stack as can be.
func (c *session) join(mb wire.MailboxID, body []byte) (*watcher, *watched, error) {
	var req pb.Watch
	if proto.Unmarshal(body, &req) != nil {
		return nil, nil, refuse(wire.StatusMalformed, 0)
	}
	exists, err := c.exists(mb)
	if err != nil {
		return nil, nil, err
	}
	// Registered before the first look: what arrives in between wakes the watcher.
	me, ok := c.hub.join(mb, c.originOf(c.remote), exists)
	if !ok {
		return nil, nil, refuse(wire.StatusTryAgain, retryQuota)
	}
	return me, &watched{after: req.After, leaving: c.draining.Load()}, nil
}

// catchUp sends what a watcher has not seen.
func (c *session) catchUp(mb wire.MailboxID, sent *watched, w mux.ReplyWriter) error {
	for more := true; more; {
		var page []delivery
		var err error
		if page, more, err = c.page(mb, sent.after, MaxCollectItems); err != nil {
			return err
		}
		if err := c.send(page, w); err != nil {
			return err
		}
		if len(page) > 0 {
			sent.after = page[len(page)-1].seq
		}
	}
	draining := c.draining.Load()
	if sent.caughtUp && draining == sent.leaving {
		return nil
	}
	mark := &pb.MailboxResponse{Status: uint32(wire.StatusOK), CaughtUp: !sent.caughtUp, Draining: draining}
	if w.Item(mark) != nil {
		return errGone
	}
	sent.caughtUp, sent.leaving = true, draining
	return nil
}

func (s *Service) exists(mb wire.MailboxID) (exists bool, err error) {
	err = s.cfg.Log.View(func(tables eventlog.Tables) error {
		row, err := tables.Table(wire.TableMailbox).Get(mailboxKey(mb))
		exists = row != nil
		return err
	})
	return exists, err
}

// page reads which deliveries follow a position: up to a number of them, and up to
// [MaxCollectBytes] but at least one.
func (s *Service) page(mb wire.MailboxID, after uint64, items int) (page []delivery, more bool, err error) {
	err = s.cfg.Log.View(func(tables eventlog.Tables) error {
		size := 0
		return scanDeliveries(tables.Table(wire.TableMailbox), mb, after, func(d delivery) bool {
			if len(page) > 0 && (len(page) == items || size+int(d.size) > MaxCollectBytes) {
				more = true
				return false
			}
			page, size = append(page, d), size+int(d.size)
			return true
		})
	})
	return page, more, err
}

// send reads the bodies of a page and sends them, as many at a time as one of the
// largest takes.
func (c *session) send(page []delivery, w mux.ReplyWriter) error {
	for len(page) > 0 {
		n, size := 1, int(page[0].size)
		for n < len(page) && size+int(page[n].size) <= wire.MaxPayload {
			size += int(page[n].size)
			n++
		}
		payloads, err := c.payloads(page[:n], size)
		if err != nil {
			return err
		}
		for i, payload := range payloads {
			if err := c.sendOne(page[i], payload, w); err != nil {
				return err
			}
		}
		page = page[n:]
	}
	return nil
}

// payloads reads bodies of size bytes altogether. One that was erased since its row was
// read is nil. So is one that is damaged, so that it does not stand before those behind
// it; the log has reported it and keeps its row.
func (s *Service) payloads(of []delivery, size int) ([][]byte, error) {
	positions := make([]uint64, len(of))
	for i, d := range of {
		positions[i] = d.seq
	}
	found, room := make([][]byte, 0, len(of)), make([]byte, 0, size)
	var failed error
	err := s.cfg.Log.Bodies(positions, func(position uint64, body []byte, err error) bool {
		var damage *eventlog.DamageError
		switch {
		case errors.Is(err, eventlog.ErrErased):
			found = append(found, nil)
		case errors.As(err, &damage):
			s.cfg.Logger.Error("a stored delivery is damaged", "position", position)
			found = append(found, nil)
		case err != nil:
			failed = err
			return false
		default:
			start := len(room)
			room = append(room, body...)
			found = append(found, room[start:])
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return found, err
}

func (c *session) sendOne(d delivery, payload []byte, w mux.ReplyWriter) error {
	if payload == nil {
		return nil
	}
	item := &pb.MailboxResponse{
		Status: uint32(wire.StatusOK), Draining: c.draining.Load(),
		Delivery: &pb.Delivery{Position: d.seq, Payload: payload, Received: uint64(d.received.Time().Unix())},
	}
	if w.Item(item) != nil {
		return errGone
	}
	return nil
}
