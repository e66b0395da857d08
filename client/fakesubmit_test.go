package client

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"time"

	"communicator/mailbox/address"
	"communicator/relay/receipt"
	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/logproof"
	"communicator/wire/mux"
	"communicator/wire/pb"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
)

func (a *fakeAgent) submit(ctx context.Context, _ peer.ID, body []byte, w mux.ReplyWriter) error {
	var req pb.SubmitRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		return err
	}
	switch op := req.Op.(type) {
	case *pb.SubmitRequest_Hello:
		return w.Reply(&pb.SubmitResponse{Status: ok, Hello: a.hello(op.Hello)})
	case *pb.SubmitRequest_Submit:
		return a.take(op.Submit, w)
	case *pb.SubmitRequest_Fetch:
		return a.fetch(ctx, op.Fetch, w)
	case *pb.SubmitRequest_Ack:
		a.set(func() {
			for _, h := range op.Ack.Handles {
				delete(a.outcomes, wire.Handle(h))
			}
		})
		return w.Reply(&pb.SubmitResponse{Status: ok})
	case *pb.SubmitRequest_Descriptor_:
		to := a.net.find(op.Descriptor_.Uri)
		if to == nil || to.unreachable() {
			return w.Reply(&pb.SubmitResponse{Status: uint32(wire.StatusUnreachable)})
		}
		return w.Reply(&pb.SubmitResponse{Status: ok, Descriptor_: to.describe()})
	}
	return mux.ErrProtocol
}

func (n *fakeNet) find(uri string) *fakeAgent {
	u, err := agenturi.Parse(uri)
	if err != nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.agents[u.Agent]
}

func (a *fakeAgent) unreachable() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.down || a.deaf
}

// take accepts a submission and forwards it in the background of the next fetch.
func (a *fakeAgent) take(s *pb.Submission, w mux.ReplyWriter) error {
	a.mu.Lock()
	a.submitted++
	if declines := a.declines; declines != 0 {
		a.mu.Unlock()
		return w.Reply(&pb.SubmitResponse{Status: uint32(declines)})
	}
	handle := wire.Handle(s.Handle)
	// A repeat of what was forwarded: body and salt are erased, as at a real agent.
	erased := a.outcomes[handle] != nil && a.outcomes[handle].outcome != nil
	if a.outcomes[handle] == nil {
		a.outcomes[handle] = &fakeOutcome{submission: s}
	}
	mute := a.mute > 0
	if mute {
		a.mute--
	}
	var account wire.AccountID
	for c := range a.accounts {
		account = wire.Credential([]byte(c)).Account()
	}
	a.mu.Unlock()
	a.forward(handle)
	if mute {
		return mux.ErrProtocol
	}
	b, err := receipt.SubmissionBody{Account: account, URI: s.Uri, KeyID: wire.KeyID(s.KeyId), Sealed: s.Sealed,
		Payload: s.Payload, NotAfter: time.Unix(int64(s.NotAfter), 0), Jitter: time.Duration(s.JitterMs) * time.Millisecond}.Marshal()
	if err != nil {
		return err
	}
	stream := handle.Hash()
	return w.Reply(&pb.SubmitResponse{Status: ok, Receipt: a.receipt(receipt.Accepted, receipt.EventAccepted, stream[:], b, erased)})
}

// receipt signs a log of one event; of one whose body is erased, without the salt.
func (a *fakeAgent) receipt(kind receipt.Kind, event logproof.Kind, stream, body []byte, erased bool) []byte {
	salt := [logproof.SaltSize]byte{7}
	record, err := logproof.AppendRecord(nil, &logproof.Record{Seq: 1, Time: a.net.now().Truncate(logproof.TimeGrain),
		Kind: event, Version: 1, Stream: stream, BodyLen: uint32(len(body)), BodyHash: logproof.HashBody(&salt, body)})
	if err != nil {
		panic(err)
	}
	head := logproof.Head{Number: 1, Root: logproof.NewTree([][32]byte{logproof.HashRecord(record)}).Root(), First: 1, Count: 1}
	head.Sign(a.key)
	proof := &logproof.Proof{Number: 1, First: 1, Count: 1, Signature: head.Signature, Record: record, Salt: salt[:]}
	if erased {
		proof.Salt = nil
	}
	b, err := receipt.Receipt{Kind: kind, Root: a.key.Public().(ed25519.PublicKey), Proof: proof}.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

// forward delivers what has not been delivered, if the receiving agent can be reached.
func (a *fakeAgent) forward(h wire.Handle) {
	a.mu.Lock()
	o := a.outcomes[h]
	if o != nil && o.outcome == nil {
		o.refused = a.refuses
	}
	a.mu.Unlock()
	if o == nil || o.outcome != nil || o.refused != 0 {
		return
	}
	to := a.net.find(o.submission.Uri)
	if to == nil || to.unreachable() {
		return
	}
	outcome := to.deliver(o.submission)
	a.set(func() { o.outcome = outcome })
}

// deliver is a receiving agent's side of a put.
func (a *fakeAgent) deliver(s *pb.Submission) []byte {
	hash, notAfter := wire.HashPayload(s.Payload), time.Unix(int64(s.NotAfter), 0).UTC()
	opened, err := address.Open(a.seal, a.id, s.Sealed, hash, notAfter)
	if err != nil || opened.Verify(a.secret, a.id, hash, notAfter) != nil {
		return address.RandomOutcome(rand.Reader)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	box := a.boxes[opened.Mailbox]
	out := address.Outcome{Code: address.Stored}
	switch {
	case box == nil || box.mode == pb.Revoke_CLOSE:
		out.Code = address.Closed
	case a.full:
		out = address.Outcome{Code: address.Full, RetryAfter: time.Minute}
	case box.mode == pb.Revoke_SILENT:
		out.Receipt = a.receipt(receipt.Stored, receipt.EventStored, nil, s.Payload, false)
	default:
		a.seq++
		a.puts++
		box.deliveries = append(box.deliveries, &pb.Delivery{Position: a.seq, Payload: s.Payload, Received: uint64(a.net.now().Unix())})
		out.Receipt = a.receipt(receipt.Stored, receipt.EventStored, nil, s.Payload, false)
		a.wake()
	}
	return opened.Reply.Seal(rand.Reader, out, hash, notAfter)
}

func (a *fakeAgent) fetch(ctx context.Context, f *pb.FetchOutcomes, w mux.ReplyWriter) error {
	deadline := time.After(time.Duration(f.WaitSeconds) * time.Second)
	for {
		a.mu.Lock()
		changed := a.changed
		a.mu.Unlock()
		var states []*pb.OutcomeState
		known := false
		for _, b := range f.Handles {
			a.forward(wire.Handle(b))
			a.mu.Lock()
			s := &pb.OutcomeState{Handle: b, State: pb.OutcomeState_UNKNOWN}
			switch o := a.outcomes[wire.Handle(b)]; {
			case o == nil:
			case o.outcome != nil:
				s.State, s.Outcome = pb.OutcomeState_FORWARDED, o.outcome
			case o.refused != 0:
				s.State, s.Status = pb.OutcomeState_REFUSED, uint32(o.refused)
			default:
				s.State = pb.OutcomeState_PENDING
			}
			a.mu.Unlock()
			known = known || s.State != pb.OutcomeState_PENDING
			states = append(states, s)
		}
		if !known && f.WaitSeconds > 0 {
			select {
			case <-changed:
				continue
			case <-deadline:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		for _, s := range states {
			if err := w.Item(&pb.SubmitResponse{Outcome: s}); err != nil {
				return err
			}
		}
		return w.Reply(&pb.SubmitResponse{Status: ok})
	}
}
