package transport

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"communicator/mailbox/address"
	"communicator/wire"
	"communicator/wire/pb"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
)

// Created is what a receiving agent minted for a new mailbox.
type Created struct {
	Key     [32]byte
	Epoch   wire.Epoch
	Expires time.Time
	Caps    wire.Caps
	Pin     wire.EpochPin
}

// Delivery is one delivery in a mailbox.
type Delivery struct {
	Position uint64
	Payload  []byte
	Received time.Time
}

// Page is one page of a mailbox.
type Page struct {
	Deliveries []Delivery
	More       bool // the mailbox goes on
	Draining   bool // the agent is leaving
}

func (l *Lease) mailboxHello() helloFunc {
	return l.pool.greet(func(h *pb.Hello) proto.Message {
		return &pb.MailboxRequest{Op: &pb.MailboxRequest_Hello{Hello: h}}
	}, func() answer { return &pb.MailboxResponse{} })
}

// sign makes the request for one operation of a mailbox's owner on one stream.
func sign(agent wire.AgentID, s *stream, self peer.ID, owner ed25519.PrivateKey, op pb.SignedOp_Op, body proto.Message) (*pb.MailboxRequest, error) {
	b, err := proto.Marshal(body)
	if err != nil {
		return nil, err
	}
	message := address.OperationBytes(agent, []byte(self), s.nonce, uint8(op), b)
	return &pb.MailboxRequest{Op: &pb.MailboxRequest_Signed{Signed: &pb.SignedOp{
		Op: op, Body: b, Owner: owner.Public().(ed25519.PublicKey), Signature: ed25519.Sign(owner, message),
	}}}, nil
}

// operation performs an owner's operation and hands each answer to each. Only making a
// mailbox needs the account; the others are authorised by the owner's signature alone,
// on a stream that does not name the account.
func (l *Lease) operation(ctx context.Context, owner ed25519.PrivateKey, op pb.SignedOp_Op, body proto.Message,
	timeout time.Duration, each func(*pb.MailboxResponse) error) error {
	key := streamKey{proto: wire.ProtocolMailbox, account: op == pb.SignedOp_CREATE}
	return l.call(ctx, key, l.mailboxHello(), func(ctx context.Context, s *stream, self peer.ID) error {
		req, err := sign(l.conn.key.Agent, s, self, owner, op, body)
		if err != nil {
			return err
		}
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		return items(ctx, s, req, func() *pb.MailboxResponse { return &pb.MailboxResponse{} },
			func(resp *pb.MailboxResponse) error {
				if resp.GetStatus() != 0 {
					if err := statusError(resp.GetStatus(), resp.GetRetryAfterSeconds()); err != nil {
						return err
					}
				}
				return each(resp)
			})
	})
}

// HelloMailbox opens the account at a receiving agent, if it is not yet open.
func (l *Lease) HelloMailbox(ctx context.Context) error {
	key := streamKey{proto: wire.ProtocolMailbox, account: true}
	return l.call(ctx, key, l.mailboxHello(), func(context.Context, *stream, peer.ID) error { return nil })
}

// Create mints an address for the mailbox of owner. The agent may shorten the expiry.
func (l *Lease) Create(ctx context.Context, owner ed25519.PrivateKey, caps wire.Caps, expires time.Time) (Created, error) {
	var got *pb.Created
	err := l.operation(ctx, owner, pb.SignedOp_CREATE, &pb.Create{Caps: uint32(caps), Expires: uint64(expires.Unix())},
		CallTimeout, func(r *pb.MailboxResponse) error {
			got = r.GetCreated()
			return nil
		})
	if err != nil {
		return Created{}, err
	}
	if got == nil || len(got.GetKey()) != 32 || len(got.GetPin()) != 32 || wire.Caps(got.GetCaps()) != caps {
		return Created{}, fmt.Errorf("%w: created", ErrProtocol)
	}
	return Created{
		Key: [32]byte(got.GetKey()), Pin: wire.EpochPin(got.GetPin()), Epoch: wire.Epoch(got.GetEpoch()),
		Expires: time.Unix(int64(got.GetExpires()), 0).UTC(), Caps: caps,
	}, nil
}

func readDelivery(d *pb.Delivery) (Delivery, error) {
	if len(d.GetPayload()) == 0 || len(d.GetPayload()) > wire.MaxPayload || d.GetPosition() == 0 {
		return Delivery{}, fmt.Errorf("%w: delivery", ErrProtocol)
	}
	return Delivery{Position: d.GetPosition(), Payload: d.GetPayload(),
		Received: time.Unix(int64(d.GetReceived()), 0).UTC()}, nil
}

// Collect reads one page of a mailbox: what lies behind the position after.
func (l *Lease) Collect(ctx context.Context, owner ed25519.PrivateKey, after uint64) (Page, error) {
	var page Page
	last := after
	err := l.operation(ctx, owner, pb.SignedOp_COLLECT, &pb.Collect{After: after, MaxItems: MaxCollect}, CallTimeout,
		func(r *pb.MailboxResponse) error {
			page.More, page.Draining = r.GetMore(), page.Draining || r.GetDraining()
			if r.GetDelivery() == nil {
				return nil
			}
			d, err := readDelivery(r.GetDelivery())
			if err != nil {
				return err
			}
			// A repeated request begins anew.
			if d.Position <= last {
				page.Deliveries = page.Deliveries[:0]
			}
			if d.Position <= after || len(page.Deliveries) >= MaxCollect {
				return fmt.Errorf("%w: page", ErrProtocol)
			}
			last = d.Position
			page.Deliveries = append(page.Deliveries, d)
			return nil
		})
	return page, err
}

// Watch hands over what lies behind after and then each delivery as it arrives, until
// ctx ends, the stream breaks or each fails. caughtUp is called when all that was
// stored before has been handed over, draining when the agent says that it is leaving.
func (l *Lease) Watch(ctx context.Context, owner ed25519.PrivateKey, after uint64, each func(Delivery) error, caughtUp, draining func()) error {
	return l.operation(ctx, owner, pb.SignedOp_WATCH, &pb.Watch{After: after}, 0, func(r *pb.MailboxResponse) error {
		if r.GetDraining() {
			draining()
		}
		if r.GetCaughtUp() {
			caughtUp()
		}
		if r.GetDelivery() == nil {
			return nil
		}
		d, err := readDelivery(r.GetDelivery())
		if err != nil {
			return err
		}
		// The stream may have been opened anew: what came before comes again.
		if d.Position <= after {
			return nil
		}
		after = d.Position
		return each(d)
	})
}

// Ack lets the agent erase deliveries; positions that are gone are no error.
func (l *Lease) Ack(ctx context.Context, owner ed25519.PrivateKey, positions []uint64) error {
	for len(positions) > 0 {
		n := min(len(positions), MaxAcks)
		err := l.operation(ctx, owner, pb.SignedOp_ACK, &pb.Ack{Positions: positions[:n]}, CallTimeout,
			func(*pb.MailboxResponse) error { return nil })
		if err != nil {
			return err
		}
		positions = positions[n:]
	}
	return nil
}

// Revoke closes a mailbox, silently or so that senders are told; purge erases what is
// stored too.
func (l *Lease) Revoke(ctx context.Context, owner ed25519.PrivateKey, silent, purge bool) error {
	mode := pb.Revoke_CLOSE
	if silent {
		mode = pb.Revoke_SILENT
	}
	return l.operation(ctx, owner, pb.SignedOp_REVOKE, &pb.Revoke{Mode: mode, Purge: purge}, CallTimeout,
		func(*pb.MailboxResponse) error { return nil })
}
