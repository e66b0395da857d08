package transport

import (
	"context"
	"fmt"
	"time"

	"communicator/wire"
	"communicator/wire/pb"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
)

// Submission is one attempt to deliver, as a sending agent takes it.
type Submission struct {
	Handle   wire.Handle
	URI      string // of the receiving agent
	KeyID    wire.KeyID
	Sealed   []byte
	Payload  []byte
	NotAfter time.Time     // whole hours
	Jitter   time.Duration // mean of an exponential delay; zero for none
}

// OutcomeState is what a sending agent knows of a submission.
type OutcomeState struct {
	Handle  wire.Handle
	State   pb.OutcomeState_State
	Outcome []byte // sealed by the receiving agent, if State is FORWARDED
}

var submitKey = streamKey{proto: wire.ProtocolSubmit, account: true}

func (l *Lease) submitHello() helloFunc {
	return l.pool.greet(func(h *pb.Hello) proto.Message {
		return &pb.SubmitRequest{Op: &pb.SubmitRequest_Hello{Hello: h}}
	}, func() answer { return &pb.SubmitResponse{} })
}

func (l *Lease) submitCall(ctx context.Context, req *pb.SubmitRequest) (*pb.SubmitResponse, error) {
	resp := &pb.SubmitResponse{}
	err := l.call(ctx, submitKey, l.submitHello(), func(ctx context.Context, s *stream, _ peer.ID) error {
		proto.Reset(resp)
		if err := request(ctx, s, req, resp); err != nil {
			return err
		}
		return statusError(resp.GetStatus(), resp.GetRetryAfterSeconds())
	})
	return resp, err
}

// Hello opens the account, if it is not yet open, and says whether the agent is leaving.
func (l *Lease) Hello(ctx context.Context) (draining bool, err error) {
	err = l.call(ctx, submitKey, l.submitHello(), func(_ context.Context, s *stream, _ peer.ID) error {
		draining = s.draining
		return nil
	})
	return draining, err
}

// Submit hands a submission over and returns the agent's receipt. The same submission
// again brings the same receipt.
func (l *Lease) Submit(ctx context.Context, sub Submission) (receipt []byte, err error) {
	resp, err := l.submitCall(ctx, &pb.SubmitRequest{Op: &pb.SubmitRequest_Submit{Submit: &pb.Submission{
		Handle: sub.Handle[:], Uri: sub.URI, KeyId: sub.KeyID[:], Sealed: sub.Sealed, Payload: sub.Payload,
		NotAfter: uint64(sub.NotAfter.Unix()), JitterMs: uint32(sub.Jitter / time.Millisecond),
	}}})
	if err != nil {
		return nil, err
	}
	if len(resp.GetReceipt()) == 0 || len(resp.GetReceipt()) > wire.MaxReceipt {
		return nil, fmt.Errorf("%w: receipt", ErrProtocol)
	}
	return resp.GetReceipt(), nil
}

// FetchOutcomes asks what became of at most [MaxHandles] submissions. With wait, at
// most [MaxWait], the agent answers when the first of them is known.
func (l *Lease) FetchOutcomes(ctx context.Context, handles []wire.Handle, wait time.Duration) ([]OutcomeState, error) {
	asked := make(map[wire.Handle]bool, len(handles))
	req := &pb.FetchOutcomes{WaitSeconds: uint32(min(wait, MaxWait) / time.Second)}
	for i, h := range handles {
		asked[h] = true
		req.Handles = append(req.Handles, handles[i][:])
	}
	var out []OutcomeState
	take := func(resp *pb.SubmitResponse) error {
		if err := statusError(resp.GetStatus(), resp.GetRetryAfterSeconds()); err != nil && resp.GetStatus() != 0 {
			return err
		}
		o := resp.GetOutcome()
		if o == nil {
			return nil
		}
		if len(o.GetHandle()) != len(wire.Handle{}) || !asked[wire.Handle(o.GetHandle())] {
			return fmt.Errorf("%w: outcome", ErrProtocol)
		}
		h := wire.Handle(o.GetHandle())
		asked[h] = false
		out = append(out, OutcomeState{Handle: h, State: o.GetState(), Outcome: o.GetOutcome()})
		return nil
	}
	err := l.call(ctx, submitKey, l.submitHello(), func(ctx context.Context, s *stream, _ peer.ID) error {
		for _, h := range handles {
			asked[h] = true
		}
		out = out[:0]
		ctx, cancel := context.WithTimeout(ctx, CallTimeout+wait)
		defer cancel()
		return items(ctx, s, &pb.SubmitRequest{Op: &pb.SubmitRequest_Fetch{Fetch: req}},
			func() *pb.SubmitResponse { return &pb.SubmitResponse{} }, take)
	})
	return out, err
}

// AckOutcomes lets the agent forget at most [MaxHandles] outcomes.
func (l *Lease) AckOutcomes(ctx context.Context, handles []wire.Handle) error {
	req := &pb.AckOutcomes{}
	for i := range handles {
		req.Handles = append(req.Handles, handles[i][:])
	}
	_, err := l.submitCall(ctx, &pb.SubmitRequest{Op: &pb.SubmitRequest_Ack{Ack: req}})
	return err
}

// FetchDescriptor asks the sending agent for another agent's newest descriptor and the
// links that lead to it from the known one. The caller verifies both.
func (l *Lease) FetchDescriptor(ctx context.Context, uri string, known *[32]byte) (signed []byte, links [][32]byte, err error) {
	req := &pb.FetchDescriptor{Uri: uri}
	if known != nil {
		req.KnownChain = known[:]
	}
	resp, err := l.submitCall(ctx, &pb.SubmitRequest{Op: &pb.SubmitRequest_Descriptor_{Descriptor_: req}})
	if err != nil {
		return nil, nil, err
	}
	return readDescriptor(resp.GetDescriptor_())
}

func readDescriptor(d *pb.DescriptorReply) ([]byte, [][32]byte, error) {
	if d == nil || len(d.GetLinks()) > maxLinks || len(d.GetDescriptor_()) > wire.MaxDescriptor {
		return nil, nil, fmt.Errorf("%w: descriptor", ErrProtocol)
	}
	if status := d.GetStatus(); status != 0 {
		if err := statusError(status, 0); err != nil {
			return nil, nil, err
		}
	}
	links := make([][32]byte, 0, len(d.GetLinks()))
	for _, link := range d.GetLinks() {
		if len(link) != 32 {
			return nil, nil, fmt.Errorf("%w: descriptor", ErrProtocol)
		}
		links = append(links, [32]byte(link))
	}
	return d.GetDescriptor_(), links, nil
}

// Descriptor asks the connected agent for its own descriptor: for the person's own
// agents only.
func (l *Lease) Descriptor(ctx context.Context) (signed []byte, err error) {
	resp := &pb.DescriptorReply{}
	err = l.call(ctx, streamKey{proto: wire.ProtocolDescriptor}, nil, func(ctx context.Context, s *stream, _ peer.ID) error {
		proto.Reset(resp)
		return request(ctx, s, &pb.DescriptorRequest{}, resp)
	})
	if err != nil {
		return nil, err
	}
	signed, _, err = readDescriptor(resp)
	return signed, err
}
