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
	for _, d := range page {
		if err := c.send(d, w); err != nil {
			return nil, err
		}
	}
	return &pb.MailboxResponse{More: more}, nil
}

// watch answers with what is stored, a mark after the last of it, and then with each
// delivery as it arrives, until the owner cancels or the stream ends.
func (c *session) watch(ctx context.Context, mb wire.MailboxID, body []byte, w mux.ReplyWriter) (*pb.MailboxResponse, error) {
	var req pb.Watch
	if proto.Unmarshal(body, &req) != nil {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	// Registered before the first look: what arrives in between wakes the watcher.
	me, ok := c.hub.join(mb)
	if !ok {
		return nil, refuse(wire.StatusTryAgain, retryQuota)
	}
	c.cfg.Metrics.watches.Inc()
	defer c.cfg.Metrics.watches.Dec()
	defer c.hub.leave(mb, me)

	caughtUp, leaving := false, c.draining.Load()
	for after := req.After; ; {
		page, more, err := c.page(mb, after, MaxCollectItems)
		if err != nil {
			return nil, err
		}
		for _, d := range page {
			if err := c.send(d, w); err != nil {
				return nil, err
			}
			after = d.seq
		}
		if more {
			continue
		}
		if draining := c.draining.Load(); !caughtUp || draining != leaving {
			mark := &pb.MailboxResponse{Status: uint32(wire.StatusOK), CaughtUp: !caughtUp, Draining: draining}
			if w.Item(mark) != nil {
				return nil, errGone
			}
			caughtUp, leaving = true, draining
		}
		select {
		case <-me.wake:
		case <-ctx.Done():
			return nil, nil // the asker has gone: nothing is left to answer
		}
	}
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

// send reads a delivery's body and sends it. One that was erased since its row was
// read is skipped. So is one that is damaged, so that it does not stand before those
// behind it; the log has reported it and keeps its row.
func (c *session) send(d delivery, w mux.ReplyWriter) error {
	payload, err := c.cfg.Log.Body(d.seq)
	var damage *eventlog.DamageError
	switch {
	case errors.Is(err, eventlog.ErrErased):
		return nil
	case errors.As(err, &damage):
		c.cfg.Logger.Error("a stored delivery is damaged", "position", d.seq)
		return nil
	case err != nil:
		return err
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
