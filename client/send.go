package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"communicator/client/store"
	"communicator/particle"
)

// Wait is how far a Send goes before it returns.
type Wait uint8

// How far a Send goes. The message is saved first in any case, and whatever is not done
// then is done by later passes of Receive or by Follow.
const (
	// TryOnce tries at once and returns, whether or not an agent took the message.
	TryOnce Wait = iota
	// NoWait saves the message and leaves the rest to a Follow.
	NoWait
	// UntilSubmitted waits until a sending agent has given its receipt.
	UntilSubmitted
	// UntilStored waits until a receiving agent has the message.
	UntilStored
)

// SendOptions are the choices of one message. The zero value is fit for use.
type SendOptions struct {
	Wait Wait
	// Life is how long the message is tried; [DefaultLife], 14 days, if zero, and at
	// most that.
	Life time.Duration
	// ReceiptFile asks for [Sent.ReceiptFile].
	ReceiptFile bool
	// Jitter asks the sending agent to hold the message for a random time with this
	// mean, against an observer of timing.
	Jitter time.Duration
}

// Send sends a text to a contact: saves it, and then goes as far as o.Wait says. When
// ctx ends meanwhile the error is its cause, and Sent says how far the message came; it
// is not lost.
//
// Errors before anything is saved: [ErrNoSuchContact], [*ErrTooLong], [ErrBadText],
// [ErrRevoked], [ErrNeedsReset], [ErrUnanswered], [ErrNoAgents]. Afterwards:
// [ErrDeliveryFailed], and [ErrNoRoute] for a message that stays queued.
func (c *Client) Send(ctx context.Context, name, text string, o SendOptions) (Sent, error) {
	if len(text) > particle.MaxText {
		return Sent{}, &ErrTooLong{Length: len(text), Limit: particle.MaxText}
	}
	if text == "" || !utf8.ValidString(text) {
		return Sent{}, ErrBadText
	}
	if o.Life <= 0 || o.Life > DefaultLife {
		o.Life = DefaultLife
	}
	var out Sent
	var contact store.ID
	err := c.st.Update(ctx, func(tx *store.Tx) error {
		r, err := loadByName(tx, name)
		if err != nil {
			return err
		}
		contact = r.ID
		if err := sendable(tx, r); err != nil {
			return err
		}
		if out.ID, err = c.enqueue(tx, &r, text, o); err != nil || !o.ReceiptFile {
			return err
		}
		return wantReceiptFile(tx, store.ID(out.ID))
	})
	if err != nil {
		return Sent{}, err
	}
	c.noteActive(contact) // an answer may come
	if err := c.at("saved"); err != nil {
		return out, err
	}
	if o.Wait == NoWait {
		return out, nil
	}
	err = c.drive(ctx, contact, out.ID, o.Wait)
	// Also when ctx has ended: how far it came is worth telling.
	state, serr := c.sent(context.WithoutCancel(ctx), contact, out.ID)
	if o.ReceiptFile {
		serr = errors.Join(serr, c.st.Update(context.WithoutCancel(ctx), func(tx *store.Tx) (err error) {
			state.ReceiptFile, err = takeReceiptFile(tx, store.ID(out.ID))
			return err
		}))
	}
	return state, errors.Join(err, serr)
}

// sendable says why nothing can be sent to a contact.
func sendable(tx *store.Tx, r relation) error {
	switch r.State {
	case store.ContactRevoked:
		return ErrRevoked
	case store.ContactNeedsReset:
		return ErrNeedsReset
	}
	if err := r.particle.CanSend(); err != nil {
		return err
	}
	senders, err := ownAgents(tx, RoleSending, AgentActive)
	if err == nil && len(senders) == 0 {
		err = fmt.Errorf("%w: none can send", ErrNoAgents)
	}
	return err
}

// enqueue encrypts a text and saves {next state, ciphertext, history entry}: the commit
// rule of sending. An empty text answers and acknowledges, and has no history entry.
func (c *Client) enqueue(tx *store.Tx, r *relation, text string, o SendOptions) (MessageID, error) {
	return c.enqueueDraft(tx, r, particle.Draft{Text: text}, o)
}

// enqueueDraft is enqueue for whatever else a message says.
func (c *Client) enqueueDraft(tx *store.Tx, r *relation, draft particle.Draft, o SendOptions) (MessageID, error) {
	now := c.now()
	if r.State == store.ContactRevoked {
		return MessageID{}, ErrRevoked
	}
	if err := c.offerFromPool(tx, r); err != nil {
		return MessageID{}, err
	}
	told, err := checkpointFor(tx, r.ID, &draft)
	if err != nil {
		return MessageID{}, err
	}
	next, sealed, err := r.particle.Send(c.opts.Rand, draft, now)
	if err != nil {
		return MessageID{}, err
	}
	if err := told.save(tx); err != nil {
		return MessageID{}, err
	}
	if err := r.save(tx, next); err != nil {
		return MessageID{}, err
	}
	if err := deleteSettings(tx, answerSetting(r.ID)); err != nil {
		return MessageID{}, err
	}
	id := store.ID(sealed.Message.ID)
	err = tx.Enqueue(store.Outgoing{ID: id, Contact: r.ID, Ciphertext: sealed.Ciphertext, NotAfter: now.Add(o.Life)})
	if err != nil || draft.Text == "" {
		return MessageID(id), err
	}
	if o.Jitter > 0 {
		if err := tx.SetSetting(jitterSetting(id), binary.BigEndian.AppendUint64(nil, uint64(o.Jitter))); err != nil {
			return MessageID(id), err
		}
	}
	_, err = tx.AddMessage(store.Message{ID: id, Contact: r.ID, Sent: sealed.Message.Sent, Text: draft.Text, State: Pending})
	return MessageID(id), err
}

// drive pushes a contact's outbox until a message has come as far as wanted.
func (c *Client) drive(ctx context.Context, contact store.ID, id MessageID, wait Wait) error {
	var generation uint64
	for {
		p, err := c.push(ctx, contact, wait == UntilStored)
		if err != nil {
			return err
		}
		s, err := c.sent(ctx, contact, id)
		if err != nil {
			return err
		}
		switch {
		case s.State == Failed, s.State == Expired:
			return ErrDeliveryFailed
		case s.State == Refused:
			return ErrNoRoute
		case wait == TryOnce, s.State == Stored, wait == UntilSubmitted && s.State == Submitted:
			return nil
		}
		if generation, err = c.pause(ctx, generation, p.wake); err != nil {
			return err
		}
	}
}

// pause waits until a time, or until anybody has changed the profile since the
// generation.
func (c *Client) pause(ctx context.Context, generation uint64, until time.Time) (uint64, error) {
	wait := max(until.Sub(c.now()), minPause)
	timed, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	next, err := c.st.Changed(timed, generation)
	if err != nil && ctx.Err() == nil && timed.Err() != nil {
		return generation, nil
	}
	return next, err
}

// sent reads how far a message of ours came.
func (c *Client) sent(ctx context.Context, contact store.ID, id MessageID) (Sent, error) {
	var out Sent
	err := c.st.View(ctx, func(tx *store.Tx) error {
		m, err := tx.Message(contact, false, store.ID(id))
		out = Sent{ID: id, State: m.State, Receipt: nonEmpty(m.Receipt)}
		return err
	})
	return out, err
}

func nonEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func jitterSetting(id store.ID) string { return fmt.Sprintf("jitter/%x", id[:]) }

// setMessageState notes in the history how far a message came. An automatic answer has
// no entry there.
func setMessageState(tx *store.Tx, o store.Outgoing, s store.MessageState) error {
	err := tx.SetMessageState(o.Contact, false, o.ID, s)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
