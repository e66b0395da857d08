package client

import (
	"context"
	"errors"
	"fmt"

	"communicator/client/store"
)

// Contacts lists all relationships by name.
func (c *Client) Contacts(ctx context.Context) ([]Contact, error) {
	var out []Contact
	err := c.st.View(ctx, func(tx *store.Tx) error {
		k, err := kinshipIn(tx)
		if err != nil {
			return err
		}
		for r, err := range everyContact(tx) {
			if err != nil {
				return err
			}
			out = append(out, r.among(k))
		}
		return nil
	})
	return out, err
}

// Contact returns one relationship by its name, whatever its case.
func (c *Client) Contact(ctx context.Context, name string) (Contact, error) {
	var out Contact
	err := c.st.View(ctx, func(tx *store.Tx) error {
		r, err := loadByName(tx, name)
		if err != nil {
			return err
		}
		k, err := kinshipIn(tx)
		out = r.among(k)
		return err
	})
	return out, err
}

// among is public with what is known of others besides.
func (r relation) among(k kinship) Contact {
	out := r.dated(k)
	out.Kin = k.of(r)
	return out
}

// dated is public with the time for which its names are known.
func (r relation) dated(k kinship) Contact {
	out := r.public()
	out.Since = since(k.rows.tx, out.Names)
	return out
}

func (r relation) public() Contact {
	e, trust := r.evidence(), r.trust()
	return Contact{
		Name: r.Name, State: r.State, Degraded: r.Degraded, Created: r.Created,
		Verified: trust == TrustVerified, Alarmed: r.particle.Alarmed(),
		Trust: trust, Via: r.Via, Names: e.Names, How: e.How, Why: r.why(e),
	}
}

// update changes one relationship in a transaction.
func (c *Client) update(ctx context.Context, name string, change func(tx *store.Tx, r *relation) error) error {
	return c.st.Update(ctx, func(tx *store.Tx) error {
		r, err := loadByName(tx, name)
		if err != nil {
			return err
		}
		return change(tx, &r)
	})
}

// Rename gives a contact another name; names are ours alone.
//
// Errors: [ErrNoSuchContact], [ErrContactExists], [ErrBadName].
func (c *Client) Rename(ctx context.Context, name, to string) error {
	return c.update(ctx, name, func(tx *store.Tx, r *relation) error {
		return contactError(tx.RenameContact(r.ID, to))
	})
}

// revokeSetting says how the mailboxes of a revoked contact are to be closed.
func revokeSetting(id store.ID) string { return fmt.Sprintf("revoke/%x", id[:]) }

const (
	revokeLoud   = 1 // senders are told
	revokeSilent = 2 // senders see "stored"
)

// Revoke takes our addresses back: nothing of this contact arrives any more, and what
// is queued for it is given up. Its history stays. Loudly, the peer's client learns that
// the addresses are closed; silently, its messages seem to be stored. The decision is
// kept at once; agents that cannot be reached now are told by upkeep.
//
// Errors: [ErrNoSuchContact]; [ErrStillClosing] if an agent could not be told yet.
func (c *Client) Revoke(ctx context.Context, name string, silent bool) error {
	var id store.ID
	err := c.update(ctx, name, func(tx *store.Tx, r *relation) error {
		id = r.ID
		mode := byte(revokeLoud)
		if silent {
			mode = revokeSilent
		}
		if err := tx.SetSetting(revokeSetting(id), []byte{mode}); err != nil {
			return err
		}
		if err := tx.SetContactState(id, store.ContactRevoked); err != nil {
			return err
		}
		if err := giveUp(tx, id); err != nil {
			return err
		}
		open, err := tx.Mailboxes(store.MailboxFilter{Contact: id, States: []store.MailboxState{
			store.MailboxActive, store.MailboxGrace}})
		for _, m := range open {
			if err := tx.SetMailboxState(m.ID, store.MailboxClosing, zeroTime); err != nil {
				return err
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.closeMailboxes(ctx, id)
}

// giveUp ends everything that is queued for a contact.
func giveUp(tx *store.Tx, id store.ID) error {
	queued, err := tx.Outbox(id, maxOutbox)
	if err != nil {
		return err
	}
	for _, o := range queued {
		if err := forget(tx, o); err != nil {
			return err
		}
		if err := setMessageState(tx, o, store.MessageFailed); err != nil {
			return err
		}
	}
	return nil
}

// Remove revokes a contact loudly, unless it was revoked before, and erases it with its
// history.
//
// Errors: [ErrNoSuchContact]; [ErrStillClosing] if a mailbox could not be closed at its
// agent yet: nothing is erased, call again later.
func (c *Client) Remove(ctx context.Context, name string) error {
	contact, err := c.Contact(ctx, name)
	if err != nil {
		return err
	}
	if contact.State != ContactRevoked {
		err = c.Revoke(ctx, name, false)
	} else {
		var id store.ID
		if err = c.update(ctx, name, func(_ *store.Tx, r *relation) error { id = r.ID; return nil }); err == nil {
			err = c.closeMailboxes(ctx, id)
		}
	}
	if err != nil {
		return err
	}
	err = c.update(ctx, name, func(tx *store.Tx, r *relation) error {
		closed, err := tx.Mailboxes(store.MailboxFilter{Contact: r.ID})
		if err != nil {
			return err
		}
		for _, m := range closed {
			if err := deleteMailbox(tx, m.ID); err != nil {
				return err
			}
		}
		if err := deleteSettings(tx, revokeSetting(r.ID), answerSetting(r.ID)); err != nil {
			return err
		}
		if err := forgetRelations(tx, r.ID); err != nil {
			return err
		}
		return tx.DeleteContact(r.ID)
	})
	if errors.Is(err, store.ErrTransition) {
		err = ErrStillClosing
	}
	if err != nil {
		return err
	}
	// Another process that reads keeps old pages a little longer: no failure.
	if err := c.st.Scrub(ctx); err != nil && !errors.Is(err, store.ErrBusy) {
		return err
	}
	return nil
}
