package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/client/transport"
	"communicator/mailbox/address"
	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/descriptor"
	"communicator/wire/pb"
)

// person is a client without a session: it makes mailboxes, sends bytes to them and
// collects, over the stream protocols.
type person struct {
	t       testing.TB
	now     func() time.Time
	pool    *transport.Pool
	leases  map[wire.AgentID]*transport.Lease
	secrets wire.Credential
	counter uint64
}

func newPerson(t testing.TB, host transport.HostFunc, now func() time.Time) *person {
	t.Helper()
	p := &person{t: t, now: now}
	p.connect(host)
	if _, err := rand.Read(p.secrets[:]); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *person) connect(host transport.HostFunc) {
	p.t.Helper()
	var err error
	if p.pool, err = transport.NewPool(transport.Options{Host: host, Now: p.now}); err != nil {
		p.t.Fatal(err)
	}
	p.leases = map[wire.AgentID]*transport.Lease{}
}

// reconnect starts over with new connections, which owe nothing to failed dials.
func (p *person) reconnect() {
	p.t.Helper()
	p.close()
	p.connect(nil)
}

func (p *person) close() {
	for _, l := range p.leases {
		l.Release()
	}
	if err := p.pool.Close(); err != nil {
		p.t.Error(err)
	}
}

// at connects to an agent; text is its URI, with a token the first time.
func (p *person) at(ctx context.Context, text string) *transport.Lease {
	p.t.Helper()
	uri, err := agenturi.Parse(text)
	if err != nil {
		p.t.Fatal(err)
	}
	if l := p.leases[uri.Agent]; l != nil {
		return l
	}
	l, err := p.pool.Take(ctx, transport.Key{Agent: uri.Agent},
		transport.Target{URI: uri, Credential: &p.secrets, Token: uri.Token})
	if err != nil {
		p.t.Fatal(err)
	}
	p.leases[uri.Agent] = l
	return l
}

// box is a mailbox and the address of it that a sender has.
type box struct {
	owner   ed25519.PrivateKey
	address wire.Address
	seal    address.SealPublic
}

// makeBox creates a mailbox at an agent and looks its sealing key up.
func (p *person) makeBox(ctx context.Context, text string) box {
	p.t.Helper()
	l := p.at(ctx, text)
	_, owner, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	created, err := l.Create(ctx, owner, 0, p.now().Add(30*24*time.Hour))
	if err != nil {
		p.t.Fatalf("create a mailbox: %v", err)
	}
	uri, err := agenturi.Parse(text)
	if err != nil {
		p.t.Fatal(err)
	}
	b := box{owner: owner, address: wire.Address{
		Agent: uri.Agent, Pin: created.Pin, Mailbox: wire.MailboxIDOf(owner.Public().(ed25519.PublicKey)),
		Key: created.Key, Epoch: created.Epoch, Expires: created.Expires, Caps: created.Caps, URI: uri.String(),
	}}
	signed, err := l.Descriptor(ctx)
	if err != nil {
		p.t.Fatalf("fetch the descriptor: %v", err)
	}
	d, err := descriptor.Parse(signed, uri.Agent)
	if err != nil {
		p.t.Fatal(err)
	}
	key, _, err := d.CheckPin(b.address)
	if err != nil {
		p.t.Fatalf("the descriptor does not have the key of a new address: %v", err)
	}
	if b.seal, err = address.ParseSealPublic(key); err != nil {
		p.t.Fatal(err)
	}
	return b
}

// attempt is one submission, kept so that it can be repeated byte for byte.
type attempt struct {
	transport.Submission
	secret address.OutcomeSecret
}

// prepare seals one message to a mailbox.
func (p *person) prepare(b box, payload []byte) attempt {
	p.t.Helper()
	p.counter++
	notAfter := address.NotAfter(p.now(), 24*time.Hour)
	sealed, secret, err := address.Seal(b.seal, address.Put{
		Address: b.address, Counter: p.counter, NotAfter: notAfter, Payload: wire.HashPayload(payload),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	a := attempt{secret: secret, Submission: transport.Submission{
		URI: b.address.URI, KeyID: b.seal.KeyID(), Sealed: sealed, Payload: payload, NotAfter: notAfter,
	}}
	if _, err := rand.Read(a.Handle[:]); err != nil {
		p.t.Fatal(err)
	}
	return a
}

// outcome waits for what became of an attempt.
func (p *person) outcome(ctx context.Context, l *transport.Lease, a attempt) address.Outcome {
	p.t.Helper()
	o, err := a.secret.Open(p.sealedOutcome(ctx, l, a), wire.HashPayload(a.Payload), a.NotAfter)
	if err != nil {
		p.t.Fatal(err)
	}
	return o
}

func (p *person) sealedOutcome(ctx context.Context, l *transport.Lease, a attempt) []byte {
	p.t.Helper()
	for {
		states, err := l.FetchOutcomes(ctx, []wire.Handle{a.Handle}, 10*time.Second)
		if ctx.Err() != nil {
			p.t.Fatalf("no outcome: %v", ctx.Err())
		}
		if err != nil || len(states) == 0 || states[0].State == pb.OutcomeState_PENDING {
			continue
		}
		if states[0].State != pb.OutcomeState_FORWARDED {
			p.t.Fatalf("outcome is %v", states[0].State)
		}
		return states[0].Outcome
	}
}

// collect returns every payload of a mailbox.
func (p *person) collect(ctx context.Context, l *transport.Lease, b box) (payloads [][]byte, positions []uint64) {
	p.t.Helper()
	payloads, positions, err := p.tryCollect(ctx, l, b)
	if err != nil {
		p.t.Fatalf("collect: %v", err)
	}
	return payloads, positions
}

func (p *person) tryCollect(ctx context.Context, l *transport.Lease, b box) (payloads [][]byte, positions []uint64, err error) {
	after := uint64(0)
	for {
		page, err := l.Collect(ctx, b.owner, after)
		if err != nil {
			return nil, nil, err
		}
		for _, d := range page.Deliveries {
			payloads = append(payloads, bytes.Clone(d.Payload))
			positions = append(positions, d.Position)
			after = d.Position
		}
		if !page.More {
			return payloads, positions, nil
		}
	}
}

// numbered is a payload that says which it is.
func numbered(i int) []byte {
	b := make([]byte, 4096)
	binary.BigEndian.PutUint64(b, uint64(i))
	return b
}

// checkDelivery demands that every accepted number was delivered, once, and that
// nothing was that had not been offered.
func checkDelivery(t testing.TB, payloads [][]byte, accepted map[int]bool, offered int) {
	t.Helper()
	seen := map[int]int{}
	for _, p := range payloads {
		i := int(binary.BigEndian.Uint64(p))
		if i >= offered || !bytes.Equal(p, numbered(i)) {
			t.Errorf("a payload that nobody sent")
			continue
		}
		seen[i]++
	}
	var lost, twice []int
	for i := range offered {
		if accepted[i] && seen[i] == 0 {
			lost = append(lost, i)
		}
		if seen[i] > 1 {
			twice = append(twice, i)
		}
	}
	if len(lost)+len(twice) > 0 {
		t.Error(fmt.Errorf("of %d accepted: lost %v, twice %v", len(accepted), lost, twice))
	}
}

// refusal is the status of an error that another side answered with, or OK.
func refusal(t testing.TB, err error) wire.Status {
	t.Helper()
	var refused *wire.StatusError
	switch {
	case err == nil:
		return wire.StatusOK
	case errors.As(err, &refused):
		return refused.Status
	}
	t.Fatalf("not a status: %v", err)
	return 0
}

type peerID = peer.ID

// submit hands message i to the only sending agent that p uses besides b's.
func submit(t testing.TB, p *person, b box, i int) attempt {
	t.Helper()
	a := p.prepare(b, numbered(i))
	for agent, l := range p.leases {
		if agent == b.address.Agent {
			continue
		}
		if _, err := l.Submit(t.Context(), a.Submission); err != nil {
			t.Fatal(err)
		}
	}
	return a
}
