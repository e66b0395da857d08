package relay

import (
	"context"
	"errors"
	"math"
	"time"

	"communicator/eventlog"
	"communicator/relay/queue"
	"communicator/relay/receipt"
	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/pb"
)

// submit makes a submission durable and answers with a receipt. What is refused is
// refused before anything is stored.
func (s *Service) submit(ctx context.Context, account wire.AccountID, in *pb.Submission, result *Result) (*pb.SubmitResponse, error) {
	if err := s.accepting(ctx); err != nil {
		return nil, err
	}
	now := s.now()
	handle, body, err := s.check(now, in)
	if err != nil {
		return nil, err
	}
	body.Account = account
	event, err := submitted(handle, body)
	if err != nil {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	if err := s.quota.take(account, len(event.Body)); err != nil {
		return s.known(event, err, result)
	}
	it := &submitting{event: event}
	s.submissions.do(it)
	a, err := it.appended, it.err
	if errors.Is(err, errAlone) {
		a, err = s.submitOne(event)
	}
	if err != nil {
		s.quota.release(account, len(event.Body))
		return nil, err
	}
	result.Duplicate = a.Duplicate
	if a.Duplicate {
		s.quota.release(account, len(event.Body))
	} else {
		s.queue(&entry{
			id: queue.ID(a.Seq), handle: handle, account: account, size: uint32(len(event.Body)),
			notAfter: hourOf(body.NotAfter),
		}, in)
	}
	return s.receipt(a)
}

// submitting is a submission on its way into the log.
type submitting struct {
	event    eventlog.Event
	appended eventlog.Appended
	err      error
}

// errAlone: the log refused a submission or one that came in with it.
var errAlone = errors.New("relay: to be appended alone")

// submitAll appends what came in together.
func (s *Service) submitAll(all []*submitting) {
	if len(all) == 1 {
		all[0].appended, all[0].err = s.submitOne(all[0].event)
		return
	}
	events := make([]eventlog.Event, len(all))
	for i, it := range all {
		events[i] = it.event
	}
	appended, err := s.cfg.Log.Append(s.ctx, events...)
	for i, it := range all {
		if err != nil {
			it.err = errAlone
		} else {
			it.appended = appended[i]
		}
	}
}

// submitOne uses the service's own context: a client that hangs up must not leave a
// submission that is stored but queued only at the next start.
func (s *Service) submitOne(event eventlog.Event) (eventlog.Appended, error) {
	appended, err := s.cfg.Log.Append(s.ctx, event)
	if err != nil {
		s.fail(err)
		return eventlog.Appended{}, err
	}
	return appended[0], nil
}

// queue hands an accepted submission on, with what will be asked for soon.
func (s *Service) queue(e *entry, in *pb.Submission) {
	s.states.queued(e.handle)
	s.bodies.keep(e.id, &pb.DeliverRequest{KeyId: in.KeyId, Sealed: in.Sealed, Payload: in.Payload, NotAfter: in.NotAfter})
	s.forwarder.add(e, in.Uri, time.Duration(in.JitterMs)*time.Millisecond)
}

// known answers a submission over a quota: with its receipt if it was accepted
// before, else with the refusal. A row for its handle means that the log still has
// its key, so the event is a duplicate or a conflict, never a new one.
func (s *Service) known(event eventlog.Event, refusal error, result *Result) (*pb.SubmitResponse, error) {
	appended, err := s.cfg.Log.Decide(s.ctx, func(_ time.Time, t eventlog.Tables) ([]eventlog.Event, error) {
		r, err := readRow(t.Table(wire.TableRelay), wire.HandleHash(event.Stream))
		if err != nil {
			return nil, err
		}
		if r == nil {
			return nil, refusal
		}
		return []eventlog.Event{event}, nil
	})
	if err != nil {
		s.fail(err)
		return nil, err
	}
	result.Duplicate = true
	return s.receipt(appended[0])
}

// accepting says whether a submission could be stored at all. Those who come before the
// queue has been read wait for it.
func (s *Service) accepting(ctx context.Context) error {
	select {
	case <-s.loaded:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if !s.clockOK() {
		return refuse(wire.StatusTryAgain, retryClock)
	}
	return nil
}

// check parses a submission and holds it to the rules of docs/submit.md.
func (s *Service) check(now time.Time, in *pb.Submission) (h wire.HandleHash, body receipt.SubmissionBody, err error) {
	if len(in.Payload) > s.limits.MaxPayload || len(in.Uri) > wire.MaxURI {
		return h, body, refuse(wire.StatusTooLarge, 0)
	}
	if len(in.Handle) != len(wire.Handle{}) || len(in.KeyId) != len(wire.KeyID{}) ||
		len(in.Sealed) != wire.SealedSize || len(in.Payload) == 0 {
		return h, body, refuse(wire.StatusMalformed, 0)
	}
	if err := checkNotAfter(now, in.NotAfter); err != nil {
		return h, body, err
	}
	if _, err := s.destination(in.Uri); err != nil {
		return h, body, err
	}
	return wire.Handle(in.Handle).Hash(), receipt.SubmissionBody{
		URI: in.Uri, KeyID: wire.KeyID(in.KeyId), Sealed: in.Sealed, Payload: in.Payload,
		NotAfter: time.Unix(int64(in.NotAfter), 0).UTC(), Jitter: time.Duration(in.JitterMs) * time.Millisecond,
	}, nil
}

// destination parses a URI and refuses one that this agent does not dial.
func (s *Service) destination(in string) (agenturi.URI, error) {
	uri, err := s.uris.parse(in)
	if err != nil || uri.Token != nil {
		return agenturi.URI{}, refuse(wire.StatusMalformed, 0)
	}
	if s.policy.CheckURI(uri) != nil {
		return agenturi.URI{}, refuse(wire.StatusForbidden, 0)
	}
	return uri, nil
}

// checkNotAfter wants whole hours, ahead of now but not further than
// [wire.MaxPutLife].
func checkNotAfter(now time.Time, unix uint64) error {
	if unix%secondsPerHour != 0 || unix > math.MaxUint32*secondsPerHour {
		return refuse(wire.StatusMalformed, 0)
	}
	at := time.Unix(int64(unix), 0)
	if !at.After(now) {
		return refuse(wire.StatusExpired, 0)
	}
	if at.After(now.Add(wire.MaxPutLife)) {
		return refuse(wire.StatusMalformed, 0)
	}
	return nil
}

// receipt proves an accepted submission.
func (s *Service) receipt(a eventlog.Appended) (*pb.SubmitResponse, error) {
	proof := a.Proof
	if proof == nil {
		var err error
		if proof, err = s.cfg.Log.Prove(a.Seq); err != nil {
			return nil, err
		}
	}
	enc, err := receipt.Receipt{Kind: receipt.Accepted, Root: s.cfg.Root, Proof: proof}.Marshal()
	if err != nil {
		return nil, err
	}
	return &pb.SubmitResponse{Receipt: enc}, nil
}
