package mailbox

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/mailbox/address"
	"communicator/wire"
	"communicator/wire/pb"
)

var (
	// errAbuse ends a stream of nothing but bad requests.
	errAbuse = errors.New("mailbox: too many bad requests on a stream")
	// errGone stands for whatever a transport says when an answer cannot be sent:
	// that may hold addresses, and gets no further than here.
	errGone = errors.New("mailbox: the asker has gone")
)

// session is what a stream of an owner, or of a user of blobs, has established.
type session struct {
	*Service
	remote peer.ID
	nonce  [32]byte // this stream's: no signature works on another

	mu       sync.Mutex // guards the rest
	greeted  bool
	admitted bool
	account  wire.AccountID
	bad      int
}

func (s *Service) newSession(remote peer.ID) (*session, error) {
	c := &session{Service: s, remote: remote}
	if _, err := io.ReadFull(s.cfg.Rand, c.nonce[:]); err != nil {
		return nil, fmt.Errorf("mailbox: no randomness: %w", err)
	}
	return c, nil
}

// hello greets the stream. One without a credential asks only for the nonce, which
// is all that a mailbox's owner needs to collect; one that is refused gets it too, and
// may be repeated with the proof of work that the reply asks for.
func (c *session) hello(ctx context.Context, h *pb.Hello) (*pb.HelloReply, error) {
	q := c.cfg.Limits.Quotas
	reply := &pb.HelloReply{
		Nonce: c.nonce[:], WorkBits: c.cfg.Access.WorkBits(),
		MailboxQuota: c.cfg.Limits.MailboxesPerAccount, DeliveryQuota: q.Deliveries, ByteQuota: q.Bytes,
		Draining: c.draining.Load(),
	}
	c.mu.Lock()
	c.greeted = true
	c.mu.Unlock()
	if len(h.Credential) == 0 {
		return reply, nil
	}
	account, err := c.cfg.Access.Admit(ctx, c.remote, h)
	if err != nil {
		return reply, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.account, c.admitted = account, true
	return reply, nil
}

// permission returns the account that the stream's hello opened.
func (c *session) permission() (wire.AccountID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.admitted {
		return wire.AccountID{}, refuse(wire.StatusPermission, 0)
	}
	return c.account, nil
}

// authorise checks the owner's signature over one operation, and returns the mailbox.
func (c *session) authorise(op *pb.SignedOp) (wire.MailboxID, error) {
	if len(op.Owner) != ed25519.PublicKeySize || len(op.Signature) != ed25519.SignatureSize ||
		op.Op < 0 || op.Op > 0xff {
		return wire.MailboxID{}, refuse(wire.StatusMalformed, 0)
	}
	if len(op.Body) > maxOperation {
		return wire.MailboxID{}, refuse(wire.StatusTooLarge, 0)
	}
	c.mu.Lock()
	greeted := c.greeted
	c.mu.Unlock()
	signed := address.OperationBytes(c.cfg.Agent, []byte(c.remote), c.nonce, uint8(op.Op), op.Body)
	if !greeted || !ed25519.Verify(op.Owner, signed, op.Signature) {
		return wire.MailboxID{}, refuse(wire.StatusAuth, 0)
	}
	return wire.MailboxIDOf(op.Owner), nil
}

// ended says whether the asker has gone, cancelled, or lost the stream, so that what
// the request failed with says nothing about it; the request is then recorded without
// a status.
func (c *session) ended(ctx context.Context, op string, failed error) bool {
	if ctx.Err() == nil && !errors.Is(failed, errGone) {
		return false
	}
	c.record(context.WithoutCancel(ctx), op, wire.StatusUnspecified, nil)
	return true
}

// finish records an answered request. The error it returns ends the stream: an asker
// who has gone, or too many requests that were not even well-formed.
func (c *session) finish(ctx context.Context, op string, refused, sent error) error {
	status, _ := statusOf(refused)
	c.record(ctx, op, status, refused)
	if sent != nil {
		return errGone
	}
	if status != wire.StatusMalformed && status != wire.StatusTooLarge && status != wire.StatusAuth {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bad++
	if c.bad >= c.cfg.Limits.BadRequests {
		return errAbuse
	}
	return nil
}
