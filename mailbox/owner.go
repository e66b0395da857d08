package mailbox

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"communicator/eventlog"
	"communicator/mailbox/address"
	"communicator/mailbox/admit"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// ownerStream serves the mailbox protocol, docs/mailbox.md, on one stream.
type ownerStream session

// operations by their number: a name for logs and metrics, and what they do. Those
// that answer with items do so through w and leave the last answer to the caller.
var operations = map[pb.SignedOp_Op]struct {
	name string
	run  func(*session, context.Context, wire.MailboxID, []byte, mux.ReplyWriter) (*pb.MailboxResponse, error)
}{
	pb.SignedOp_CREATE:  {"create", (*session).create},
	pb.SignedOp_COLLECT: {"collect", (*session).collect},
	pb.SignedOp_WATCH:   {"watch", (*session).watch},
	pb.SignedOp_ACK:     {"ack", (*session).ack},
	pb.SignedOp_REVOKE:  {"revoke", (*session).revoke},
}

// Serve implements [mux.Handler].
func (o *ownerStream) Serve(ctx context.Context, body []byte, w mux.ReplyWriter) error {
	c := (*session)(o)
	op, resp, refused := c.dispatch(ctx, body, w)
	if c.ended(ctx, op, refused) {
		return errGone
	}
	status, retry := statusOf(refused)
	if resp == nil {
		resp = &pb.MailboxResponse{}
	}
	resp.Status, resp.RetryAfterSeconds, resp.Draining = uint32(status), seconds(retry), c.draining.Load()
	return c.finish(ctx, op, refused, w.Reply(resp))
}

func (c *session) dispatch(ctx context.Context, body []byte, w mux.ReplyWriter) (string, *pb.MailboxResponse, error) {
	var req pb.MailboxRequest
	if proto.Unmarshal(body, &req) != nil {
		return "unknown", nil, refuse(wire.StatusMalformed, 0)
	}
	if h := req.GetHello(); h != nil {
		reply, err := c.hello(ctx, h)
		return "hello", &pb.MailboxResponse{Hello: reply}, err
	}
	signed := req.GetSigned()
	if signed == nil {
		return "unknown", nil, refuse(wire.StatusUnsupported, 0)
	}
	op, known := operations[signed.Op]
	if !known {
		return "unknown", nil, refuse(wire.StatusUnsupported, 0)
	}
	mb, err := c.authorise(signed)
	if err != nil {
		return op.name, nil, err
	}
	resp, err := op.run(c, ctx, mb, signed.Body, w)
	return op.name, resp, err
}

// create opens a mailbox, or renews its terms, and returns what an address consists of.
func (c *session) create(ctx context.Context, mb wire.MailboxID, body []byte, _ mux.ReplyWriter) (*pb.MailboxResponse, error) {
	if c.draining.Load() {
		return nil, refuse(wire.StatusDraining, 0)
	}
	account, err := c.permission()
	if err != nil {
		return nil, err
	}
	now := c.cfg.Now()
	if err := c.admitting(); err != nil {
		return nil, err
	}
	terms, err := c.terms(now, body)
	if err != nil {
		return nil, err
	}
	if !c.creates.Spend(account, now) {
		return nil, refuse(wire.StatusTryAgain, retryQuota)
	}
	created, err := c.mint(mb, terms, now)
	if err != nil {
		return nil, err
	}
	err = c.decide(ctx, func(r eventlog.Reader) ([]eventlog.Event, error) {
		return c.decideCreate(r, account, mb, terms)
	})
	if err != nil {
		return nil, err
	}
	return &pb.MailboxResponse{Created: created}, nil
}

func (c *session) terms(now time.Time, body []byte) (admit.Terms, error) {
	var req pb.Create
	if proto.Unmarshal(body, &req) != nil || req.Expires > maxUnix {
		return admit.Terms{}, refuse(wire.StatusMalformed, 0)
	}
	var requested time.Time
	if req.Expires != 0 {
		requested = time.Unix(int64(req.Expires), 0).UTC()
	}
	terms, status := admit.TermsFor(now, wire.Caps(req.Caps), requested)
	if status != wire.StatusOK {
		return admit.Terms{}, refuse(status, 0)
	}
	if terms.Caps&wire.CapLifeline != 0 && c.cfg.DescriptorChain == nil {
		return admit.Terms{}, refuse(wire.StatusUnsupported, 0)
	}
	return terms, nil
}

// mint computes the address key and its pin.
func (c *session) mint(mb wire.MailboxID, t admit.Terms, now time.Time) (*pb.Created, error) {
	secret, ok := c.cfg.Keyring.AddressSecret(t.Epoch, t.Caps)
	keys := c.cfg.Keyring.SealingKeys(now)
	if !ok || len(keys) == 0 {
		return nil, refuse(wire.StatusTryAgain, retryOverload) // keys are about to rotate
	}
	var pin [32]byte
	if t.Caps&wire.CapLifeline != 0 {
		pin = c.cfg.DescriptorChain()
	} else {
		pin = wire.PinOf(c.cfg.Agent, keys[0].Epoch, keys[0].Public)
	}
	k := address.Mint(secret, mb, t.Epoch, t.Expires, t.Caps)
	return &pb.Created{
		Key: k[:], Epoch: uint32(t.Epoch), Expires: uint64(t.Expires.Unix()), Caps: uint32(t.Caps), Pin: pin[:],
	}, nil
}

// decideCreate runs on the log's writer.
func (c *session) decideCreate(r eventlog.Reader, account wire.AccountID, mb wire.MailboxID, t admit.Terms) ([]eventlog.Event, error) {
	existing, err := loadMailbox(r, mb)
	if err != nil {
		return nil, err
	}
	var failed error
	f, status := admit.Create(existing, mb, t, func() (admit.Slot, bool) {
		for n := range c.cfg.Limits.MailboxesPerAccount {
			slot := c.cfg.Keyring.Slot(account, n)
			var taken []byte
			if taken, failed = r.Get(slotKey(slot)); failed != nil {
				return admit.Slot{}, false
			}
			if taken == nil {
				return slot, true
			}
		}
		return admit.Slot{}, false
	})
	switch {
	case failed != nil:
		return nil, failed
	case status == wire.StatusTryAgain:
		return nil, refuse(status, retryQuota)
	case status != wire.StatusOK:
		return nil, refuse(status, 0)
	case f == nil:
		return nil, nil
	}
	return []eventlog.Event{event(*f, nil)}, nil
}

// ack erases what the owner has stored itself.
func (c *session) ack(ctx context.Context, mb wire.MailboxID, body []byte, _ mux.ReplyWriter) (*pb.MailboxResponse, error) {
	var req pb.Ack
	if proto.Unmarshal(body, &req) != nil {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	if len(req.Positions) > MaxAckPositions {
		return nil, refuse(wire.StatusTooLarge, 0)
	}
	positions := slices.Clone(req.Positions)
	slices.Sort(positions)
	positions = slices.Compact(positions)
	erased := 0
	err := c.decide(ctx, func(r eventlog.Reader) ([]eventlog.Event, error) {
		stored, err := findDeliveries(r, mb, positions)
		if err != nil {
			return nil, err
		}
		kept := make([]uint64, len(stored))
		for i, d := range stored {
			kept[i] = d.seq
		}
		var events []eventlog.Event
		for _, f := range admit.Acknowledge(mb, kept) {
			events = append(events, event(f, nil))
		}
		erased = len(kept)
		return events, nil
	})
	if err != nil {
		return nil, err
	}
	c.cfg.Metrics.erased.WithLabelValues("collected").Add(float64(erased))
	return nil, nil
}

// revoke closes a mailbox, loudly or silently.
func (c *session) revoke(ctx context.Context, mb wire.MailboxID, body []byte, _ mux.ReplyWriter) (*pb.MailboxResponse, error) {
	var req pb.Revoke
	if proto.Unmarshal(body, &req) != nil {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	mode := map[pb.Revoke_Mode]admit.Mode{pb.Revoke_CLOSE: admit.Closed, pb.Revoke_SILENT: admit.Silent}[req.Mode]
	return nil, c.decide(ctx, func(r eventlog.Reader) ([]eventlog.Event, error) {
		existing, err := loadMailbox(r, mb)
		if err != nil {
			return nil, err
		}
		f, status := admit.Revoke(existing, mb, mode, req.Purge)
		if status != wire.StatusOK {
			return nil, refuse(status, 0)
		}
		if f == nil {
			return nil, nil
		}
		return []eventlog.Event{event(*f, nil)}, nil
	})
}

// decide runs a decision about the mailbox table and waits until it is durable. What
// it decides is read only after a nil error, when the writer is done with it.
func (s *Service) decide(ctx context.Context, d func(r eventlog.Reader) ([]eventlog.Event, error)) error {
	_, err := s.cfg.Log.Decide(ctx, func(_ time.Time, tables eventlog.Tables) ([]eventlog.Event, error) {
		return d(tables.Table(wire.TableMailbox))
	})
	return err
}
