package client

import (
	"context"
	"crypto/ed25519"
	"errors"

	"communicator/client/store"
	"communicator/client/transport"
)

// group is the mailboxes of one relationship at one agent, or those of one name's stock:
// they share a connection.
type group struct {
	relationship store.ID
	agent        ownAgent
	mailboxes    []store.Mailbox
}

// groups lists every mailbox in which something may lie, in random order.
func (c *Client) groups(ctx context.Context) ([]group, error) {
	var out []group
	err := c.st.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Mailboxes(store.MailboxFilter{States: []store.MailboxState{
			store.MailboxActive, store.MailboxGrace, store.MailboxClosing}})
		if err != nil {
			return err
		}
		revoked := map[store.ID]bool{}
		contacts, err := tx.Contacts()
		for _, row := range contacts {
			revoked[row.ID] = row.State == store.ContactRevoked
		}
		if err != nil {
			return err
		}
		out, err = c.arrange(tx, rows, revoked)
		return err
	})
	c.rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out, err
}

func (c *Client) arrange(tx *store.Tx, rows []store.Mailbox, revoked map[store.ID]bool) ([]group, error) {
	type place struct {
		relationship store.ID
		agent        store.AgentID
	}
	index := map[place]int{}
	var out []group
	for _, m := range rows {
		if revoked[m.Contact] {
			continue
		}
		owner, err := c.collectedAs(tx, m)
		if err != nil {
			return nil, err
		}
		at := place{owner, m.Agent}
		i, ok := index[at]
		if !ok {
			a, err := ownAgentByID(tx, m.Agent)
			if err != nil {
				return nil, err
			}
			i = len(out)
			index[at] = i
			out = append(out, group{relationship: owner, agent: a})
		}
		out[i].mailboxes = append(out[i].mailboxes, m)
	}
	return out, nil
}

// collectedAs is the relationship over whose connections a mailbox is collected and
// closed: its own, or the stock of the name that it was handed out under.
func (c *Client) collectedAs(tx *store.Tx, m store.Mailbox) (store.ID, error) {
	switch {
	case c.opts.Linked:
		return store.ID{}, nil
	case contactMailbox(m):
		stock, err := tx.Setting(stockSetting(m.ID))
		if err == nil && len(stock) == len(store.ID{}) {
			return store.ID(stock), nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return store.ID{}, err
		}
	}
	if m.Contact != (store.ID{}) {
		return m.Contact, nil
	}
	return m.Invitation, nil
}

// collectAll empties every mailbox. Agents that cannot be reached are passed over.
func (c *Client) collectAll(ctx context.Context) error {
	groups, err := c.groups(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		err := c.call(ctx, g.relationship, g.agent, func(l *transport.Lease) error {
			for _, m := range g.mailboxes {
				if err := c.collect(ctx, l, g.agent, m); err != nil {
					return err
				}
			}
			return nil
		})
		if fatal := c.tolerate(ctx, err); fatal != nil {
			return fatal
		}
	}
	return nil
}

// tolerate passes over what an agent or the network has done, and returns what this
// process or its profile has.
func (c *Client) tolerate(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if agentsFault(err) {
		c.opts.Logger.Debug("agent not usable", "err", err)
		return nil
	}
	return err
}

// collect empties one mailbox: each page is stored delivery by delivery, then
// acknowledged, then passed.
func (c *Client) collect(ctx context.Context, l *transport.Lease, a ownAgent, m store.Mailbox) error {
	owner := ed25519.NewKeyFromSeed(m.Seed[:])
	for after := m.Cursor; ; {
		page, err := l.Collect(ctx, owner, after)
		if err != nil {
			return err
		}
		if page.Draining {
			if err := c.noteDraining(ctx, a); err != nil {
				return err
			}
		}
		if len(page.Deliveries) == 0 {
			return nil
		}
		positions := make([]uint64, 0, len(page.Deliveries))
		for _, d := range page.Deliveries {
			if err := c.takeIn(ctx, m.ID, d); err != nil {
				return err
			}
			positions = append(positions, d.Position)
		}
		after = positions[len(positions)-1]
		if err := c.acknowledge(ctx, l, m, positions); err != nil {
			return err
		}
		if !page.More {
			return nil
		}
	}
}

// acknowledge lets the agent erase what is stored here, and then does not ask for it
// again.
func (c *Client) acknowledge(ctx context.Context, l *transport.Lease, m store.Mailbox, positions []uint64) error {
	if err := l.Ack(ctx, ed25519.NewKeyFromSeed(m.Seed[:]), positions); err != nil {
		return err
	}
	if err := c.at("acknowledged"); err != nil {
		return err
	}
	err := c.st.Update(ctx, func(tx *store.Tx) error {
		return tx.AdvanceCursor(m.ID, positions[len(positions)-1])
	})
	if errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrNotFound) {
		return nil // another process was faster, or has closed it
	}
	return err
}

// noteDraining starts leaving an agent that says it is leaving.
func (c *Client) noteDraining(ctx context.Context, a ownAgent) error {
	return c.st.Update(ctx, func(tx *store.Tx) error {
		row, err := tx.Agent(a.ID)
		if err != nil || row.State != AgentActive {
			return err
		}
		return tx.SetAgentState(a.ID, AgentDraining)
	})
}
