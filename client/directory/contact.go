package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/wire"
	"communicator/wire/pb"
)

// ContactRequest asks for permission to write to a name. Keep it until the package is
// used: asked again, with the same ID, it gets the same package, and a request that waits
// for the owner gets its answer that way.
type ContactRequest struct {
	NS    proof.NSID
	Name  proof.Name
	ID    vend.RequestID // random: [NewRequestID]
	Token *vend.Token    // an invitation's, or a member's; nil for none
	// WorkBits is the proof of work to do, as [Client.Space] says; 0 for none.
	WorkBits uint8
	// Note is for the owner, where the rule is that the owner approves; at most
	// [vend.MaxNote] bytes. The directory can read it: seal it.
	Note []byte
}

// NewRequestID draws one.
func NewRequestID(rand io.Reader) (id vend.RequestID, err error) {
	_, err = io.ReadFull(rand, id[:])
	return id, err
}

// NewToken draws one. Its holder may pass it on; the directory learns its digest, and
// the token itself only when it is shown.
func NewToken(rand io.Reader) (t vend.Token, err error) {
	_, err = io.ReadFull(rand, t[:])
	return t, err
}

// Contact returns a key package, or a [*NotGrantedError].
func (c *Client) Contact(ctx context.Context, r ContactRequest, now time.Time) ([]byte, error) {
	if len(r.Note) > vend.MaxNote {
		return nil, ErrTooMany
	}
	req := &pb.Contact{Namespace: r.NS[:], Name: string(r.Name), Id: r.ID[:], Note: r.Note}
	if r.Token != nil {
		req.Token = r.Token[:]
	}
	if r.WorkBits > 0 {
		work, err := c.work(ctx, r, now)
		if err != nil {
			return nil, err
		}
		req.Work = work
	}
	resp, err := c.call(ctx, &pb.DirectoryRequest{Op: &pb.DirectoryRequest_Contact{Contact: req}})
	var refused *wire.StatusError
	if errors.As(err, &refused) && refused.Status == wire.StatusPermission {
		return nil, &NotGrantedError{RetryAfter: refused.RetryAfter}
	}
	if err != nil {
		return nil, err
	}
	if len(resp.Package) == 0 || len(resp.Package) > vend.MaxPackage {
		return nil, fmt.Errorf("%w: package", ErrProtocol)
	}
	return resp.Package, nil
}

// work looks for a nonce.
func (c *Client) work(ctx context.Context, r ContactRequest, now time.Time) (*pb.ProofOfWork, error) {
	if r.WorkBits > MaxWorkBits {
		return nil, ErrWork
	}
	hour := uint64(vend.HourAt(now))
	name := vend.NameIDOf(r.NS, string(r.Name))
	for nonce := uint64(0); ; nonce++ {
		if nonce%workStep == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if vend.WorkZeros(c.agent, r.NS, name, r.ID, hour, nonce) >= int(r.WorkBits) {
			return &pb.ProofOfWork{Hour: hour, Nonce: nonce}, nil
		}
	}
}
