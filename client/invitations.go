package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"communicator/client/invite"
	"communicator/client/store"
	"communicator/client/transport"
	"communicator/particle"
	"communicator/wire"
	"communicator/wire/agenturi"
)

// Invite makes a link for one person, who will appear in the contacts under name after
// having accepted it. It can be used once, within 6 days. Package invite draws it as a
// QR code.
//
// The link names one of our receiving agents, which holds the sealed key package; first
// messages arrive in a mailbox that is used for nothing else.
//
// Errors: [ErrBadName], [ErrContactExists], [ErrNoAgents], invite.ErrHostTooLong.
func (c *Client) Invite(ctx context.Context, name string) (Invitation, error) {
	id, err := c.randomID()
	if err != nil {
		return Invitation{}, err
	}
	var agents []ownAgent
	err = c.st.View(ctx, func(tx *store.Tx) error {
		if _, err := tx.ContactByName(name); err == nil {
			return ErrContactExists
		} else if !errors.Is(err, store.ErrNotFound) {
			return contactError(err)
		}
		agents, err = ownAgents(tx, RoleReceiving, AgentActive)
		return err
	})
	if err != nil {
		return Invitation{}, err
	}
	c.rnd.Shuffle(len(agents), func(i, j int) { agents[i], agents[j] = agents[j], agents[i] })

	box, err := c.contactMailbox(ctx, id, agents)
	if err != nil {
		return Invitation{}, err
	}
	address, err := wire.ParseAddress(box.Address)
	if err != nil {
		return Invitation{}, err
	}
	expires := c.now().Add(InvitationLife).Truncate(time.Second).UTC()
	identity, err := particle.NewIdentity(c.opts.Rand)
	if err != nil {
		return Invitation{}, err
	}
	pkg, secret, err := particle.NewPackage(c.opts.Rand, identity,
		particle.PackageOptions{Contact: &address, OneTime: true, Expires: expires})
	if err != nil {
		return Invitation{}, err
	}
	link, err := c.publish(ctx, id, agents, pkg.Bytes(), expires)
	if err != nil {
		return Invitation{}, err
	}
	blob := link.Blob()
	box.Invitation, box.State = id, store.MailboxActive
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		err := tx.AddInvitation(store.Invitation{
			ID: id, Secret: link.Secret[:], BlobID: blob.ID[:], Host: link.Host.String(),
			Private: secret.Marshal(), Name: name, Expiry: expires,
		})
		if err != nil {
			return contactError(err)
		}
		return tx.AddMailbox(box)
	})
	return Invitation{Link: link.String(), Name: name, Expires: expires}, err
}

// contactMailbox makes the mailbox for first messages at the first agent that can.
func (c *Client) contactMailbox(ctx context.Context, id store.ID, agents []ownAgent) (m store.Mailbox, err error) {
	err = fmt.Errorf("%w: none can receive", ErrNoAgents)
	for _, a := range agents {
		if m, err = c.mint(ctx, id, a, wire.CapContact, wire.MaxContactAge); err == nil || ctx.Err() != nil {
			return m, err
		}
	}
	return m, err
}

// publish stores the sealed package at a host, the last agent first, so that with
// several agents it is another one than the mailbox's.
func (c *Client) publish(ctx context.Context, id store.ID, agents []ownAgent, pkg []byte, expires time.Time) (invite.Link, error) {
	var problems error
	for i := len(agents) - 1; i >= 0; i-- {
		link, err := invite.New(c.opts.Rand, agents[i].uri)
		if err != nil {
			problems = errors.Join(problems, err)
			continue
		}
		blob := link.Blob()
		sealed, err := blob.Seal(c.opts.Rand, pkg)
		if err != nil {
			return link, err
		}
		err = c.call(ctx, id, agents[i], func(l *transport.Lease) error {
			return l.PutBlob(ctx, blob.ID, sealed, expires, blob.DeleteHash())
		})
		if err == nil || ctx.Err() != nil {
			return link, err
		}
		problems = errors.Join(problems, err)
	}
	return invite.Link{}, problems
}

// linkOf makes an open invitation's link again.
func linkOf(v store.Invitation) (invite.Link, error) {
	host, err := agenturi.Parse(v.Host)
	if err != nil || len(v.Secret) != invite.SecretSize {
		return invite.Link{}, ErrBadLink
	}
	return invite.Link{Host: host, Secret: [invite.SecretSize]byte(v.Secret)}, nil
}

// CancelInvitation takes a link of ours back.
//
// Errors: [ErrBadLink], [ErrInvitationUsed].
func (c *Client) CancelInvitation(ctx context.Context, link string) error {
	l, err := invite.Parse(link)
	if err != nil {
		return err
	}
	var v store.Invitation
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		if v, err = ownInvitation(tx, l.Blob().ID); err != nil {
			return err
		}
		return c.endInvitation(tx, v, store.InvitationRevoked)
	})
	if errors.Is(err, store.ErrNotFound) {
		return ErrInvitationUsed
	}
	if err != nil {
		return err
	}
	c.deleteBlob(ctx, v)
	return c.closeInvitations(ctx)
}

// ownInvitation finds an open invitation of ours by its blob.
func ownInvitation(tx *store.Tx, blob [32]byte) (store.Invitation, error) {
	open, err := tx.Invitations(store.InvitationOpen)
	for _, v := range open {
		if string(v.BlobID) == string(blob[:]) {
			return v, nil
		}
	}
	if err == nil {
		err = store.ErrNotFound
	}
	return store.Invitation{}, err
}

// endInvitation ends an open invitation and has its mailbox closed.
func (c *Client) endInvitation(tx *store.Tx, v store.Invitation, s store.InvitationState) error {
	if err := tx.FinishInvitation(v.ID, s); err != nil {
		return err
	}
	if err := forgetHandshakes(tx, v.ID); err != nil {
		return err
	}
	open, err := tx.Mailboxes(store.MailboxFilter{Invitation: v.ID, States: []store.MailboxState{store.MailboxActive}})
	for _, m := range open {
		if err := tx.SetMailboxState(m.ID, store.MailboxClosing, zeroTime); err != nil {
			return err
		}
	}
	return err
}

// deleteBlob takes a used package away from its host. If that fails it goes by itself.
func (c *Client) deleteBlob(ctx context.Context, v store.Invitation) {
	l, err := linkOf(v)
	if err != nil {
		return
	}
	if err := c.atHost(ctx, l, func(lease *transport.Lease) error {
		return lease.DeleteBlob(ctx, l.Blob().ID, l.Blob().DeleteKey())
	}); err != nil {
		c.opts.Logger.Debug("package not deleted", "err", err)
	}
}

// atHost calls an invitation's host over a connection that is used for nothing else.
func (c *Client) atHost(ctx context.Context, l invite.Link, do func(*transport.Lease) error) error {
	once, err := c.randomID()
	if err != nil {
		return err
	}
	key := transport.Key{Relationship: once, Agent: l.Host.Agent}
	lease, err := c.pool.Take(ctx, key, transport.Target{URI: l.Host})
	if err != nil {
		return err
	}
	defer lease.Release()
	return do(lease)
}

// Accept takes up somebody's invitation: they appear in the contacts under name, at
// first as pending. Texts may be sent at once; the first answer establishes the
// relationship.
//
// This is the one time that a client dials an agent that is not its own: the host that
// the link names, directly or through the proxy, to fetch the package and delete it.
//
// Errors: [ErrBadLink], invite.ErrVersion, [ErrOwnInvitation], [ErrInvitationUsed],
// [ErrContactExists], [ErrBadName], [ErrNoAgents], [*transport.UnreachableError] if the
// host cannot be reached. With [ErrNoRoute] the contact was made and the first message
// waits for a sending agent that can deliver it.
func (c *Client) Accept(ctx context.Context, link, name string) (Contact, error) {
	l, err := invite.Parse(link)
	if err != nil {
		return Contact{}, err
	}
	if err := c.st.View(ctx, func(tx *store.Tx) error { return acceptable(tx, l, name) }); err != nil {
		return Contact{}, err
	}
	pkg, err := c.fetchPackage(ctx, l)
	if err != nil {
		return Contact{}, err
	}
	id, err := c.randomID()
	if err != nil {
		return Contact{}, err
	}
	if err := c.begin(ctx, id, name, pkg); err != nil {
		return Contact{}, err
	}
	if err := c.atHost(ctx, l, func(lease *transport.Lease) error {
		return lease.DeleteBlob(ctx, l.Blob().ID, l.Blob().DeleteKey())
	}); err != nil {
		c.opts.Logger.Debug("package not deleted", "err", err)
	}
	p, err := c.push(ctx, id, false)
	if err != nil {
		return Contact{}, err
	}
	contact, err := c.Contact(ctx, name)
	if err == nil && p.stuck {
		err = ErrNoRoute
	}
	return contact, err
}

// begin gathers mailboxes and makes the contact; again, should another call take one of
// them meanwhile.
func (c *Client) begin(ctx context.Context, id store.ID, name string, pkg particle.KeyPackage) error {
	for try := 0; ; try++ {
		b, err := c.gather(ctx, id)
		if err != nil {
			return err
		}
		err = c.st.Update(ctx, func(tx *store.Tx) error { return c.initiate(tx, id, name, pkg, b) })
		if !errors.Is(err, errTaken) || try == gatherTries {
			return err
		}
	}
}

// acceptable says early what would fail late.
func acceptable(tx *store.Tx, l invite.Link, name string) error {
	all, err := tx.Invitations()
	if err != nil {
		return err
	}
	blob := l.Blob().ID
	for _, v := range all {
		if string(v.BlobID) == string(blob[:]) {
			return ErrOwnInvitation
		}
	}
	senders, err := ownAgents(tx, RoleSending, AgentActive)
	if err != nil {
		return err
	}
	if len(senders) == 0 {
		return fmt.Errorf("%w: none can send", ErrNoAgents)
	}
	_, err = tx.ContactByName(name)
	if err == nil {
		return ErrContactExists
	}
	if !errors.Is(err, store.ErrNotFound) {
		return contactError(err)
	}
	return nil
}

// fetchPackage gets the key package that a link leads to.
func (c *Client) fetchPackage(ctx context.Context, l invite.Link) (particle.KeyPackage, error) {
	var sealed []byte
	err := c.atHost(ctx, l, func(lease *transport.Lease) (err error) {
		sealed, err = lease.GetBlob(ctx, l.Blob().ID)
		return err
	})
	var refused *wire.StatusError
	if errors.As(err, &refused) && (refused.Status == wire.StatusNotFound || refused.Status == wire.StatusExpired) {
		return particle.KeyPackage{}, ErrInvitationUsed
	}
	if err != nil {
		return particle.KeyPackage{}, err
	}
	plain, err := l.Blob().Open(sealed)
	if err != nil {
		return particle.KeyPackage{}, err
	}
	pkg, err := particle.ParsePackage(plain)
	if err == nil && pkg.Contact() == nil {
		err = particle.ErrMalformed
	}
	if err == nil && !c.now().Before(pkg.Expires()) {
		err = ErrInvitationUsed
	}
	return pkg, err
}

// initiate saves the new relationship with its first message.
func (c *Client) initiate(tx *store.Tx, id store.ID, name string, pkg particle.KeyPackage, b boxes) error {
	identity, err := particle.NewIdentity(c.opts.Rand)
	if err != nil {
		return err
	}
	_, err = c.initiateAs(tx, identity, store.Contact{ID: id, Name: name}, pkg, b)
	return err
}

// initiateAs is initiate under an identity that was shown before.
func (c *Client) initiateAs(tx *store.Tx, identity particle.Identity, row store.Contact, pkg particle.KeyPackage, b boxes) (relation, error) {
	// The row comes before its mailboxes, which refer to it.
	row.State, row.Degraded = store.ContactPending, b.homes.Degraded() != ""
	if err := tx.AddContact(row); err != nil {
		return relation{}, contactError(err)
	}
	addresses, err := c.assign(tx, row.ID, b)
	if err != nil {
		return relation{}, err
	}
	p, err := particle.Initiate(c.opts.Rand, identity, pkg, addresses, c.now())
	if errors.Is(err, particle.ErrTooLarge) && b.lifeline != nil {
		p, err = particle.Initiate(c.opts.Rand, identity, pkg, addresses[:len(b.normal)], c.now())
	}
	if err != nil {
		return relation{}, err
	}
	r := relation{row, p}
	if err := r.save(tx, p); err != nil {
		return r, err
	}
	_, err = c.enqueue(tx, &r, "", SendOptions{Life: DefaultLife})
	return r, err
}
