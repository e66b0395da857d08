package client

import (
	"context"
	"errors"

	"communicator/client/store"
	"communicator/particle"
)

// reset re-establishes a relationship whose old keys must not send any more, with the
// peer's recovery package. Without one there is nothing to do but wait: the peer's
// messages can still be read as far as the old keys go.
func (c *Client) reset(ctx context.Context, row store.Contact) error {
	b, err := c.gather(ctx, row.ID)
	if err != nil {
		return err
	}
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		r, err := load(tx, row.ID)
		if err != nil || r.State != store.ContactNeedsReset {
			return err
		}
		addresses, err := c.assign(tx, r.ID, b)
		if err != nil {
			return err
		}
		next, err := r.particle.Reestablish(c.opts.Rand, addresses, c.now())
		if err != nil {
			return err
		}
		if err := r.save(tx, next); err != nil {
			return err
		}
		if err := tx.SetContactState(r.ID, store.ContactEstablished); err != nil {
			return err
		}
		again, err := c.encryptAgain(tx, &r)
		if err != nil || again > 0 {
			return err
		}
		_, err = c.enqueue(tx, &r, "", SendOptions{Life: DefaultLife})
		return err
	})
	if errors.Is(err, errTaken) {
		return nil // the next pass gathers anew
	}
	if errors.Is(err, particle.ErrNoRecovery) {
		c.events.emit(NeedsReset{Contact: row.Name})
		return nil
	}
	if err == nil {
		c.events.emit(Alarm{Contact: row.Name, Kind: AlarmReset})
	}
	return err
}

// afterPeerReset encrypts again, in the new session, what no agent has taken yet.
func (c *Client) afterPeerReset(tx *store.Tx, r *relation) error {
	queued, err := tx.Outbox(r.ID, maxOutbox, store.OutgoingQueued)
	if err != nil {
		return err
	}
	for _, o := range queued {
		if err := tx.SetOutgoingState(o.ID, store.OutgoingResend); err != nil {
			return err
		}
	}
	_, err = c.encryptAgain(tx, r)
	return err
}

// encryptAgain writes the messages anew whose ciphertext is void, and returns how many.
// They keep their id and their place in our history, so that whoever has one already does
// not get it twice. What cannot be sent now stays to be written by a later pass. Automatic answers are dropped: what they said
// is said again by whatever is sent next.
func (c *Client) encryptAgain(tx *store.Tx, r *relation) (n int, err error) {
	void, err := tx.Outbox(r.ID, maxOutbox, store.OutgoingResend)
	if err != nil {
		return 0, err
	}
	for _, o := range void {
		m, err := tx.Message(r.ID, false, o.ID)
		if errors.Is(err, store.ErrNotFound) {
			if err := forget(tx, o); err != nil {
				return n, err
			}
			continue
		}
		if err != nil {
			return n, err
		}
		id := particle.MessageID(o.ID)
		next, sealed, err := r.particle.Send(c.opts.Rand, particle.Draft{Text: m.Text, ID: &id}, c.now())
		if errors.Is(err, particle.ErrUnanswered) || errors.Is(err, particle.ErrImported) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if err := r.save(tx, next); err != nil {
			return n, err
		}
		if err := tx.Reencrypt(o.ID, sealed.Ciphertext, c.now().Add(DefaultLife)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// resend writes anew what an earlier pass could not.
func (c *Client) resend(ctx context.Context, contact store.ID) error {
	var void []store.Outgoing
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		void, err = tx.Outbox(contact, 1, store.OutgoingResend)
		return err
	})
	if err != nil || len(void) == 0 {
		return err
	}
	return c.st.Update(ctx, func(tx *store.Tx) error {
		r, err := load(tx, contact)
		if err != nil || r.State != store.ContactEstablished || r.particle.CanSend() != nil {
			return err
		}
		_, err = c.encryptAgain(tx, &r)
		return err
	})
}
