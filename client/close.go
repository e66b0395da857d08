package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"communicator/client/store"
	"communicator/client/transport"
	"communicator/wire"
)

// closeDue goes on closing a contact's mailboxes, with growing pauses while an agent
// cannot be told.
func (c *Client) closeDue(ctx context.Context, contact store.ID) error {
	what := fmt.Sprintf("close/%x", contact)
	if !c.mayTry(what) {
		return nil
	}
	err := c.closeMailboxes(ctx, contact)
	if errors.Is(err, ErrStillClosing) {
		return nil
	}
	c.health.worked(what)
	return err
}

// closeMailboxes closes a contact's mailboxes that are to be closed, at their agents,
// and forgets them. [ErrStillClosing] if an agent could not be told.
func (c *Client) closeMailboxes(ctx context.Context, contact store.ID) error {
	return c.closeThose(ctx, store.MailboxFilter{Contact: contact}, contact)
}

func (c *Client) closeThose(ctx context.Context, f store.MailboxFilter, relationship store.ID) error {
	f.States = []store.MailboxState{store.MailboxClosing}
	var rows []store.Mailbox
	agents := map[store.AgentID]ownAgent{}
	over := map[store.MailboxKey]store.ID{}
	mode := byte(0)
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		if rows, err = tx.Mailboxes(f); err != nil {
			return err
		}
		for _, m := range rows {
			if agents[m.Agent], err = ownAgentByID(tx, m.Agent); err != nil {
				return err
			}
			if over[m.ID], err = c.collectedAs(tx, m); err != nil {
				return err
			}
		}
		if b, err := tx.Setting(revokeSetting(relationship)); err == nil && len(b) == 1 {
			mode = b[0]
		}
		return nil
	})
	if err != nil {
		return err
	}
	left := false
	for _, m := range rows {
		err := c.closeOne(ctx, over[m.ID], agents[m.Agent], m, mode)
		left = left || err != nil
		if err := c.tolerate(ctx, err); err != nil {
			return err
		}
	}
	if left {
		return ErrStillClosing
	}
	return nil
}

// closeOne closes one mailbox. What lay in it is collected after closing, when nothing
// can follow, unless the contact was revoked.
func (c *Client) closeOne(ctx context.Context, relationship store.ID, a ownAgent, m store.Mailbox, mode byte) error {
	expired := !c.now().Before(m.Expiry)
	if !expired {
		err := c.call(ctx, relationship, a, func(l *transport.Lease) error {
			owner := ed25519.NewKeyFromSeed(m.Seed[:])
			err := l.Revoke(ctx, owner, mode == revokeSilent, false)
			var refused *wire.StatusError
			if errors.As(err, &refused) && (refused.Status == wire.StatusNotFound || refused.Status == wire.StatusExpired) {
				err = nil // there is nothing to close
			}
			if err != nil || mode != 0 {
				return err
			}
			return c.collect(ctx, l, a, m)
		})
		if err != nil {
			return err
		}
	}
	return c.st.Update(ctx, func(tx *store.Tx) error {
		if err := tx.SetMailboxState(m.ID, store.MailboxClosed, zeroTime); err != nil {
			return err
		}
		return deleteMailbox(tx, m.ID)
	})
}

// deleteMailbox forgets a mailbox that is closed, or has been for long.
func deleteMailbox(tx *store.Tx, id store.MailboxKey) error {
	if err := deleteSettings(tx, stockSetting(id)); err != nil {
		return err
	}
	return tx.DeleteMailbox(id)
}

// closeInvitations ends invitations whose mailbox has expired, and closes the mailboxes
// of those that ended.
func (c *Client) closeInvitations(ctx context.Context) error {
	var over, ended []store.Invitation
	err := c.st.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Invitations(store.InvitationOpen, store.InvitationRevoked, store.InvitationExpired)
		for _, v := range all {
			// The mailbox outlives the link: a first message may still be on its way.
			if v.State != store.InvitationOpen {
				ended = append(ended, v)
			} else if c.now().After(v.Created.Add(wire.MaxContactAge)) {
				over = append(over, v)
			}
		}
		return err
	})
	for _, v := range over {
		if err != nil {
			return err
		}
		err = c.st.Update(ctx, func(tx *store.Tx) error { return c.endInvitation(tx, v, store.InvitationExpired) })
		if errors.Is(err, store.ErrTransition) {
			err = nil // it was accepted at the last moment
		}
	}
	for _, v := range append(ended, over...) {
		if err != nil {
			return err
		}
		err = c.closeInvitation(ctx, v)
	}
	return err
}

// closeInvitation closes an ended invitation's mailbox and forgets the invitation.
func (c *Client) closeInvitation(ctx context.Context, v store.Invitation) error {
	err := c.closeThose(ctx, store.MailboxFilter{Invitation: v.ID}, v.ID)
	if errors.Is(err, ErrStillClosing) {
		return nil
	}
	if err != nil {
		return err
	}
	err = c.st.Update(ctx, func(tx *store.Tx) error { return tx.DeleteInvitation(v.ID) })
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrReference) {
		return nil
	}
	return err
}
