package relay

import (
	"context"
	"errors"
	"time"

	"communicator/eventlog"
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
	if ctx.Err() != nil && in.Kind != queue.Taken {
		return // the service is closing: the row keeps it
	}
	result.Took = f.s.now().Sub(start)
	f.s.observe(result, err)
	f.post(event{in: in})
}

func (f *forwarder) deliver(ctx context.Context, e *entry, send queue.Send, result *Result) (queue.Input, error) {
	result.Status = wire.StatusUnreachable
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
	if result.Status != wire.StatusOK || len(resp.Outcome) != wire.OutcomeSize {
		return refusal(&resp, result), nil
	}
	if err := f.s.settle(e, resp.Outcome); err != nil {
		result.Status = wire.StatusInternal
		return queue.Input{Kind: queue.Held}, err
	}
	return queue.Input{Kind: queue.Taken}, nil
}

// refusal says what an answer other than "taken" means for the queue. What the
// agent may take later pauses the whole destination; what it refuses for good
// concerns this submission alone.
func refusal(resp *pb.DeliverResponse, result *Result) queue.Input {
	if result.Status == wire.StatusOK {
		result.Status = wire.StatusMalformed // an outcome of the wrong size
	}
	if result.Status.Retryable() {
		return queue.Input{Kind: queue.Deferred, RetryAfter: time.Duration(resp.RetryAfterSeconds) * time.Second}
	}
	return queue.Input{Kind: queue.Refused}
}

// request reads the submission back from the log, which checks it.
func (f *forwarder) request(e *entry) (*pb.DeliverRequest, error) {
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

// settle makes an outcome durable if the submission is still queued, then tells
// whoever waits for it. An outcome that came back is stored even while the service
// closes, which would otherwise have to ask for it again.
func (s *Service) settle(e *entry, outcome []byte) error {
	ctx := context.WithoutCancel(s.ctx)
	event := forwarded(e.handle, settled{submitted: uint64(e.id), notAfter: e.notAfter}, outcome)
	appended, err := s.cfg.Log.Decide(ctx, func(_ time.Time, t eventlog.Tables) ([]eventlog.Event, error) {
		queued, err := isQueued(t.Table(wire.TableRelay), e)
		if err != nil || !queued {
			return nil, err
		}
		return []eventlog.Event{event}, nil
	})
	if err != nil {
		s.fail(err)
		return err
	}
	if len(appended) > 0 {
		s.settled(e)
	}
	return nil
}

func isQueued(table eventlog.Reader, e *entry) (bool, error) {
	r, err := readRow(table, e.handle)
	return r != nil && r.state == stateQueued && r.seq == uint64(e.id), err
}

// settled follows the commit of Forwarded or Abandoned: the outcome is counted
// before the place is given back, so that the total never dips.
func (s *Service) settled(e *entry) {
	s.quota.outcome(1)
	s.quota.release(e.account, int(e.size))
	s.waiters.settle(e.handle)
}
