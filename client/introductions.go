package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"communicator/client/store"
	"communicator/particle"
)

// IntroduceOptions are the choices of an introduction.
type IntroduceOptions struct {
	// FirstAs and SecondAs are what each is called towards the other; our own names for
	// them if empty.
	FirstAs, SecondAs string
	Note              string // to both, at most 512 bytes
}

// Introduce offers two contacts to introduce them to each other. Each is asked inside
// our conversation with them; if both agree within a week, each gets a key package that
// the other made for this, and they talk without us. Until they have verified each other
// we could be in the middle, and their clients say so.
//
// Errors: [ErrNoSuchContact], [ErrSamePerson], [ErrNotEstablished], [ErrRevoked],
// [ErrIntroductionOpen], [ErrBadName] for a name or note that is too long.
func (c *Client) Introduce(ctx context.Context, first, second string, o IntroduceOptions) (Request, error) {
	id, err := c.randomID()
	if err != nil {
		return Request{}, err
	}
	var seq int64
	var sides [2]store.ID
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		a, err := introducible(tx, first)
		if err != nil {
			return err
		}
		b, err := introducible(tx, second)
		if err != nil {
			return err
		}
		if a.ID == b.ID {
			return ErrSamePerson
		}
		if err := notOpen(tx, a.ID, b.ID); err != nil {
			return err
		}
		sides = [2]store.ID{a.ID, b.ID}
		if seq, err = c.ask(tx, a, id, orName(o.SecondAs, b.Name), o.Note); err != nil {
			return err
		}
		_, err = c.ask(tx, b, id, orName(o.FirstAs, a.Name), o.Note)
		return err
	})
	if err != nil {
		return Request{}, err
	}
	return c.goOn(ctx, seq, sides[:]...)
}

func orName(name, or string) string {
	if name == "" {
		return or
	}
	return name
}

// introducible loads a contact that can be asked.
func introducible(tx *store.Tx, name string) (relation, error) {
	r, err := loadByName(tx, name)
	switch {
	case err != nil:
		return r, err
	case r.State == store.ContactRevoked:
		return r, ErrRevoked
	case r.State != store.ContactEstablished:
		return r, fmt.Errorf("%w: %s", ErrNotEstablished, r.Name)
	}
	return r, nil
}

// notOpen refuses a second introduction of the same two while one is open.
func notOpen(tx *store.Tx, a, b store.ID) error {
	all, err := tx.Introductions()
	if err != nil {
		return err
	}
	of := map[store.ID]store.ID{}
	for _, i := range all {
		if i.Role != store.RoleIntroducer || !waitsForOne(i.State) {
			continue
		}
		if i.Contact == a || i.Contact == b {
			if first, ok := of[i.ID]; ok && first != i.Contact {
				return ErrIntroductionOpen
			}
			of[i.ID] = i.Contact
		}
	}
	return nil
}

// waitsForOne says whether an introducer's side still waits for an answer.
func waitsForOne(s store.IntroductionState) bool {
	return s == store.IntroductionAsked || s == store.IntroductionAccepted
}

// ask adds the side of one of the two and owes them the question.
func (c *Client) ask(tx *store.Tx, r relation, id store.ID, name, note string) (int64, error) {
	if len(name) > particle.MaxIntroductionName || len(note) > particle.MaxIntroductionNote {
		return 0, ErrBadName
	}
	return tx.AddIntroduction(store.Introduction{
		ID: id, Role: store.RoleIntroducer, Contact: r.ID, Via: r.Name, Name: name, Note: note,
		State: store.IntroductionAsked, Due: uint8(particle.IntroductionAsk),
		Expiry: c.now().Add(IntroductionLife).Truncate(time.Second),
	})
}

// goOn says what is owed, sends it, and returns where a request stands.
func (c *Client) goOn(ctx context.Context, seq int64, contacts ...store.ID) (Request, error) {
	if err := c.at("decided"); err != nil {
		return Request{}, err
	}
	if err := c.tendIntroductions(ctx); err != nil {
		return Request{}, err
	}
	for _, id := range contacts {
		if _, err := c.push(ctx, id, false); err != nil && !errors.Is(err, store.ErrNotFound) {
			return Request{}, err
		}
	}
	var out Request
	err := c.st.View(ctx, func(tx *store.Tx) error {
		i, err := tx.Introduction(seq)
		if err == nil {
			out, err = requestOf(tx, i)
		}
		return err
	})
	return out, err
}

// Approve agrees to a request. For an introduction it makes a key package for this one
// purpose, with a fresh identity and a mailbox for first messages that lives a week, and
// gives it to who introduces. The contact will be called name, or as who introduces
// calls them if that is empty.
//
// Errors: [ErrNoSuchRequest], [ErrNotWaiting], [ErrBadName], [ErrContactExists],
// [ErrNoAgents].
func (c *Client) Approve(ctx context.Context, id, name string) (Request, error) {
	seq, err := parseRequest(id)
	if err != nil {
		return Request{}, err
	}
	if err := c.st.View(ctx, func(tx *store.Tx) error {
		i, err := waiting(tx, seq)
		if err != nil {
			return err
		}
		if err := nameIsFree(tx, orName(name, i.Name)); errors.Is(err, ErrBadName) || name != "" && err != nil {
			return err // a taken name of theirs is given a number
		}
		name = orName(name, i.Name)
		return nil
	}); err != nil {
		return Request{}, err
	}
	own, err := c.newOffer(ctx, name)
	if err != nil {
		return Request{}, err
	}
	var contact store.ID
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		i, err := waiting(tx, seq)
		if err != nil {
			return err // answered meanwhile; the mailbox expires unused
		}
		if err := own.save(tx); err != nil {
			return err
		}
		contact = i.Contact
		i.State, i.Due, i.Session = store.IntroductionAccepted, uint8(particle.IntroductionAccept), nil
		i.Invitation, i.Expiry = own.invitation.ID, own.closes
		return tx.SetIntroduction(i)
	})
	if err != nil {
		return Request{}, err
	}
	return c.goOn(ctx, seq, contact)
}

// waiting returns an introduction that waits for our answer.
func waiting(tx *store.Tx, seq int64) (store.Introduction, error) {
	i, err := tx.Introduction(seq)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoSuchRequest
	}
	if err == nil && (i.Role != store.RoleIntroduced || i.State != store.IntroductionAsked || !tx.Now().Before(i.Expiry)) {
		err = ErrNotWaiting
	}
	return i, err
}

// nameIsFree says early that a name cannot be given.
func nameIsFree(tx *store.Tx, name string) error {
	_, err := tx.ContactByName(name)
	if err == nil {
		return ErrContactExists
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return contactError(err)
}

// Decline refuses a request, also one that was approved while nothing has come of it
// yet, or takes an introduction of our own back. The other side learns that it will not
// happen, not why.
//
// Errors: [ErrNoSuchRequest], [ErrNotWaiting].
func (c *Client) Decline(ctx context.Context, id string) (Request, error) {
	seq, err := parseRequest(id)
	if err != nil {
		return Request{}, err
	}
	var contacts []store.ID
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		i, err := tx.Introduction(seq)
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoSuchRequest
		}
		if err != nil {
			return err
		}
		contacts = append(contacts, i.Contact)
		if i.Role == store.RoleIntroducer {
			other, err := c.endBoth(tx, i)
			contacts = append(contacts, other)
			return err
		}
		if i.Role != store.RoleIntroduced || !waitsForOne(i.State) || i.Result != (store.ID{}) {
			return ErrNotWaiting
		}
		i.State, i.Due, i.Session = store.IntroductionDeclined, uint8(particle.IntroductionDecline), nil
		if err := c.withdrawOffer(tx, i.Invitation); err != nil {
			return err
		}
		return tx.SetIntroduction(i)
	})
	if err != nil {
		return Request{}, err
	}
	if err := c.closeInvitations(ctx); err != nil {
		return Request{}, err
	}
	return c.goOn(ctx, seq, contacts...)
}

// endBoth takes an introduction of ours back, which waits for one of the two.
func (c *Client) endBoth(tx *store.Tx, i store.Introduction) (other store.ID, err error) {
	o, err := tx.OtherIntroduction(i)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return other, err
	}
	if !waitsForOne(i.State) && (err != nil || !waitsForOne(o.State)) {
		return other, ErrNotWaiting
	}
	if err == nil {
		if err := end(tx, o, store.IntroductionEnded); err != nil {
			return other, err
		}
	}
	return o.Contact, end(tx, i, store.IntroductionEnded)
}

// end ends an introducer's side that is still open and owes it the news.
func end(tx *store.Tx, i store.Introduction, s store.IntroductionState) error {
	if !waitsForOne(i.State) {
		return nil
	}
	i.State, i.Due, i.Session, i.Package = s, uint8(particle.IntroductionEnd), nil, nil
	return tx.SetIntroduction(i)
}
