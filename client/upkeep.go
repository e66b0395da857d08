package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"communicator/client/store"
	"communicator/wire"
)

// upkeep does what nobody asks for: answers, rotates, closes, makes mailboxes ahead,
// looks after agents and invitations. It returns when something of it is due again.
func (c *Client) upkeep(ctx context.Context) (wake time.Time, err error) {
	wake = c.now().Add(upkeepEvery)
	if err := c.refreshAgents(ctx); err != nil {
		return wake, err
	}
	var contacts []store.Contact
	err = c.st.View(ctx, func(tx *store.Tx) (err error) {
		contacts, err = tx.Contacts()
		return err
	})
	if err != nil {
		return wake, err
	}
	if err := c.tendIntroductions(ctx); err != nil {
		return wake, err
	}
	if err := c.tendClaims(ctx); err != nil {
		return wake, err
	}
	if err := c.tendTold(ctx); err != nil {
		return wake, err
	}
	established := 0
	for _, row := range contacts {
		due, err := c.tend(ctx, row)
		if err := c.tolerate(ctx, err); err != nil && !errors.Is(err, ErrNoAgents) {
			return wake, err
		}
		if !due.IsZero() && due.Before(wake) {
			wake = due
		}
		if row.State == store.ContactEstablished {
			established++
		}
	}
	if err := c.fillPool(ctx, min(established, poolSize)); err != nil {
		return wake, err
	}
	for _, v := range c.spent.take() {
		c.deleteBlob(ctx, v)
	}
	if err := c.closeInvitations(ctx); err != nil {
		return wake, err
	}
	if err := c.tendNamespaces(ctx); err != nil {
		return wake, err
	}
	return wake, c.prune(ctx)
}

// tendNamespaces does what concerns names and the overlay, after all else and for a limited
// time: it asks directories, which may be slow, and contacts do not wait for them.
func (c *Client) tendNamespaces(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, namesPatience)
	defer cancel()
	for _, tend := range []func(context.Context) error{c.findAgents, c.tendGossip, c.tendFrozen, c.tendObjections, c.tendNames, c.tendAsking, c.tendKnownNames} {
		err := tend(limited)
		if limited.Err() != nil && ctx.Err() == nil {
			c.opts.Logger.Debug("names not finished", "err", err)
			return nil // the next pass goes on
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tend looks after one relationship. It returns when an answer is due, or zero.
func (c *Client) tend(ctx context.Context, row store.Contact) (due time.Time, err error) {
	switch row.State {
	case store.ContactRevoked:
		return due, c.closeDue(ctx, row.ID)
	case store.ContactNeedsReset:
		return due, c.reset(ctx, row)
	}
	if err := c.rotate(ctx, row.ID); err != nil && !errors.Is(err, ErrNoAgents) {
		if err = c.tolerate(ctx, err); err != nil {
			return due, err
		}
	}
	if err := c.resend(ctx, row.ID); err != nil {
		return due, err
	}
	if err := c.retire(ctx, row.ID); err != nil {
		return due, err
	}
	if err := c.closeDue(ctx, row.ID); err != nil {
		return due, err
	}
	if err := c.prefetch(ctx, row.ID); err != nil {
		return due, err
	}
	return c.answer(ctx, row.ID)
}

// prefetch fetches the sealing keys of the peer's newest addresses while its agents
// still list them: an address outlives its epoch's place in the descriptor.
func (c *Client) prefetch(ctx context.Context, contact store.ID) error {
	var missing []wire.Address
	err := c.st.View(ctx, func(tx *store.Tx) error {
		r, err := load(tx, contact)
		if err != nil {
			return err
		}
		for _, a := range r.particle.PeerAddresses(c.now()) {
			if _, fresh, err := c.sealKey(tx, a); err != nil || !fresh {
				missing = append(missing, a)
			}
		}
		return nil
	})
	if err != nil || len(missing) == 0 {
		return err
	}
	if _, err := c.fetchKeys(ctx, contact, missing); err != nil {
		c.opts.Logger.Debug("sealing keys not fetched", "err", err)
	}
	return context.Cause(ctx)
}

// answerSetting holds when an automatic answer is due.
func answerSetting(id store.ID) string { return fmt.Sprintf("answer/%x", id[:]) }

// answer sends an empty message where one is due, after a random time: to acknowledge
// addresses, to let the peer's keys move on. It returns when one will be due, or zero.
func (c *Client) answer(ctx context.Context, contact store.ID) (due time.Time, err error) {
	needed, sending := false, false
	err = c.st.View(ctx, func(tx *store.Tx) error {
		r, err := load(tx, contact)
		needed = err == nil && r.particle.AnswerDue() && r.particle.CanSend() == nil
		return err
	})
	if err != nil || !needed {
		return due, err
	}
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		b, err := tx.Setting(answerSetting(contact))
		if errors.Is(err, store.ErrNotFound) {
			due = c.now().Add(c.ackDelay())
			if due.After(c.now()) {
				return tx.SetSetting(answerSetting(contact), millis(due))
			}
		} else if err != nil {
			return err
		} else if due, _ = parseMillis(b); due.After(c.now()) {
			return nil
		}
		r, err := load(tx, contact)
		if err != nil || r.State == store.ContactRevoked || !r.particle.AnswerDue() {
			return err
		}
		sending = true
		_, err = c.enqueue(tx, &r, "", SendOptions{Life: DefaultLife})
		return err
	})
	if sending {
		due = zeroTime
	}
	return due, err
}

func (c *Client) ackDelay() time.Duration {
	if c.opts.AckDelay < 0 {
		return 0
	}
	return time.Duration(c.rnd.ExpFloat64() * float64(c.opts.AckDelay))
}

// prune forgets what is of no use any more.
func (c *Client) prune(ctx context.Context) error {
	last, now := c.pruned.Load(), c.now().Unix()
	if now-last < int64(pruneEvery/time.Second) || !c.pruned.CompareAndSwap(last, now) {
		return nil
	}
	return c.st.Update(ctx, func(tx *store.Tx) error {
		now := c.now()
		if _, err := tx.PruneDelivered(now); err != nil {
			return err
		}
		if _, err := tx.PruneDescriptors(now.Add(-descriptorsKept)); err != nil {
			return err
		}
		if _, err := tx.PruneIntroductions(now.Add(-introductionKept)); err != nil {
			return err
		}
		rows, err := tx.Mailboxes(store.MailboxFilter{})
		for _, m := range rows {
			if now.Before(m.Expiry.Add(wire.MaxPutLife)) {
				continue
			}
			if err := deleteMailbox(tx, m.ID); err != nil {
				return err
			}
		}
		return err
	})
}
