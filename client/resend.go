package client

import (
	"context"
	"fmt"

	"communicator/client/store"
)

// maxResend is how many messages one Resend sends anew: the rest wait for the next.
const maxResend = 100

// Resend sends anew, as new messages and in their order, the texts to a contact that
// expired or failed: all of them, at most 100 at once, or only those with the given ids.
// The old entries are marked [Resent] in the transaction that saves the new ones, so
// that nothing is sent anew twice. It returns the new messages' ids without waiting; a
// pass of Receive, or a Follow, carries them.
//
// Errors, before anything is saved: those of [Client.Send], and [ErrNoSuchMessage] for
// an id that is not a lost message to this contact.
func (c *Client) Resend(ctx context.Context, name string, o SendOptions, ids ...MessageID) ([]MessageID, error) {
	if o.Life <= 0 || o.Life > DefaultLife {
		o.Life = DefaultLife
	}
	var out []MessageID
	err := c.st.Update(ctx, func(tx *store.Tx) error {
		out = nil
		r, err := loadByName(tx, name)
		if err != nil {
			return err
		}
		lost, err := lostMessages(tx, r.ID, ids)
		if err != nil || len(lost) == 0 {
			return err
		}
		for _, m := range lost {
			if err := sendable(tx, r); err != nil {
				return err
			}
			id, err := c.enqueue(tx, &r, m.Text, o)
			if err != nil {
				return err
			}
			if err := tx.SetMessageState(r.ID, false, m.ID, Resent); err != nil {
				return err
			}
			out = append(out, id)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// lostMessages finds what expired or failed: all of it, or the given ids.
func lostMessages(tx *store.Tx, contact store.ID, ids []MessageID) ([]store.Message, error) {
	if len(ids) == 0 {
		return tx.OutgoingInState(contact, Expired, Failed, maxResend)
	}
	if len(ids) > maxResend {
		return nil, fmt.Errorf("client: at most %d messages are sent anew at once", maxResend)
	}
	out := make([]store.Message, 0, len(ids))
	seen := map[MessageID]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		m, err := ownMessage(tx, contact, id)
		if err != nil {
			return nil, err
		}
		if m.State != Expired && m.State != Failed {
			return nil, fmt.Errorf("%w: %s is %s, not lost", ErrNoSuchMessage, id, m.State)
		}
		out = append(out, m)
	}
	return out, nil
}
