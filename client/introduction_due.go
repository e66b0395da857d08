package client

import (
	"context"
	"errors"
	"fmt"

	"communicator/client/store"
	"communicator/particle"
)

// tendIntroductions does what introductions and direct exchanges are owed: says each
// step in the session that there is, begins the handshakes that are ours to begin, and
// ends what has come to nothing in time.
func (c *Client) tendIntroductions(ctx context.Context) error {
	var rows []store.Introduction
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.Introductions()
		return err
	})
	if err != nil {
		return err
	}
	for _, i := range rows {
		if err := c.tendIntroduction(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) tendIntroduction(ctx context.Context, i store.Introduction) error {
	if err := c.expireIntroduction(ctx, i.Seq); err != nil {
		return err
	}
	if i.Due != 0 {
		if err := c.sayStep(ctx, i.Seq); err != nil {
			return err
		}
	}
	if i.State == store.IntroductionPassed && i.Role != store.RoleIntroducer {
		err := c.beginMeeting(ctx, i)
		if errors.Is(err, ErrNoAgents) {
			return nil // until one is added
		}
		return c.tolerate(ctx, err)
	}
	return nil
}

// expireIntroduction ends a side whose time has passed, whose contact has gone, or whose
// offer has.
func (c *Client) expireIntroduction(ctx context.Context, seq int64) error {
	var event Event
	over := func(tx *store.Tx, write bool) (due bool, err error) {
		i, err := tx.Introduction(seq)
		if err != nil || !i.State.Open() {
			return false, err
		}
		to := store.IntroductionExpired
		switch late := !c.now().Before(i.Expiry); {
		case i.Role == store.RoleIntroducer && i.State == store.IntroductionPassed:
			return false, nil
		case i.Role == store.RoleIntroducer:
			gone, err := revokedOrGone(tx, i.Contact)
			if err != nil || !late && !gone {
				return false, err
			}
			if gone {
				to = store.IntroductionEnded
			}
		case !late:
			return false, nil
		}
		if !write {
			return true, nil
		}
		if err := c.expireSide(tx, i, to); err != nil {
			return false, err
		}
		i, err = tx.Introduction(seq)
		if err == nil {
			var q Request
			q, err = requestOf(tx, i)
			event = RequestChanged{q}
		}
		return true, err
	}
	return c.emitUnless(c.doubleChecked(ctx, over), event)
}

// expireSide ends one side. Of an introduction of ours, both sides run out of time at
// once: who has not answered knows it, who has answered waits and is told. If one of the
// two has gone, the other is told.
func (c *Client) expireSide(tx *store.Tx, i store.Introduction, to store.IntroductionState) error {
	if i.Role == store.RoleIntroducer && to == store.IntroductionEnded {
		_, err := c.endBoth(tx, i)
		return err
	}
	if i.Role == store.RoleIntroducer && i.State == store.IntroductionAccepted {
		return end(tx, i, to)
	}
	i.State, i.Due = to, 0
	if err := c.withdrawOffer(tx, i.Invitation); err != nil {
		return err
	}
	return tx.SetIntroduction(i)
}

// doubleChecked looks without writing first, and then again where it writes.
func (c *Client) doubleChecked(ctx context.Context, work func(tx *store.Tx, write bool) (bool, error)) error {
	due := false
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		due, err = work(tx, false)
		return err
	})
	if err != nil || !due {
		return err
	}
	return c.st.Update(ctx, func(tx *store.Tx) error {
		_, err := work(tx, true)
		return err
	})
}

func revokedOrGone(tx *store.Tx, id store.ID) (bool, error) {
	if id == (store.ID{}) {
		return true, nil
	}
	row, err := tx.Contact(id)
	return row.State == store.ContactRevoked, err
}

// sayStep says what a side is owed, once in each session: with the note of which session
// that was, in the transaction that encrypts it.
func (c *Client) sayStep(ctx context.Context, seq int64) error {
	err := c.doubleChecked(ctx, func(tx *store.Tx, write bool) (bool, error) {
		i, err := tx.Introduction(seq)
		if err != nil || i.Due == 0 || i.Contact == (store.ID{}) {
			return false, err
		}
		r, err := load(tx, i.Contact)
		if err != nil || r.State != store.ContactEstablished || r.particle.CanSend() != nil {
			return false, err
		}
		sid := r.particle.SessionID()
		if string(i.Session) == string(sid[:]) {
			return false, nil
		}
		m, err := c.step(tx, i)
		if err != nil || m == nil || !write {
			return m != nil, err
		}
		i.Session = sid[:]
		if err := tx.SetIntroduction(i); err != nil {
			return false, err
		}
		_, err = c.enqueueDraft(tx, &r, particle.Draft{Introduction: m}, SendOptions{Life: DefaultLife})
		return true, err
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, particle.ErrUnanswered) {
		return nil // removed meanwhile, or a later pass says it
	}
	return err
}

// step builds the message that a side is owed, nil if it can no longer be built.
func (c *Client) step(tx *store.Tx, i store.Introduction) (*particle.Introduction, error) {
	m := &particle.Introduction{Step: particle.IntroductionStep(i.Due), ID: particle.IntroductionID(i.ID)}
	switch m.Step {
	case particle.IntroductionAsk:
		m.Expires, m.Name, m.Note = i.Expiry, i.Name, i.Note
	case particle.IntroductionAccept:
		_, secret, err := openOffer(tx, i.Invitation)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		m.Package = secret.Package().Bytes()
	case particle.IntroductionPass:
		o, err := tx.OtherIntroduction(i)
		if err != nil || len(o.Package) == 0 {
			if errors.Is(err, store.ErrNotFound) {
				err = nil
			}
			return nil, err
		}
		m.Package = o.Package
	}
	return m, nil
}

// beginMeeting makes the contact, if both packages are here and the handshake is ours to
// begin. It is begun once: the transaction that makes the contact also closes the offer
// and the side.
func (c *Client) beginMeeting(ctx context.Context, i store.Introduction) error {
	what := fmt.Sprintf("meet/%d", i.Seq)
	ours := false
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		ours, _, _, err = c.meets(tx, i.Seq)
		return err
	})
	if err != nil || !ours || !c.mayTry(what) {
		return err
	}
	id, err := c.randomID()
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		b, err := c.gather(ctx, id)
		if err != nil {
			return err
		}
		var event Event
		err = c.st.Update(ctx, func(tx *store.Tx) (err error) {
			event, err = c.meet(tx, i.Seq, id, b)
			return err
		})
		if err == nil {
			c.health.worked(what)
			if event != nil {
				c.events.emit(event)
			}
			if err := c.at("met"); err != nil {
				return err
			}
			if _, err := c.push(ctx, id, false); !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return nil
		}
		if !errors.Is(err, errTaken) || try == gatherTries {
			return err
		}
	}
}

// meets says whether a handshake is ours to begin, with whose package and which secret.
func (c *Client) meets(tx *store.Tx, seq int64) (ours bool, m meeting, secret *particle.PackageSecret, err error) {
	i, err := tx.Introduction(seq)
	if err != nil || i.State != store.IntroductionPassed || i.Role == store.RoleIntroducer {
		return false, m, nil, err
	}
	if _, secret, err = openOffer(tx, i.Invitation); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = nil // it has run out; the side expires
		}
		return false, m, nil, err
	}
	pkg, err := particle.ParsePackage(i.Package)
	if err != nil {
		return false, m, nil, err
	}
	ours, err = particle.Begins(secret.Identity().Doc(), pkg.Identity())
	return ours, meeting{i, true}, secret, err
}

func (c *Client) meet(tx *store.Tx, seq int64, id store.ID, b boxes) (Event, error) {
	ours, m, secret, err := c.meets(tx, seq)
	if err != nil || !ours {
		return nil, err // another process was faster
	}
	v, err := tx.Invitation(m.Invitation)
	if err != nil {
		return nil, err
	}
	pkg, err := particle.ParsePackage(m.Package)
	if err != nil {
		return nil, err
	}
	if err := c.withdrawOffer(tx, m.Invitation); err != nil {
		return nil, err
	}
	var in arrival
	if !c.now().Before(pkg.Expires()) {
		m.State = store.IntroductionExpired
		if err := tx.SetIntroduction(m.Introduction); err != nil {
			return nil, err
		}
		return eventOf(&in, c.tellRequest(tx, &in, seq, store.IntroductionPassed))
	}
	name, err := c.freeName(tx, m.called(v.Name))
	if err != nil {
		return nil, err
	}
	row := store.Contact{ID: id, Name: name}
	m.mark(&row)
	r, err := c.initiateAs(tx, secret.Identity(), row, pkg, b)
	if err != nil {
		return nil, err
	}
	return eventOf(&in, c.met(tx, &in, m, &r))
}

// eventOf is the one event of a piece of work.
func eventOf(in *arrival, err error) (Event, error) {
	if len(in.events) == 0 || err != nil {
		return nil, err
	}
	return in.events[0], nil
}
