package client

import (
	"context"
	"errors"
	"time"

	"communicator/client/store"
)

// A direct exchange hands key packages over without any service in between
// (client/nearby), and then goes on like an introduction whose packages have been passed:
// one of the two begins the ordinary handshake, through the agents that the packages
// name. What it leaves in the profile:
//
//	OfferDirect    an offer of ours     handshakes in its mailbox are refused: nobody is expected
//	ConfirmDirect  with their package   our person has compared: only they are expected
//	FinishDirect   agreed               both have: the handshake begins
//	               not agreed           the offer is closed

// Direct is our side of a direct exchange.
type Direct struct {
	Package []byte // ours, for the other side alone
	seq     int64
}

// directLife is how long an offer waits for the other side before it is closed.
const directLife = time.Hour

// OfferDirect makes a key package for a direct exchange, with a fresh identity and a
// mailbox for first messages at one of our receiving agents. Whoever takes no further
// step calls FinishDirect; after a crash the offer is closed by itself.
//
// Errors: [ErrNoAgents], [*transport.UnreachableError] if no agent can be reached.
func (c *Client) OfferDirect(ctx context.Context) (Direct, error) {
	own, err := c.newOffer(ctx, "")
	if err != nil {
		return Direct{}, err
	}
	id, err := c.randomID()
	if err != nil {
		return Direct{}, err
	}
	d := Direct{Package: own.secret.Package().Bytes()}
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		if err := own.save(tx); err != nil {
			return err
		}
		d.seq, err = tx.AddIntroduction(store.Introduction{
			ID: id, Role: store.RoleNearby, State: store.IntroductionAsked,
			Invitation: own.invitation.ID, Expiry: c.now().Add(directLife),
		})
		return err
	})
	return d, err
}

// ConfirmDirect records that our person has compared the words and found them the same,
// before the other side is told: the package is theirs, and they will be called name.
//
// Errors: [ErrNotWaiting], [ErrBadPackage], [ErrBadName], [ErrContactExists].
func (c *Client) ConfirmDirect(ctx context.Context, d Direct, name string, theirs []byte) error {
	pkg, err := c.peerPackage(theirs)
	if err != nil {
		return err
	}
	return c.st.Update(ctx, func(tx *store.Tx) error {
		i, err := direct(tx, d)
		if err == nil && i.State != store.IntroductionAsked {
			err = ErrNotWaiting
		}
		if err != nil {
			return err
		}
		if err := nameIsFree(tx, name); err != nil {
			return err
		}
		v, own, err := openOffer(tx, i.Invitation)
		if errors.Is(err, store.ErrNotFound) {
			return ErrNotWaiting
		}
		if err != nil {
			return err
		}
		if err := c.usable(own, pkg); err != nil {
			return err
		}
		i.State, i.Name, i.Package, i.Expiry = store.IntroductionAccepted, name, theirs, v.Created.Add(offerLife)
		return tx.SetIntroduction(i)
	})
}

// FinishDirect ends a direct exchange: if both people agreed, the relationship begins,
// at once or with the next passes; otherwise the offer is closed. The request says how
// far it came.
//
// Errors: [ErrNotWaiting].
func (c *Client) FinishDirect(ctx context.Context, d Direct, agreed bool) (Request, error) {
	err := c.st.Update(ctx, func(tx *store.Tx) error {
		i, err := direct(tx, d)
		if err != nil {
			return err
		}
		switch {
		case i.State == store.IntroductionDone && agreed:
			return nil // they were faster
		case i.State == store.IntroductionAccepted && agreed:
			i.State = store.IntroductionPassed
		case waitsForOne(i.State) && !agreed:
			i.State = store.IntroductionDeclined
			if err := c.withdrawOffer(tx, i.Invitation); err != nil {
				return err
			}
		default:
			return ErrNotWaiting
		}
		return tx.SetIntroduction(i)
	})
	if err != nil {
		return Request{}, err
	}
	if err := c.closeInvitations(ctx); err != nil {
		return Request{}, err
	}
	return c.goOn(ctx, d.seq)
}

// direct returns the row of a direct exchange.
func direct(tx *store.Tx, d Direct) (store.Introduction, error) {
	i, err := tx.Introduction(d.seq)
	if errors.Is(err, store.ErrNotFound) || err == nil && i.Role != store.RoleNearby {
		err = ErrNotWaiting
	}
	return i, err
}
