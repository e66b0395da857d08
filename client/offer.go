package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"communicator/client/store"
	"communicator/particle"
	"communicator/wire"
)

// offerLife is how long the mailbox of an offer is open.
const offerLife = wire.MaxContactAge

// ownOffer is a key package of ours that is handed to one person otherwise than by a
// link: through an introduction or a direct exchange. In the profile it is an invitation
// without a link: the first valid handshake in its mailbox makes the contact.
type ownOffer struct {
	secret     *particle.PackageSecret
	invitation store.Invitation
	box        store.Mailbox
	closes     time.Time // when its mailbox is closed at the latest
}

// newOffer makes an offer with a fresh identity, that one person can take up.
func (c *Client) newOffer(ctx context.Context, name string) (*ownOffer, error) {
	identity, err := particle.NewIdentity(c.opts.Rand)
	if err != nil {
		return nil, err
	}
	return c.offerAs(ctx, identity, particle.PackageOptions{OneTime: true}, name)
}

// offerAs makes a mailbox for first messages and a package of the identity that names
// it. It is not stored yet.
func (c *Client) offerAs(ctx context.Context, identity particle.Identity, o particle.PackageOptions, name string) (*ownOffer, error) {
	id, err := c.randomID()
	if err != nil {
		return nil, err
	}
	var agents []ownAgent
	err = c.st.View(ctx, func(tx *store.Tx) (err error) {
		if agents, err = ownAgents(tx, RoleReceiving, AgentActive); err != nil {
			return err
		}
		senders, err := ownAgents(tx, RoleSending, AgentActive)
		if err == nil && len(senders) == 0 {
			err = fmt.Errorf("%w: none can send", ErrNoAgents)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c.rnd.Shuffle(len(agents), func(i, j int) { agents[i], agents[j] = agents[j], agents[i] })
	box, err := c.contactMailbox(ctx, id, agents)
	if err != nil {
		return nil, err
	}
	address, err := wire.ParseAddress(box.Address)
	if err != nil {
		return nil, err
	}
	now := c.now()
	o.Contact, o.Expires = &address, now.Add(InvitationLife).Truncate(time.Second).UTC()
	_, secret, err := particle.NewPackage(c.opts.Rand, identity, o)
	if err != nil {
		return nil, err
	}
	box.Invitation, box.State = id, store.MailboxActive
	return &ownOffer{
		secret: secret, box: box, closes: now.Add(offerLife),
		invitation: store.Invitation{ID: id, BlobID: id[:], Private: secret.Marshal(), Name: name, Expiry: o.Expires},
	}, nil
}

func (o *ownOffer) save(tx *store.Tx) error {
	if err := tx.AddInvitation(o.invitation); err != nil {
		return contactError(err)
	}
	return tx.AddMailbox(o.box)
}

// withdrawOffer ends an offer that may be open and has its mailbox closed.
func (c *Client) withdrawOffer(tx *store.Tx, id store.ID) error {
	v, err := tx.Invitation(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.endInvitation(tx, v, store.InvitationRevoked); !errors.Is(err, store.ErrTransition) {
		return err
	}
	return nil
}

// openOffer returns the secret of an offer that nobody has used yet.
func openOffer(tx *store.Tx, id store.ID) (v store.Invitation, secret *particle.PackageSecret, err error) {
	if v, err = tx.Invitation(id); err != nil {
		return v, nil, err
	}
	if v.State != store.InvitationOpen {
		return v, nil, store.ErrNotFound
	}
	secret, err = particle.ParsePackageSecret(v.Private)
	return v, secret, err
}

// peerPackage checks a key package that somebody else made for one use by us.
func (c *Client) peerPackage(b []byte) (particle.KeyPackage, error) {
	pkg, err := c.sharedPackage(b)
	if err == nil && !pkg.OneTime() {
		err = fmt.Errorf("%w: not made for one person", ErrBadPackage)
	}
	return pkg, err
}

// sharedPackage checks a key package that others may have been given, too.
func (c *Client) sharedPackage(b []byte) (particle.KeyPackage, error) {
	pkg, err := particle.ParsePackage(b)
	if err != nil {
		return pkg, errors.Join(ErrBadPackage, err)
	}
	a := pkg.Contact()
	switch {
	case a == nil || a.Caps != wire.CapContact:
		return pkg, fmt.Errorf("%w: not made for first contact", ErrBadPackage)
	case !c.now().Before(pkg.Expires()):
		return pkg, fmt.Errorf("%w: it has expired", ErrBadPackage)
	case pkg.Expires().Sub(c.now()) > offerLife:
		return pkg, fmt.Errorf("%w: it lives too long", ErrBadPackage)
	}
	return pkg, nil
}
