package relay

import (
	"context"
	"errors"
	"time"

	"communicator/relay/queue"
	"communicator/relay/receipt"
	"communicator/wire"
	"communicator/wire/pb"
)

// attempt delivers one submission once and posts how it went. Every attempt carries
// the same bytes, which is how the receiving agent knows a repetition.
func (f *forwarder) attempt(ctx context.Context, e *entry, send queue.Send) {
	start := f.s.now()
	result := Result{Op: OpForward, Attempt: send.Attempt}
	in, err := f.deliver(ctx, e, send, &result)
	in.ID = send.ID
	if ctx.Err() != nil && in.Kind != queue.Settled {
		return // the service is closing: the row keeps it
	}
	result.Took = f.s.now().Sub(start)
	f.s.observe(result, err)
	f.post(event{in: in})
}

func (f *forwarder) deliver(ctx context.Context, e *entry, send queue.Send, result *Result) (queue.Input, error) {
	result.Status = wire.StatusUnreachable
	if send.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, send.Timeout)
		defer cancel()
	}
	link := f.s.links.acquire(send.Destination)
	defer link.release()
	conn, err := link.open(ctx)
	if errors.Is(err, errForbidden) {
		result.Status = wire.StatusForbidden
		return queue.Input{Kind: queue.Held}, err
	}
	if err != nil {
		result.WrongPeer = errors.Is(err, errWrongPeer)
		return queue.Input{Kind: queue.Failed}, err
	}
	req, err := f.request(e)
	if err != nil {
		result.Status = wire.StatusInternal
		return queue.Input{Kind: queue.Held}, err
	}
	var resp pb.DeliverResponse
	if err := conn.call(ctx, req, &resp); err != nil {
		return queue.Input{Kind: queue.Failed}, err
	}
	result.Status = wire.Status(resp.Status).Known()
	answer, ok := settlementOf(e, &resp)
	if !ok {
		return refusal(&resp, result), nil
	}
	if err := f.s.settle(answer); err != nil {
		result.Status = wire.StatusInternal
		return queue.Input{Kind: queue.Held}, err
	}
	return queue.Input{Kind: queue.Settled}, nil
}

// forGood says whether the same bytes would be refused at every attempt. A status that
// this version does not know is not, nor is one that hangs on a clock.
func forGood(s wire.Status) bool {
	switch s {
	case wire.StatusMalformed, wire.StatusTooLarge, wire.StatusPermission, wire.StatusForbidden, wire.StatusUnsupported:
		return true
	}
	return false
}

// refusal says what an answer that settles nothing means for the queue. Where the
// agent asks to be left alone the whole destination pauses; any other answer concerns
// this submission alone.
func refusal(resp *pb.DeliverResponse, result *Result) queue.Input {
	if result.Status == wire.StatusOK {
		result.Status = wire.StatusMalformed // an outcome of the wrong size
	}
	if result.Status.Retryable() {
		return queue.Input{Kind: queue.Deferred, RetryAfter: time.Duration(resp.RetryAfterSeconds) * time.Second}
	}
	return queue.Input{Kind: queue.Refused}
}

// request takes a fresh submission from memory, or reads it back from the log, which
// checks it.
func (f *forwarder) request(e *entry) (*pb.DeliverRequest, error) {
	if req := f.s.bodies.take(e.id); req != nil {
		return req, nil
	}
	b, err := f.s.cfg.Log.Body(uint64(e.id))
	if err != nil {
		return nil, err
	}
	body, err := receipt.ParseSubmissionBody(b)
	if err != nil {
		return nil, err
	}
	return &pb.DeliverRequest{
		KeyId: body.KeyID[:], Sealed: body.Sealed, Payload: body.Payload,
		NotAfter: uint64(body.NotAfter.Unix()),
	}, nil
}
