package mailbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"communicator/eventlog"
	"communicator/mailbox/address"
	"communicator/mailbox/admit"
	"communicator/wire"
	"communicator/wire/pb"
)

// deliver answers one put. The protocol is docs/deliver.md.
func (s *Service) deliver(ctx context.Context, remote peer.ID, body []byte) *pb.DeliverResponse {
	outcome, err := s.put(ctx, remote, body)
	if err != nil && ctx.Err() != nil {
		err = refuse(wire.StatusTryAgain, retryOverload) // nobody reads it any more
	}
	status, retry := statusOf(err)
	s.record(ctx, "deliver", status, err)
	return &pb.DeliverResponse{
		Status: uint32(status), RetryAfterSeconds: seconds(retry), Outcome: outcome,
	}
}

// put takes a put through its checks, cheapest first, and returns the sealed outcome,
// or the reason for which nothing was taken.
func (s *Service) put(ctx context.Context, remote peer.ID, body []byte) ([]byte, error) {
	now := s.cfg.Now()
	in, err := parsePut(body, now)
	if err != nil {
		return nil, err
	}
	if err := s.storing(); err != nil {
		return nil, err
	}
	give, err := s.reserve(len(in.payload))
	if err != nil {
		return nil, err
	}
	o := &opening{incoming: in, queued: now, done: make(chan struct{})}
	defer func() { give(o.stored) }()
	s.cfg.Metrics.waiting.Inc()
	suspect, known := s.failures.Spent(remote, now), s.known.has(remote)
	if !s.openings.offer(o, known, suspect) {
		s.cfg.Metrics.waiting.Dec()
		if suspect || !known { // held, so that repeating at once costs it its places in flight
			hold(ctx, retryOverload)
		}
		return nil, refuse(wire.StatusTryAgain, retryOverload)
	}
	select {
	case <-o.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.ctx.Done():
		return nil, refuse(wire.StatusTryAgain, retryOverload)
	}
	s.cfg.Metrics.opening.Observe(s.cfg.Now().Sub(now).Seconds())
	if !o.valid {
		s.failures.Spend(remote, now)
		return s.answerUnverified(ctx, o)
	}
	s.known.add(remote)
	if !o.keys {
		return nil, refuse(wire.StatusTryAgain, retryOverload)
	}
	return s.commit(ctx, o)
}

// hostile says whether a peer has sent bad seals beyond its budget, and never a good one.
func (s *Service) hostile(remote peer.ID) bool {
	return !s.known.has(remote) && s.failures.Spent(remote, s.cfg.Now())
}

// hold waits for up to twice a while, or until ctx ends: those who come together must not
// leave together, and then come again as one wave.
func hold(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// parsePut checks shape, sizes and expiry: nothing in it costs a public-key operation.
func parsePut(body []byte, now time.Time) (incoming, error) {
	var req pb.DeliverRequest
	if proto.Unmarshal(body, &req) != nil {
		return incoming{}, refuse(wire.StatusMalformed, 0)
	}
	if len(req.Payload) > wire.MaxPayload {
		return incoming{}, refuse(wire.StatusTooLarge, 0)
	}
	var in incoming
	if len(req.KeyId) != len(in.keyID) || len(req.Sealed) != wire.SealedSize || len(req.Payload) == 0 ||
		req.NotAfter > maxUnix {
		return incoming{}, refuse(wire.StatusMalformed, 0)
	}
	in.keyID, in.sealed, in.payload = wire.KeyID(req.KeyId), req.Sealed, req.Payload
	in.notAfter = time.Unix(int64(req.NotAfter), 0).UTC()
	switch err := address.CheckNotAfter(in.notAfter, now); {
	case errors.Is(err, address.ErrExpired):
		return incoming{}, refuse(wire.StatusExpired, 0)
	case err != nil:
		return incoming{}, refuse(wire.StatusMalformed, 0)
	}
	return in, nil
}

// answerUnverified answers a put whose seal does not open, or whose tag is wrong. It
// waits for a commit like every other.
func (s *Service) answerUnverified(ctx context.Context, o *opening) ([]byte, error) {
	_, err := s.cfg.Log.Decide(ctx, func(time.Time, eventlog.Tables) ([]eventlog.Event, error) { return nil, nil })
	if err != nil {
		return nil, err
	}
	if !o.opened {
		s.cfg.Metrics.puts.WithLabelValues("unopened").Inc()
		return address.RandomOutcome(s.cfg.Rand), nil
	}
	s.cfg.Metrics.puts.WithLabelValues("closed").Inc()
	return o.reply.Seal(s.cfg.Rand, address.Outcome{Code: address.Closed}, o.hash, o.notAfter), nil
}

// commit lets the log's writer decide the put, and seals what it decided.
func (s *Service) commit(ctx context.Context, o *opening) ([]byte, error) {
	verdict := make(chan admit.Verdict, 1) // the writer's, read after it has committed
	appended, err := s.cfg.Log.Decide(ctx, func(_ time.Time, tables eventlog.Tables) ([]eventlog.Event, error) {
		state, err := s.loadState(tables.Table(wire.TableMailbox), o)
		if err != nil {
			return nil, err
		}
		v := admit.Admit(state, o.put, s.cfg.Limits.Quotas)
		verdict <- v
		if v.Fact == nil {
			return nil, nil
		}
		s.seen.add(o.put.NotAfter.Week(), o.put.Replay)
		return []eventlog.Event{event(*v.Fact, o.payload)}, nil
	})
	if err != nil {
		o.stored = ctx.Err() != nil // perhaps: nobody waited for the end of it
		return nil, err
	}
	return s.seal(o, <-verdict, appended), nil
}

// loadState reads what bears on a put.
func (s *Service) loadState(r eventlog.Reader, o *opening) (admit.State, error) {
	var state admit.State
	for _, known := range o.remembered {
		if !s.seen.may(known.week, known.id) {
			continue
		}
		seq, err := loadReplay(r, known.week, known.id)
		if err != nil {
			return state, err
		}
		if seq != 0 {
			state.Earlier = seq
			return state, nil
		}
	}
	m, err := loadMailbox(r, o.put.Mailbox)
	state.Mailbox = m
	return state, err
}

// seal turns a durable verdict into the sender's outcome, and wakes the owner.
func (s *Service) seal(o *opening, v admit.Verdict, appended []eventlog.Appended) []byte {
	out := address.Outcome{Code: address.Stored}
	switch v.Result {
	case admit.Stored:
		o.stored = true
		out.Receipt = s.receipt(appended[0].Proof)
		if v.Notify {
			s.hub.wake(o.put.Mailbox)
		}
	case admit.Duplicate:
		out.Receipt = s.firstReceipt(v.Earlier)
	case admit.Refused:
		out.Code = address.Closed
	case admit.Full:
		out.Code, out.RetryAfter = address.Full, v.RetryAfter
	}
	s.cfg.Metrics.puts.WithLabelValues(v.Result.String()).Inc()
	return o.reply.Seal(s.cfg.Rand, out, o.hash, o.notAfter)
}

func (s *Service) receipt(proof *eventlog.Proof) []byte {
	if s.cfg.Receipt == nil || proof == nil {
		return nil
	}
	receipt := s.cfg.Receipt(proof)
	if len(receipt) > wire.MaxReceipt {
		s.cfg.Logger.Error("a receipt is too large for its outcome", "size", len(receipt))
		return nil
	}
	return receipt
}

// firstReceipt proves an earlier delivery again, without the salt of its body. The
// log has the salt only while the body is stored, so with it whoever sent could learn
// by asking twice that the owner has collected, or that the mailbox is silent. Where
// the record has been pruned there is no receipt, and the sender keeps the first.
func (s *Service) firstReceipt(seq uint64) []byte {
	proof, err := s.cfg.Log.Prove(seq)
	if err != nil {
		return nil
	}
	without := *proof
	without.Salt = nil
	return s.receipt(&without)
}
