package client

import (
	"context"
	"crypto/ed25519"
	"slices"
	"time"

	"communicator/mailbox/address"
	"communicator/wire"
	"communicator/wire/descriptor"
	"communicator/wire/mux"
	"communicator/wire/pb"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
)

func (a *fakeAgent) mailbox(ctx context.Context, from peer.ID, body []byte, w mux.ReplyWriter) error {
	var req pb.MailboxRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		return err
	}
	if h := req.GetHello(); h != nil {
		return w.Reply(&pb.MailboxResponse{Status: ok, Hello: a.hello(h)})
	}
	s := req.GetSigned()
	signed := address.OperationBytes(a.id, []byte(from), fakeNonce, uint8(s.Op), s.Body)
	if !ed25519.Verify(s.Owner, signed, s.Signature) {
		return w.Reply(&pb.MailboxResponse{Status: uint32(wire.StatusAuth)})
	}
	id := wire.MailboxIDOf(s.Owner)
	a.set(func() {
		if a.peers[from] == nil {
			a.peers[from] = map[wire.MailboxID]bool{}
		}
		a.peers[from][id] = true
	})
	switch s.Op {
	case pb.SignedOp_CREATE:
		return a.create(id, s.Body, w)
	case pb.SignedOp_COLLECT:
		var c pb.Collect
		if err := proto.Unmarshal(s.Body, &c); err != nil {
			return err
		}
		if err := a.items(id, c.After, w); err != nil {
			return err
		}
		return w.Reply(&pb.MailboxResponse{Status: ok})
	case pb.SignedOp_WATCH:
		return a.watch(ctx, id, s.Body, w)
	case pb.SignedOp_ACK:
		var k pb.Ack
		if err := proto.Unmarshal(s.Body, &k); err != nil {
			return err
		}
		a.set(func() {
			if box := a.boxes[id]; box != nil {
				box.deliveries = slices.DeleteFunc(box.deliveries, func(d *pb.Delivery) bool { return slices.Contains(k.Positions, d.Position) })
			}
		})
	case pb.SignedOp_REVOKE:
		var r pb.Revoke
		if err := proto.Unmarshal(s.Body, &r); err != nil {
			return err
		}
		a.set(func() { a.boxes[id].mode = r.Mode })
	}
	return w.Reply(&pb.MailboxResponse{Status: ok})
}

func (a *fakeAgent) create(id wire.MailboxID, body []byte, w mux.ReplyWriter) error {
	var c pb.Create
	if err := proto.Unmarshal(body, &c); err != nil {
		return err
	}
	caps, epoch := wire.Caps(c.Caps), wire.EpochAt(a.net.now())
	pin := wire.PinOf(a.id, epoch, a.seal.Public().Marshal())
	if caps&wire.CapLifeline != 0 {
		epoch = wire.LifelineYearAt(a.net.now())
		d, err := descriptor.Parse(a.describe().Descriptor_, a.id)
		if err != nil {
			return err
		}
		pin = wire.EpochPin(d.Chain())
	}
	exp := time.Unix(int64(c.Expires), 0).UTC()
	key := address.Mint(a.secret, id, epoch, exp, caps)
	a.set(func() { a.boxes[id] = &fakeBox{} })
	return w.Reply(&pb.MailboxResponse{Status: ok, Created: &pb.Created{
		Key: key[:], Epoch: uint32(epoch), Expires: c.Expires, Caps: c.Caps, Pin: pin[:]}})
}

func (a *fakeAgent) items(id wire.MailboxID, after uint64, w mux.ReplyWriter) error {
	a.mu.Lock()
	var out []*pb.Delivery
	if box := a.boxes[id]; box != nil {
		for _, d := range box.deliveries {
			if d.Position > after {
				out = append(out, d)
			}
		}
	}
	draining := a.draining
	a.mu.Unlock()
	for _, d := range out {
		if err := w.Item(&pb.MailboxResponse{Status: ok, Delivery: d, Draining: draining}); err != nil {
			return err
		}
	}
	return nil
}

func (a *fakeAgent) watch(ctx context.Context, id wire.MailboxID, body []byte, w mux.ReplyWriter) error {
	var req pb.Watch
	if err := proto.Unmarshal(body, &req); err != nil {
		return err
	}
	caughtUp := false
	for after := req.After; ; {
		a.mu.Lock()
		changed, box := a.changed, a.boxes[id]
		var out []*pb.Delivery
		if box != nil {
			for _, d := range box.deliveries {
				if d.Position > after {
					out = append(out, d)
				}
			}
		}
		a.mu.Unlock()
		for _, d := range out {
			after = d.Position
			if err := w.Item(&pb.MailboxResponse{Status: ok, Delivery: d}); err != nil {
				return err
			}
		}
		if !caughtUp {
			caughtUp = true
			if err := w.Item(&pb.MailboxResponse{Status: ok, CaughtUp: true}); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (a *fakeAgent) blob(_ context.Context, _ peer.ID, body []byte, w mux.ReplyWriter) error {
	var req pb.BlobRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		return err
	}
	resp := &pb.BlobResponse{Status: ok}
	a.mu.Lock()
	switch op := req.Op.(type) {
	case *pb.BlobRequest_Hello:
		resp.Hello = &pb.HelloReply{Nonce: fakeNonce[:]}
	case *pb.BlobRequest_Put:
		a.blobs[[32]byte(op.Put.Id)] = op.Put
	case *pb.BlobRequest_Get:
		b := a.blobs[[32]byte(op.Get)]
		if b == nil {
			resp.Status = uint32(wire.StatusNotFound)
		} else {
			resp.Content = b.Content
		}
	case *pb.BlobRequest_Delete:
		b := a.blobs[[32]byte(op.Delete.Id)]
		if b != nil && wire.Hash(wire.LabelBlobDelete, op.Delete.DeleteKey) == [32]byte(b.DeleteHash) {
			delete(a.blobs, [32]byte(op.Delete.Id))
		}
	}
	a.mu.Unlock()
	return w.Reply(resp)
}
