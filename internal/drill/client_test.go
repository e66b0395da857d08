package drill

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"time"

	"communicator/client/transport"
	"communicator/mailbox/address"
	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/descriptor"
)

// client sends to a mailbox of its own.
type client struct {
	load          *load
	index         int
	submit, fetch *transport.Lease
	owner         ed25519.PrivateKey
	to            wire.Address
	key           address.SealPublic
}

// targetOf reads an agent's URI and draws a credential for a new account.
func targetOf(uri string) (transport.Target, error) {
	u, err := agenturi.Parse(uri)
	if err != nil {
		return transport.Target{}, err
	}
	var credential wire.Credential
	_, err = rand.Read(credential[:])
	return transport.Target{URI: u, Credential: &credential, Token: u.Token}, err
}

func newClient(ctx context.Context, l *load, index int, d descriptor.Descriptor) (*client, error) {
	c := &client{load: l, index: index}
	send, err := targetOf(l.options.sending.URI)
	if err != nil {
		return nil, err
	}
	receive, err := targetOf(l.options.receiving.URI)
	if err != nil {
		return nil, err
	}
	id := [16]byte{byte(index), byte(index >> 8), 1}
	if c.submit, err = l.pool.Take(ctx, transport.Key{Relationship: id, Agent: send.URI.Agent}, send); err != nil {
		return nil, err
	}
	if _, err := c.submit.Hello(ctx); err != nil {
		return nil, fmt.Errorf("open an account: %w", err)
	}
	if c.fetch, err = l.pool.Take(ctx, transport.Key{Relationship: id, Agent: receive.URI.Agent}, receive); err != nil {
		return nil, err
	}
	if _, c.owner, err = ed25519.GenerateKey(nil); err != nil {
		return nil, err
	}
	created, err := c.fetch.Create(ctx, c.owner, 0, time.Now().Add(7*24*time.Hour))
	if err != nil {
		return nil, fmt.Errorf("make a mailbox: %w", err)
	}
	c.to = wire.Address{
		Agent: receive.URI.Agent, Pin: created.Pin, Mailbox: wire.MailboxIDOf(c.owner.Public().(ed25519.PublicKey)),
		Key: created.Key, Epoch: created.Epoch, Expires: created.Expires, Caps: created.Caps, URI: receive.URI.String(),
	}
	key, _, err := d.CheckPin(c.to)
	if err != nil {
		return nil, err
	}
	c.key, err = address.ParseSealPublic(key)
	return c, err
}

// send offers message after message, each with the same bytes until it is accepted.
func (c *client) send(ctx context.Context) {
	var pace <-chan time.Time
	if c.load.options.every > 0 {
		ticker := time.NewTicker(c.load.options.every)
		defer ticker.Stop()
		pace = ticker.C
	}
	for i := 0; ctx.Err() == nil; i++ {
		n := numberOf(c.index, i)
		sub, err := c.seal(n, i)
		if err != nil {
			c.load.t.Errorf("seal: %v", err)
			return
		}
		c.load.ledger.offer(n)
		c.offer(ctx, n, sub)
		if pace != nil {
			select {
			case <-pace:
			case <-ctx.Done():
			}
		}
	}
}

// offer repeats a submission until it is accepted. Once offering has ended, what is
// under way gets its answer, but nothing is repeated.
func (c *client) offer(ctx context.Context, n number, sub transport.Submission) {
	for {
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), callWithin)
		_, err := c.submit.Submit(call, sub)
		cancel()
		if err == nil {
			c.load.ledger.accept(n)
			return
		}
		c.load.note(err)
		select {
		case <-c.load.again():
		case <-ctx.Done():
			return
		}
	}
}

func (c *client) seal(n number, counter int) (transport.Submission, error) {
	payload := n.payload(c.load.options.size)
	put := address.Put{Address: c.to, Counter: uint64(counter), Payload: wire.HashPayload(payload),
		NotAfter: address.NotAfter(time.Now(), 24*time.Hour)}
	sealed, _, err := address.Seal(c.key, put)
	if err != nil {
		return transport.Submission{}, err
	}
	sub := transport.Submission{URI: c.to.URI, KeyID: c.key.KeyID(), Sealed: sealed, Payload: payload, NotAfter: put.NotAfter}
	_, err = rand.Read(sub.Handle[:])
	return sub, err
}

// keptOf is one message of so many that its owner never acknowledges: it must stay.
const keptOf = 4

// watch takes what arrives, and begins anew, with everything that is stored, whenever
// the connection breaks.
func (c *client) watch(ctx context.Context) {
	for ctx.Err() == nil {
		err := c.fetch.Watch(ctx, c.owner, 0, func(d transport.Delivery) error { return c.take(ctx, d) }, func() {}, func() {})
		if err == nil {
			continue
		}
		select {
		case <-c.load.again():
		case <-ctx.Done():
		}
	}
}

func (c *client) take(ctx context.Context, d transport.Delivery) error {
	n, known := c.load.ledger.take(c.index, d.Position, d.Payload)
	if !known || n%keptOf == 0 {
		return nil
	}
	c.load.ledger.acknowledging(n)
	call, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	if err := c.fetch.Ack(call, c.owner, []uint64{d.Position}); err != nil {
		c.load.note(err)
		return err // the watch begins anew and brings it again
	}
	c.load.ledger.acknowledge(n)
	return nil
}

// inventory adds what the mailbox holds.
func (c *client) inventory(ctx context.Context, stored map[number]bool) error {
	for after := uint64(0); ; {
		page, err := c.fetch.Collect(ctx, c.owner, after)
		if err != nil {
			return err
		}
		for _, d := range page.Deliveries {
			after = d.Position
			if n, known := c.load.ledger.take(c.index, d.Position, d.Payload); known {
				stored[n] = true
			}
		}
		if !page.More {
			return nil
		}
	}
}
