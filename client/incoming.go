package client

import (
	"context"
	"errors"

	"communicator/client/store"
	"communicator/client/transport"
	"communicator/particle"
	"communicator/wire"
)

// arrival is one delivery on its way into the profile.
type arrival struct {
	mailbox store.Mailbox
	payload []byte
	events  []Event
	// spent is the blob of an invitation that this delivery has accepted.
	spent *store.Invitation
}

// takeIn stores what a delivery brings: {next state, text, delivery id} in one
// transaction, the commit rule of receiving. When it returns nil the delivery may be
// acknowledged, whatever was in it.
func (c *Client) takeIn(ctx context.Context, mailbox store.MailboxKey, d transport.Delivery) error {
	var in arrival
	err := c.st.Update(ctx, func(tx *store.Tx) error {
		m, err := tx.Mailbox(mailbox)
		if err != nil {
			return err
		}
		in = arrival{mailbox: m, payload: d.Payload}
		if m.Contact != (store.ID{}) {
			return c.takeInContact(tx, &in)
		}
		return c.takeInInvitation(tx, &in)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil // the mailbox was given up meanwhile
	}
	if err != nil {
		return err
	}
	c.events.emit(in.events...)
	if in.spent != nil {
		c.spent.add(*in.spent)
	}
	return c.at("taken")
}

func (c *Client) takeInContact(tx *store.Tx, in *arrival) error {
	r, err := load(tx, in.mailbox.Contact)
	if err != nil {
		return err
	}
	if r.State == store.ContactRevoked {
		return nil
	}
	ciphertext, err := r.particle.Unwrap(in.payload)
	if err != nil {
		// Whoever made this has the address, but not the relationship's key. New ones help
		// only if it is one of the current set.
		if !contactMailbox(in.mailbox) && r.particle.Offers(wire.MailboxID(in.mailbox.ID)) {
			if serr := r.save(tx, r.particle.MarkSuspect()); serr != nil {
				return serr
			}
		}
		return c.quarantine(tx, in, r.Contact, in.payload, "not from this contact")
	}
	known, err := markDelivered(tx, ciphertext)
	if known || err != nil {
		return err
	}
	next, opened, err := r.particle.Receive(ciphertext, c.now())
	if errors.Is(err, particle.ErrDuplicate) {
		return nil
	}
	if err != nil {
		if second, herr := particle.HandshakeIDOf(ciphertext); herr == nil && contactMailbox(in.mailbox) && second != r.particle.Handshake() {
			in.events = append(in.events, Alarm{Contact: r.Name, Kind: AlarmInvitationReused})
		}
		return c.quarantine(tx, in, r.Contact, ciphertext, err.Error())
	}
	if err := tx.CountPuts(in.mailbox.ID, 1); err != nil {
		return err
	}
	return c.absorb(tx, in, &r, next, opened)
}

// markDelivered notes a ciphertext's id, or says that it is known.
func markDelivered(tx *store.Tx, ciphertext []byte) (known bool, err error) {
	err = tx.MarkDelivered(particle.DeliveryIDOf(ciphertext))
	if errors.Is(err, store.ErrExists) {
		return true, nil
	}
	return false, err
}

func contactMailbox(m store.Mailbox) bool {
	a, err := wire.ParseAddress(m.Address)
	return err == nil && a.Caps&wire.CapContact != 0
}

// absorb saves the next state with everything that a message brought.
func (c *Client) absorb(tx *store.Tx, in *arrival, r *relation, next particle.Particle, o particle.Opened) error {
	if err := r.save(tx, next); err != nil {
		return err
	}
	if err := c.saveText(tx, r.ID, o.Message); err != nil {
		return err
	}
	if !o.OldSession {
		if err := c.absorbItems(tx, in, r, o.Message); err != nil {
			return err
		}
	}
	if o.Invalid != nil {
		// What has a message id was read, all but its recovery package.
		u := Undecryptable{Reason: o.Invalid.Error(), Partly: o.Message.ID != (particle.MessageID{})}
		if err := c.setAside(tx, in, r.Contact, o.Raw, u); err != nil {
			return err
		}
	}
	if o.Reestablished {
		if err := c.afterPeerReset(tx, r); err != nil {
			return err
		}
		in.events = append(in.events, Alarm{Contact: r.Name, Kind: AlarmReset})
	}
	if o.Fork != nil || o.Alarm != nil {
		in.events = append(in.events, Alarm{Contact: r.Name, Kind: AlarmFork})
	}
	if o.NewAddresses {
		in.events = append(in.events, AddressesRotated{Contact: r.Name})
	}
	if r.State == store.ContactPending && !next.Unreplied() {
		r.State = store.ContactEstablished
		if err := tx.SetContactState(r.ID, r.State); err != nil {
			return err
		}
		in.events = append(in.events, ContactAdded{Contact: r.public()})
	}
	return nil
}

// saveText appends a message to the history; Receive and Follow make its event from
// there, so that it is shown whichever process took it in.
func (c *Client) saveText(tx *store.Tx, contact store.ID, m particle.Message) error {
	if m.Text == "" {
		return nil
	}
	_, err := tx.AddMessage(store.Message{
		ID: store.ID(m.ID), Contact: contact, Incoming: true, Sent: m.Sent, Received: c.now(),
		Text: m.Text, State: Received,
	})
	if errors.Is(err, store.ErrExists) {
		return nil // written again after a reset
	}
	return err
}

// quarantine keeps what cannot be read.
func (c *Client) quarantine(tx *store.Tx, in *arrival, contact store.Contact, content []byte, reason string) error {
	return c.setAside(tx, in, contact, content, Undecryptable{Reason: reason})
}

func (c *Client) setAside(tx *store.Tx, in *arrival, contact store.Contact, content []byte, u Undecryptable) error {
	_, err := tx.Quarantine(store.Quarantined{
		Contact: contact.ID, Mailbox: in.mailbox.ID, Hash: particle.DeliveryIDOf(content),
		Ciphertext: content, Reason: u.Reason,
	})
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	u.Contact, u.At = contact.Name, c.now()
	in.events = append(in.events, u)
	return err
}

// takeInInvitation reads a first message: the first valid handshake makes the contact
// and ends the invitation.
func (c *Client) takeInInvitation(tx *store.Tx, in *arrival) error {
	v, err := tx.Invitation(in.mailbox.Invitation)
	if errors.Is(err, store.ErrNotFound) || err == nil && v.State != store.InvitationOpen {
		return nil
	}
	if err != nil {
		return err
	}
	secret, err := particle.ParsePackageSecret(v.Private)
	if err != nil {
		return err
	}
	ciphertext, err := secret.Package().ContactWrapKey().Unwrap(in.payload)
	if err != nil {
		return c.quarantine(tx, in, store.Contact{}, in.payload, "not made with the invitation")
	}
	known, err := markDelivered(tx, ciphertext)
	if known || err != nil {
		return err
	}
	if !secret.Package().OneTime() {
		return c.takeInShared(tx, in, v, secret, ciphertext)
	}
	accepted, err := particle.Accept(secret, ciphertext, c.now())
	if err != nil {
		return c.quarantine(tx, in, store.Contact{}, ciphertext, err.Error())
	}
	m, err := meetingOf(tx, v.ID)
	if err != nil {
		return err
	}
	if m.stranger(accepted.Particle.Peer()) {
		in.events = append(in.events, Alarm{Kind: AlarmIntroduction})
		return c.quarantine(tx, in, store.Contact{}, ciphertext, "not from who was introduced")
	}
	r := relation{particle: accepted.Particle}
	if r.ID, err = c.randomID(); err != nil {
		return err
	}
	if r.Name, err = c.freeName(tx, m.called(v.Name)); err != nil {
		return err
	}
	r.State, r.Particle, r.Degraded = store.ContactEstablished, accepted.Particle.Marshal(), true
	m.mark(&r.Contact)
	vended := markVended(&r.Contact, secret.Package())
	if err := tx.AddContact(r.Contact); err != nil {
		return err
	}
	if err := shareVended(tx, r.ID, vended); err != nil {
		return err
	}
	if _, err := tx.AdoptMailboxes(v.ID, r.ID); err != nil {
		return err
	}
	if err := tx.FinishInvitation(v.ID, store.InvitationAccepted); err != nil {
		return err
	}
	in.spent = &v
	if err := c.met(tx, in, m, &r); err != nil {
		return err
	}
	in.events = append(in.events, ContactAdded{Contact: r.public()})
	if err := c.saveText(tx, r.ID, accepted.Opened.Message); err != nil {
		return err
	}
	return c.absorbItems(tx, in, &r, accepted.Opened.Message)
}
