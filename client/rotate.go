package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"communicator/client/route"
	"communicator/client/store"
	"communicator/particle"
)

// rotate offers a new address set if that cannot wait for the next message: at first,
// when an address is about to expire or is suspect, when an agent is being left, or when
// there are more agents than the relationship uses.
func (c *Client) rotate(ctx context.Context, contact store.ID) error {
	reason, err := c.rotation(ctx, contact)
	what := fmt.Sprintf("rotate/%x", contact)
	if err != nil || reason == particle.RotateNot || !c.mayTry(what) {
		return err
	}
	b, err := c.gather(ctx, contact)
	if err != nil {
		return errors.Join(err, c.setDegraded(ctx, contact, route.Homes{}))
	}
	var event Event
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		r, err := load(tx, contact)
		if err != nil || r.State == store.ContactRevoked {
			return err // taken back while mailboxes were gathered
		}
		if _, now, _, err := current(tx, contact); err != nil ||
			r.particle.NeedsRotation(c.now()) == particle.RotateNot && now.Equal(b.homes) {
			return err // another process was faster, or there is nothing better
		}
		if err := c.offer(tx, &r, b); err != nil {
			return err
		}
		event = AddressesRotated{Contact: r.Name, Ours: true}
		_, err = c.enqueue(tx, &r, "", SendOptions{Life: DefaultLife})
		if errors.Is(err, particle.ErrUnanswered) {
			return nil // it rides in the next message that may be sent
		}
		return err
	})
	if errors.Is(err, particle.ErrOpenSets) || errors.Is(err, errTaken) {
		return nil // the peer has to acknowledge one first, or the next pass gathers anew
	}
	if err == nil && event != nil {
		c.health.worked(what)
		c.events.emit(event)
		err = c.setDegraded(ctx, contact, b.homes)
	}
	return err
}

// rotation says why a new set should be offered now. Old and used sets wait for the
// next message, which takes a new one along.
func (c *Client) rotation(ctx context.Context, contact store.ID) (reason particle.Rotation, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) error {
		r, err := load(tx, contact)
		if err != nil || r.particle.Unreplied() || r.particle.Imported() {
			return err
		}
		reason = r.particle.NeedsRotation(c.now())
		if reason == particle.RotateOld || reason == particle.RotateUsed {
			reason = particle.RotateNot
		}
		agents, err := usable(tx)
		if err != nil || reason != particle.RotateNot {
			return err
		}
		_, now, _, err := current(tx, contact)
		wanted := route.Choose(ids(agents), now, c.rnd)
		if len(wanted.Normal) > 0 && (now.Lost(wanted) || !now.Equal(wanted) && r.particle.Acknowledged()) {
			reason = particle.RotateSuspect
		}
		return err
	})
	return reason, err
}

// setDegraded notes whether a relationship has the agents that it should have.
func (c *Client) setDegraded(ctx context.Context, contact store.ID, h route.Homes) error {
	reason := h.Degraded()
	var event Event
	err := c.st.Update(ctx, func(tx *store.Tx) error {
		event = nil
		row, err := tx.Contact(contact)
		if err != nil || row.Degraded == (reason != "") {
			return err
		}
		event = DegradedChanged{Contact: row.Name, Degraded: reason != "", Reason: reason}
		return tx.SetDegraded(contact, reason != "")
	})
	return c.emitUnless(err, event)
}

// retire moves addresses that were replaced long enough ago to closing, and the contact
// mailbox once the peer has others.
func (c *Client) retire(ctx context.Context, contact store.ID) error {
	now := c.now()
	due := false
	work := func(tx *store.Tx, write bool) error {
		r, err := load(tx, contact)
		if err != nil {
			return err
		}
		next, old := r.particle.Close(now)
		due = len(old) > 0
		rows, err := tx.Mailboxes(store.MailboxFilter{Contact: contact})
		if err != nil {
			return err
		}
		closing := map[store.MailboxKey]bool{}
		for _, a := range old {
			closing[store.MailboxKey(a.Mailbox)] = true
		}
		for _, m := range rows {
			state, until := c.nextState(r, m, closing[m.ID])
			if state == m.State {
				continue
			}
			due = true
			if write {
				if err := tx.SetMailboxState(m.ID, state, until); err != nil {
					return err
				}
			}
		}
		if !write || !due {
			return nil
		}
		return r.save(tx, next)
	}
	if err := c.st.View(ctx, func(tx *store.Tx) error { return work(tx, false) }); err != nil || !due {
		return err
	}
	return c.st.Update(ctx, func(tx *store.Tx) error { return work(tx, true) })
}

// nextState says where a mailbox should stand.
func (c *Client) nextState(r relation, m store.Mailbox, replaced bool) (store.MailboxState, time.Time) {
	now := c.now()
	switch {
	case m.State >= store.MailboxClosing:
		return m.State, zeroTime
	case replaced:
		return store.MailboxClosing, zeroTime
	case m.State == store.MailboxActive && contactMailbox(m) && r.particle.Acknowledged():
		return store.MailboxGrace, now.Add(particle.CloseAfter)
	case m.State == store.MailboxGrace && !m.GraceUntil.IsZero() && !now.Before(m.GraceUntil):
		return store.MailboxClosing, zeroTime
	}
	return m.State, zeroTime
}

// fillPool makes mailboxes ahead, each over a connection of its own, so that the agent
// cannot tell by that which of them belong together.
func (c *Client) fillPool(ctx context.Context, want int) error {
	type need struct {
		agent ownAgent
		n     int
	}
	var needs []need
	err := c.st.View(ctx, func(tx *store.Tx) error {
		agents, err := ownAgents(tx, RoleReceiving, AgentActive)
		if err != nil {
			return err
		}
		for _, a := range agents {
			rows, err := tx.Mailboxes(store.MailboxFilter{Agent: a.ID, States: []store.MailboxState{store.MailboxPool}})
			if err != nil {
				return err
			}
			n := want
			for _, m := range rows {
				if m.Expiry.Sub(c.now()) > pooledLife {
					n--
				}
			}
			if !c.health.trouble(a.ID, c.now()) {
				needs = append(needs, need{a, n})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, need := range needs {
		what := "pool/" + need.agent.URI
		if need.n > 0 && !c.mayTry(what) {
			continue
		}
		for ; need.n > 0; need.n-- {
			once, err := c.randomID()
			if err != nil {
				return err
			}
			m, err := c.mint(ctx, once, need.agent, 0, addressLife)
			if err != nil {
				if err := c.tolerate(ctx, err); err != nil {
					return err
				}
				break
			}
			if err := c.st.Update(ctx, func(tx *store.Tx) error { return tx.AddMailbox(m) }); err != nil {
				return err
			}
			c.health.worked(what)
		}
	}
	return nil
}

// Renew offers a contact new addresses now, for somebody who believes that the old ones
// are in wrong hands. The old ones still work until the contact has the new ones and a
// week more; whoever wants them closed at once revokes the contact. Until the contact has
// answered for the first time it does nothing.
//
// Errors: [ErrNoSuchContact], [ErrRevoked], [ErrNeedsReset].
func (c *Client) Renew(ctx context.Context, name string) error {
	var contact store.ID
	err := c.st.Update(ctx, func(tx *store.Tx) error {
		r, err := loadByName(tx, name)
		if err != nil {
			return err
		}
		contact = r.ID
		switch r.State {
		case store.ContactRevoked:
			return ErrRevoked
		case store.ContactNeedsReset:
			return ErrNeedsReset
		}
		return r.save(tx, r.particle.MarkSuspect())
	})
	if err != nil {
		return err
	}
	return c.rotate(ctx, contact)
}
