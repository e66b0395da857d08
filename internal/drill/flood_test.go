package drill

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"

	"github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/proto"
)

// flooding is how many requests a flood has under way on each stream.
const flooding = 32

// flood asks, as fast as it is answered, for what it has no permission for: to submit,
// to make mailboxes, and to deliver what cannot be opened.
func (v *villain) flood(ctx context.Context) error {
	notAfter := uint64(time.Now().Add(2 * time.Hour).Truncate(time.Hour).Unix())
	sealed, payload := noise(wire.SealedSize), noise(1<<10)
	floods := []struct {
		proto   protocol.ID
		request proto.Message
		reply   func() proto.Message
	}{
		{wire.ProtocolSubmit, &pb.SubmitRequest{Op: &pb.SubmitRequest_Submit{Submit: &pb.Submission{
			Handle: noise(len(wire.Handle{})), Uri: v.to.String(), KeyId: v.keyID, Sealed: sealed, Payload: payload, NotAfter: notAfter}}},
			func() proto.Message { return &pb.SubmitResponse{} }},
		{wire.ProtocolMailbox, &pb.MailboxRequest{Op: &pb.MailboxRequest_Signed{Signed: &pb.SignedOp{
			Op: pb.SignedOp_CREATE, Owner: noise(32), Signature: noise(64)}}},
			func() proto.Message { return &pb.MailboxResponse{} }},
		{wire.ProtocolDeliver, &pb.DeliverRequest{KeyId: v.keyID, Sealed: sealed, Payload: payload, NotAfter: notAfter},
			func() proto.Message { return &pb.DeliverResponse{} }},
	}
	var done sync.WaitGroup
	defer done.Wait()
	for _, f := range floods {
		s, err := v.open(ctx, f.proto)
		if err != nil {
			continue
		}
		client := mux.NewClient(s, mux.Limits{MaxInFlight: flooding})
		for range flooding {
			done.Go(func() {
				for ctx.Err() == nil && client.Call(ctx, f.request, f.reply()) == nil {
					v.tally.Refused.Add(1)
				}
			})
		}
		done.Go(func() {
			select {
			case <-client.Done():
			case <-ctx.Done():
			}
			_ = client.Close()
		})
	}
	return nil
}

// noise is so many random bytes.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return b
}
