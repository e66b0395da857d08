package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"communicator/client/route"
	"communicator/client/store"
	"communicator/client/transport"
	"communicator/particle"
	"communicator/wire"
)

// mint makes a mailbox at one of our receiving agents. The row is not stored yet.
func (c *Client) mint(ctx context.Context, relationship store.ID, a ownAgent, caps wire.Caps, life time.Duration) (store.Mailbox, error) {
	m := store.Mailbox{Agent: a.ID, State: store.MailboxPool}
	if _, err := io.ReadFull(c.opts.Rand, m.Seed[:]); err != nil {
		return m, err
	}
	owner := ed25519.NewKeyFromSeed(m.Seed[:])
	var made transport.Created
	err := c.call(ctx, relationship, a, func(l *transport.Lease) (err error) {
		made, err = l.Create(ctx, owner, caps, c.now().Add(life))
		return err
	})
	if err != nil {
		return m, err
	}
	id := wire.MailboxIDOf(owner.Public().(ed25519.PublicKey))
	m.ID, m.Expiry = store.MailboxKey(id), made.Expires
	m.Address = wire.Address{
		Agent: a.uri.Agent, Pin: made.Pin, Mailbox: id, Key: made.Key, Epoch: made.Epoch,
		Expires: made.Expires, Caps: caps, URI: a.URI,
	}.Marshal()
	return m, nil
}

// boxes are mailboxes for a new address set.
type boxes struct {
	homes    route.Homes
	normal   []store.Mailbox // in the pool
	lifeline *store.Mailbox  // new, or the one that the relationship has
}

// usable lists the receiving agents at which new mailboxes may be made.
func usable(tx *store.Tx) (map[wire.AgentID]ownAgent, error) {
	agents, err := ownAgents(tx, RoleReceiving, AgentActive)
	out := map[wire.AgentID]ownAgent{}
	for _, a := range agents {
		out[a.uri.Agent] = a
	}
	return out, err
}

// ids lists agents in a fixed order, so that injected randomness decides alone.
func ids(agents map[wire.AgentID]ownAgent) []wire.AgentID {
	var out []wire.AgentID
	for id := range agents {
		out = append(out, id)
	}
	slices.SortFunc(out, func(a, b wire.AgentID) int { return slices.Compare(a[:], b[:]) })
	return out
}

// current lists a contact's active mailboxes and where they are.
func current(tx *store.Tx, contact store.ID) (active []store.Mailbox, homes route.Homes, lifeline *store.Mailbox, err error) {
	rows, err := tx.Mailboxes(store.MailboxFilter{Contact: contact, States: []store.MailboxState{store.MailboxActive}})
	for _, m := range rows {
		a, err := wire.ParseAddress(m.Address)
		switch {
		case err != nil:
			return nil, homes, nil, err
		case a.Caps&wire.CapContact != 0:
			continue
		case a.Caps&wire.CapLifeline != 0:
			homes.Lifeline, lifeline = &a.Agent, &m
		default:
			homes.Normal = append(homes.Normal, a.Agent)
		}
		active = append(active, m)
	}
	return active, homes, lifeline, err
}

// gather makes sure that there are mailboxes for a new set of a relationship, making
// what the pool lacks. Agents that fail are passed over; with none left it fails.
func (c *Client) gather(ctx context.Context, relationship store.ID) (boxes, error) {
	var failed []wire.AgentID
	var cause error
	for {
		var agents map[wire.AgentID]ownAgent
		var now route.Homes
		var lifeline *store.Mailbox
		err := c.st.View(ctx, func(tx *store.Tx) (err error) {
			if agents, err = usable(tx); err == nil {
				_, now, lifeline, err = current(tx, relationship)
			}
			return err
		})
		if err != nil {
			return boxes{}, err
		}
		for _, id := range failed {
			delete(agents, id)
		}
		b := boxes{homes: route.Choose(ids(agents), now, c.rnd)}
		if len(b.homes.Normal) == 0 {
			return b, errors.Join(fmt.Errorf("%w: none can receive", ErrNoAgents), cause)
		}
		var bad wire.AgentID
		if bad, cause = c.gatherAt(ctx, relationship, agents, lifeline, &b); cause == nil {
			return b, nil
		}
		if ctx.Err() != nil {
			return b, context.Cause(ctx)
		}
		failed = append(failed, bad)
	}
}

// gatherAt fills in the mailboxes of the chosen homes, or says which home failed.
func (c *Client) gatherAt(ctx context.Context, relationship store.ID, agents map[wire.AgentID]ownAgent, lifeline *store.Mailbox, b *boxes) (wire.AgentID, error) {
	for _, home := range b.homes.Normal {
		m, err := c.pooled(ctx, relationship, agents[home])
		if err != nil {
			return home, err
		}
		b.normal = append(b.normal, m)
	}
	home := b.homes.Lifeline
	if home == nil {
		return wire.AgentID{}, nil
	}
	if lifeline != nil && lifeline.Agent == agents[*home].ID && lifeline.Expiry.Sub(c.now()) > pooledLife {
		b.lifeline = lifeline
		return *home, nil
	}
	m, err := c.mint(ctx, relationship, agents[*home], wire.CapLifeline, wire.LifelineLife)
	if err != nil {
		// Two ordinary addresses do without it.
		c.opts.Logger.Debug("no lifeline", "err", err)
		b.homes.Lifeline = nil
		return *home, nil
	}
	b.lifeline = &m
	return *home, nil
}

// pooled returns a mailbox of the pool, made now if need be.
func (c *Client) pooled(ctx context.Context, relationship store.ID, a ownAgent) (m store.Mailbox, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) (err error) {
		m, err = tx.PooledMailbox(a.ID, c.now().Add(pooledLife))
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		return m, err
	}
	if m, err = c.mint(ctx, relationship, a, 0, addressLife); err != nil {
		return m, err
	}
	return m, c.st.Update(ctx, func(tx *store.Tx) error { return tx.AddMailbox(m) })
}

// errTaken says that another process or call was given a gathered mailbox first.
var errTaken = errors.New("client: a pooled mailbox was taken meanwhile")

// assign hands gathered mailboxes to a contact as its next generation and returns their
// addresses. Those of the generation before stay open, in grace.
func (c *Client) assign(tx *store.Tx, contact store.ID, b boxes) ([]wire.Address, error) {
	before, _, _, err := current(tx, contact)
	if err != nil {
		return nil, err
	}
	generation := uint64(1)
	for _, m := range before {
		generation = max(generation, m.Generation+1)
		if b.lifeline != nil && m.ID == b.lifeline.ID {
			continue
		}
		if err := tx.SetMailboxState(m.ID, store.MailboxGrace, zeroTime); err != nil {
			return nil, err
		}
	}
	var out []wire.Address
	for _, m := range b.normal {
		err := tx.AssignMailbox(m.ID, contact, store.ID{}, generation)
		if errors.Is(err, store.ErrTransition) || errors.Is(err, store.ErrNotFound) {
			return nil, errTaken
		}
		if err != nil {
			return nil, err
		}
		a, err := wire.ParseAddress(m.Address)
		if err != nil {
			return nil, err
		}
		a.Generation = uint32(generation)
		out = append(out, a)
	}
	if b.lifeline == nil {
		return out, nil
	}
	a, err := wire.ParseAddress(b.lifeline.Address)
	if err != nil {
		return nil, err
	}
	if _, err := tx.Mailbox(b.lifeline.ID); errors.Is(err, store.ErrNotFound) {
		m := *b.lifeline
		m.Contact, m.State, m.Generation = contact, store.MailboxActive, generation
		if err := tx.AddMailbox(m); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	return append(out, a), nil
}

// offer makes gathered mailboxes the set that our next messages carry.
func (c *Client) offer(tx *store.Tx, r *relation, b boxes) error {
	addresses, err := c.assign(tx, r.ID, b)
	if err != nil {
		return err
	}
	next, err := r.particle.Offer(addresses, c.now())
	if errors.Is(err, particle.ErrTooLarge) && b.lifeline != nil {
		// Long URIs: the ordinary addresses go first.
		next, err = r.particle.Offer(addresses[:len(b.normal)], c.now())
	}
	if err != nil {
		return err
	}
	return r.save(tx, next)
}

// offerFromPool rotates while a message is being written, if that is due and the pool
// has what it takes: so a new generation rides inside the message, without asking any
// agent first.
func (c *Client) offerFromPool(tx *store.Tx, r *relation) error {
	if r.particle.NeedsRotation(c.now()) == particle.RotateNot {
		return nil
	}
	agents, err := usable(tx)
	if err != nil {
		return err
	}
	_, now, lifeline, err := current(tx, r.ID)
	if err != nil {
		return err
	}
	b := boxes{homes: route.Choose(ids(agents), now, c.rnd)}
	if len(b.homes.Normal) == 0 {
		return nil
	}
	for _, home := range b.homes.Normal {
		m, err := tx.PooledMailbox(agents[home].ID, c.now().Add(pooledLife))
		if errors.Is(err, store.ErrNotFound) {
			return nil // upkeep makes some
		}
		if err != nil {
			return err
		}
		b.normal = append(b.normal, m)
	}
	if l := b.homes.Lifeline; l != nil && lifeline != nil && lifeline.Agent == agents[*l].ID {
		b.lifeline = lifeline
	}
	return c.offer(tx, r, b)
}
