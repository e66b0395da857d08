package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"communicator/client/transport"
	"communicator/mailbox/address"
	"communicator/wire"
	"communicator/wire/descriptor"
	"communicator/wire/pb"
)

// sender is one client: it seals, submits and waits for the outcome, over and over.
type sender struct {
	submit, fetch *transport.Lease
	owner         ed25519.PrivateKey
	to            wire.Address
	key           address.SealPublic
	size          int
	counter       uint64
	stored        int
	spent         []wire.Handle // outcomes to acknowledge
}

// errNotStored is an outcome other than stored.
var errNotStored = errors.New("bench: a delivery was not stored")

func newSender(ctx context.Context, pool *transport.Pool, send, receive transport.Target, d descriptor.Descriptor, size int) (*sender, error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	s := &sender{size: size}
	var err error
	if s.submit, err = pool.Take(ctx, transport.Key{Relationship: id, Agent: send.URI.Agent}, send); err != nil {
		return nil, err
	}
	// Connects now: an agent limits how many handshakes it has under way.
	if _, err := s.submit.Hello(ctx); err != nil {
		return nil, err
	}
	if s.fetch, err = pool.Take(ctx, transport.Key{Relationship: id, Agent: receive.URI.Agent}, receive); err != nil {
		return nil, err
	}
	if _, s.owner, err = ed25519.GenerateKey(nil); err != nil {
		return nil, err
	}
	created, err := s.fetch.Create(ctx, s.owner, 0, time.Now().Add(7*24*time.Hour))
	if err != nil {
		return nil, fmt.Errorf("making a mailbox: %w", err)
	}
	s.to = wire.Address{
		Agent: receive.URI.Agent, Pin: created.Pin, Mailbox: wire.MailboxIDOf(s.owner.Public().(ed25519.PublicKey)),
		Key: created.Key, Epoch: created.Epoch, Expires: created.Expires, Caps: created.Caps, URI: receive.URI.String(),
	}
	key, _, err := d.CheckPin(s.to)
	if err != nil {
		return nil, err
	}
	s.key, err = address.ParseSealPublic(key)
	return s, err
}

// run delivers until end and returns how long each delivery that began after counting
// and finished before end took.
func (s *sender) run(ctx context.Context, counting, end time.Time) (latencies []time.Duration, err error) {
	for {
		began := time.Now()
		if !began.Before(end) {
			return latencies, s.acknowledge(ctx)
		}
		if err := s.deliver(ctx); err != nil {
			return nil, err
		}
		done := time.Now()
		if done.After(counting) && done.Before(end) {
			latencies = append(latencies, done.Sub(began))
		}
	}
}

// deliver sends one message and waits until its outcome says that it is stored.
func (s *sender) deliver(ctx context.Context) error {
	payload := make([]byte, s.size+wire.WrapOverhead)
	if _, err := rand.Read(payload); err != nil {
		return err
	}
	put := address.Put{Address: s.to, Counter: s.counter, Payload: wire.HashPayload(payload),
		NotAfter: address.NotAfter(time.Now(), deliverLife)}
	s.counter++
	sealed, secret, err := address.Seal(s.key, put)
	if err != nil {
		return err
	}
	sub := transport.Submission{URI: s.to.URI, KeyID: s.key.KeyID(), Sealed: sealed, Payload: payload, NotAfter: put.NotAfter}
	if _, err := rand.Read(sub.Handle[:]); err != nil {
		return err
	}
	if _, err := s.submit.Submit(ctx, sub); err != nil {
		return fmt.Errorf("submitting: %w", err)
	}
	return s.await(ctx, sub.Handle, secret, put)
}

func (s *sender) await(ctx context.Context, handle wire.Handle, secret address.OutcomeSecret, put address.Put) error {
	for {
		states, err := s.submit.FetchOutcomes(ctx, []wire.Handle{handle}, transport.MaxWait)
		if err != nil {
			return fmt.Errorf("fetching an outcome: %w", err)
		}
		if len(states) != 1 {
			return fmt.Errorf("bench: %d outcomes for one handle", len(states))
		}
		switch states[0].State {
		case pb.OutcomeState_PENDING:
			continue
		case pb.OutcomeState_FORWARDED:
		default:
			return fmt.Errorf("%w: %v", errNotStored, states[0].State)
		}
		outcome, err := secret.Open(states[0].Outcome, put.Payload, put.NotAfter)
		if err != nil {
			return err
		}
		if outcome.Code != address.Stored {
			return fmt.Errorf("%w: %v", errNotStored, outcome.Code)
		}
		s.stored++
		if s.spent = append(s.spent, handle); len(s.spent) < transport.MaxHandles {
			return nil
		}
		return s.acknowledge(ctx)
	}
}

// acknowledge lets the sending agent forget what was fetched.
func (s *sender) acknowledge(ctx context.Context) error {
	if len(s.spent) == 0 {
		return nil
	}
	err := s.submit.AckOutcomes(ctx, s.spent)
	s.spent = s.spent[:0]
	return err
}

// collect counts what is in the mailbox, each delivery once.
func (s *sender) collect(ctx context.Context) (n int, err error) {
	var after uint64
	for {
		page, err := s.fetch.Collect(ctx, s.owner, after)
		if err != nil {
			return n, err
		}
		for _, d := range page.Deliveries {
			if len(d.Payload) != s.size+wire.WrapOverhead {
				return n, fmt.Errorf("bench: a delivery of %d bytes", len(d.Payload))
			}
			after = d.Position
			n++
		}
		if !page.More {
			return n, nil
		}
	}
}
