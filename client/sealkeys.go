package client

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"communicator/client/store"
	"communicator/client/transport"
	"communicator/wire"
	"communicator/wire/descriptor"
)

// A descriptor of a peer's receiving agent is kept under the pin of each address that
// it has been checked against: the week's key that an address pins stays usable when
// the agent's newest descriptor no longer lists it.

// sealKeys remembers the keys of ordinary addresses, which their pins fix for ever: so a
// descriptor's signature is verified once and not for each message.
type sealKeys struct {
	mu    sync.Mutex // guards byPin
	byPin map[wire.EpochPin][]byte
}

func (k *sealKeys) get(pin wire.EpochPin) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.byPin[pin]
}

func (k *sealKeys) put(pin wire.EpochPin, key []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byPin == nil || len(k.byPin) >= maxSealKeys {
		k.byPin = map[wire.EpochPin][]byte{}
	}
	k.byPin[pin] = key
}

// sealKey returns the key to which a put to an address is sealed, if a descriptor that
// fits it is known. fresh is false for one that may have been succeeded.
func (c *Client) sealKey(tx *store.Tx, a wire.Address) (key []byte, fresh bool, err error) {
	lifeline := a.Caps&wire.CapLifeline != 0
	if key := c.keys.get(a.Pin); key != nil && !lifeline {
		return key, true, nil
	}
	row, err := tx.Descriptor(a.Pin)
	if err != nil {
		return nil, false, err
	}
	d, err := descriptor.Parse(row.Bytes, a.Agent)
	if err != nil {
		return nil, false, err
	}
	if key, _, err = d.CheckPin(a); err != nil {
		return nil, false, err
	}
	if !lifeline {
		c.keys.put(a.Pin, key)
		return key, true, nil
	}
	return key, c.now().Sub(row.Fetched) < descriptorLife, nil
}

// fetchKeys fetches and checks the descriptors that addresses of a contact need, each
// through a sending agent of ours, so that no peer's agent sees us. It returns how many
// it got.
func (c *Client) fetchKeys(ctx context.Context, relationship store.ID, addresses []wire.Address) (fetched int, err error) {
	var senders []ownAgent
	if err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		senders, err = ownAgents(tx, RoleSending, AgentActive, AgentDraining)
		return err
	}); err != nil {
		return 0, err
	}
	c.rnd.Shuffle(len(senders), func(i, j int) { senders[i], senders[j] = senders[j], senders[i] })
	var problems []error
	for _, a := range addresses {
		what := fmt.Sprintf("descriptor/%x", a.Pin)
		if !c.mayTry(what) {
			continue
		}
		if err := c.fetchKey(ctx, relationship, a, senders); err != nil {
			if ctx.Err() != nil {
				return fetched, context.Cause(ctx)
			}
			problems = append(problems, err)
			var refused *wire.StatusError
			c.health.decline(a.Pin, errors.As(err, &refused) && refused.Status == wire.StatusForbidden)
		} else {
			c.health.worked(what)
			c.health.decline(a.Pin, false)
			fetched++
		}
	}
	return fetched, errors.Join(problems...)
}

func (c *Client) fetchKey(ctx context.Context, relationship store.ID, a wire.Address, senders []ownAgent) error {
	err := error(ErrNoAgents)
	for _, troubled := range []bool{false, true} {
		for _, s := range senders {
			if c.health.trouble(s.ID, c.now()) != troubled {
				continue
			}
			if err = c.fetchThrough(ctx, relationship, a, s); err == nil || ctx.Err() != nil {
				return err
			}
			c.opts.Logger.Debug("descriptor not fetched", "err", err)
		}
	}
	return err
}

func (c *Client) fetchThrough(ctx context.Context, relationship store.ID, a wire.Address, via ownAgent) error {
	var known *[32]byte
	if a.Caps&wire.CapLifeline != 0 {
		known = (*[32]byte)(&a.Pin)
	}
	var signed []byte
	var links [][32]byte
	err := c.call(ctx, relationship, via, func(l *transport.Lease) (err error) {
		signed, links, err = l.FetchDescriptor(ctx, a.URI, known)
		return err
	})
	if err != nil {
		return err
	}
	d, err := descriptor.Parse(signed, a.Agent)
	if err == nil && known != nil {
		err = descriptor.VerifyLinks(*known, links, d)
	}
	if err == nil {
		_, _, err = d.CheckPin(a)
	}
	if err != nil {
		if !errors.Is(err, descriptor.ErrNoEpoch) && c.firstContradiction(ctx, relationship, a) {
			c.alarm(ctx, relationship, AlarmAgentDescriptor)
		}
		return errors.Join(ErrDescriptor, err)
	}
	return c.st.Update(ctx, func(tx *store.Tx) error {
		err := tx.PutDescriptor(store.Descriptor{Agent: a.Pin, Bytes: signed, Sequence: d.Sequence})
		if errors.Is(err, store.ErrStale) {
			return fmt.Errorf("%w: older than the one that we have", ErrDescriptor)
		}
		return err
	})
}

// contradiction is where it is noted that a contact's address and what its agent says do
// not fit, which is found again whenever somebody tries: one alarm is enough.
const contradiction = "contradiction/"

// firstContradiction notes it, and says whether it was not known.
func (c *Client) firstContradiction(ctx context.Context, contact store.ID, a wire.Address) (first bool) {
	key := fmt.Sprintf("%s%x/%x", contradiction, contact, a.Pin)
	err := c.st.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Setting(key)
		if first = errors.Is(err, store.ErrNotFound); first {
			return tx.SetSetting(key, []byte{1})
		}
		return err
	})
	return first || err != nil
}

// alarm tells everybody who listens about a contact.
func (c *Client) alarm(ctx context.Context, contact store.ID, kind AlarmKind) {
	name := ""
	_ = c.st.View(ctx, func(tx *store.Tx) error {
		row, err := tx.Contact(contact)
		name = row.Name
		return err
	})
	c.events.emit(Alarm{Contact: name, Kind: kind})
}
