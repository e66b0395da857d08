package client

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"communicator/client/route"
	"communicator/client/store"
	"communicator/wire"
)

func publicMessage(m store.Message, name string) Message {
	return Message{
		Seq: m.Seq, ID: MessageID(m.ID), Contact: name, Incoming: m.Incoming, Sent: m.Sent,
		Received: m.Received, Text: m.Text, State: m.State, Receipt: nonEmpty(m.Receipt),
	}
}

// History returns at most limit messages with a contact, the newest last: those before
// the entry with the number before, or the newest of all if that is zero. The conversation
// goes on with those of the contacts whom this one follows.
func (c *Client) History(ctx context.Context, name string, before int64, limit int) ([]Message, error) {
	var out []Message
	err := c.st.View(ctx, func(tx *store.Tx) error {
		row, err := tx.ContactByName(name)
		if err != nil {
			return contactError(err)
		}
		threads, err := threadsOf(tx, row.ID)
		if err != nil {
			return err
		}
		for _, r := range threads {
			rows, err := tx.MessagesBefore(r.ID, before, limit)
			if err != nil {
				return err
			}
			for _, m := range rows {
				out = append(out, publicMessage(m, r.Name))
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Message) int { return cmp.Compare(a.Seq, b.Seq) })
	return out[max(0, len(out)-max(limit, 0)):], err
}

// threadsOf is a contact, and those whose conversations go on with it.
func threadsOf(tx *store.Tx, id store.ID) ([]relation, error) {
	r, err := load(tx, id)
	if err != nil {
		return nil, err
	}
	k, err := kinshipIn(tx)
	return append([]relation{r}, k.followed(r)...), err
}

// ErrNoSuchMessage: no message of that id in the contact's history.
var ErrNoSuchMessage = errors.New("client: no such message")

// Message returns one of our messages to a contact, with its receipt.
func (c *Client) Message(ctx context.Context, name string, id MessageID) (Message, error) {
	var out Message
	err := c.st.View(ctx, func(tx *store.Tx) error {
		row, err := tx.ContactByName(name)
		if err != nil {
			return contactError(err)
		}
		m, err := ownMessage(tx, row.ID, id)
		out = publicMessage(m, row.Name)
		return err
	})
	return out, err
}

func ownMessage(tx *store.Tx, contact store.ID, id MessageID) (store.Message, error) {
	m, err := tx.Message(contact, false, store.ID(id))
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoSuchMessage
	}
	return m, err
}

// Quarantine lists the deliveries that could not be read, oldest first.
func (c *Client) Quarantine(ctx context.Context) ([]Quarantined, error) {
	var out []Quarantined
	err := c.st.View(ctx, func(tx *store.Tx) error {
		names := map[store.ID]string{{}: ""}
		for after := int64(0); ; {
			rows, err := tx.QuarantineAfter(after, historyPage)
			if err != nil || len(rows) == 0 {
				return err
			}
			for _, q := range rows {
				after = q.ID
				name, err := nameOf(tx, names, q.Contact)
				if err != nil {
					return err
				}
				out = append(out, Quarantined{Contact: name, Reason: q.Reason, Size: len(q.Ciphertext), At: q.At})
			}
		}
	})
	return out, err
}

// Status returns an overview without asking anybody.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	quarantined, err := c.Quarantine(ctx)
	if err != nil {
		return s, err
	}
	s.Quarantined = len(quarantined)
	err = c.st.View(ctx, func(tx *store.Tx) error {
		p, err := tx.Profile()
		if err != nil {
			return err
		}
		s.Imported = p.Imported
		if err := statusOfAgents(tx, &s); err != nil {
			return err
		}
		if s.Invitations, err = openInvitations(tx, c.now()); err != nil {
			return err
		}
		contacts, err := tx.Contacts()
		if err != nil {
			return err
		}
		k, err := kinshipIn(tx)
		if err != nil {
			return err
		}
		for _, row := range contacts {
			one, queued, submitted, err := statusOfContact(tx, k, row.ID, c.now())
			if err != nil {
				return err
			}
			s.Contacts = append(s.Contacts, one)
			s.Queued, s.Submitted = s.Queued+queued, s.Submitted+submitted
		}
		return nil
	})
	return s, err
}

func statusOfAgents(tx *store.Tx, s *Status) error {
	agents, err := ownAgents(tx, RoleSending|RoleReceiving, AgentActive, AgentDraining, AgentDead)
	sending, receiving := 0, 0
	for _, a := range agents {
		s.Agents = append(s.Agents, a.public())
		if a.State != AgentActive {
			continue
		}
		if a.Roles&RoleSending != 0 {
			sending++
		}
		if a.Roles&RoleReceiving != 0 {
			receiving++
		}
	}
	if sending == 0 {
		s.Degraded = append(s.Degraded, "no sending agent: nothing can be sent")
	} else if sending == 1 {
		s.Degraded = append(s.Degraded, "one sending agent only: if it dies, nothing can be sent")
	}
	var h route.Homes
	h.Normal = make([]wire.AgentID, min(receiving, route.NormalHomes))
	if receiving > route.NormalHomes {
		h.Lifeline = new(wire.AgentID)
	}
	if missing := h.Degraded(); missing != "" {
		s.Degraded = append(s.Degraded, missing)
	}
	return err
}

func openInvitations(tx *store.Tx, now time.Time) ([]Invitation, error) {
	open, err := tx.Invitations(store.InvitationOpen)
	var out []Invitation
	for _, v := range open {
		if l, lerr := linkOf(v); lerr == nil && now.Before(v.Expiry) {
			out = append(out, Invitation{Link: l.String(), Name: v.Name, Expires: v.Expiry})
		}
	}
	return out, err
}

func statusOfContact(tx *store.Tx, k kinship, id store.ID, now time.Time) (s ContactStatus, queued, submitted int, err error) {
	r, err := load(tx, id)
	if err != nil {
		return s, 0, 0, err
	}
	s.Contact, s.Addresses = r.among(k), len(r.particle.PeerAddresses(now))
	open, err := tx.Mailboxes(store.MailboxFilter{Contact: id, States: []store.MailboxState{store.MailboxActive, store.MailboxGrace}})
	if err != nil {
		return s, 0, 0, err
	}
	s.Mailboxes = len(open)
	_, homes, lifeline, err := current(tx, id)
	if err != nil {
		return s, 0, 0, err
	}
	s.Receiving, s.Lifeline = len(homes.Normal), lifeline != nil
	outgoing, err := tx.Outbox(id, maxOutbox, store.OutgoingQueued, store.OutgoingSubmitted)
	for _, o := range outgoing {
		if o.State == store.OutgoingQueued {
			queued++
		} else {
			submitted++
		}
	}
	if err != nil {
		return s, 0, 0, err
	}
	s.Queued, s.Problem = queued+submitted, problem(r, homes, s.Addresses)
	counts, err := tx.CountMessages(id)
	s.Delivered, s.Refused, s.Lost = counts[Stored], counts[Refused], counts[Expired]+counts[Failed]
	return s, queued, submitted, err
}

// problem says in words what a relationship lacks.
func problem(r relation, homes route.Homes, addresses int) string {
	switch {
	case r.State == store.ContactRevoked:
		return ""
	case r.State == store.ContactNeedsReset:
		return "has to be re-established after an import"
	case addresses == 0:
		return "no usable address of theirs: wait for their next message, or invite them again"
	case r.State == store.ContactPending:
		return "they have not answered yet"
	}
	return homes.Degraded()
}
