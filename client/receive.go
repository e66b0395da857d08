package client

import (
	"context"
	"encoding/binary"
	"errors"

	"communicator/client/store"

	"golang.org/x/sync/errgroup"
)

// Receive makes one pass: sends what is due, collects every mailbox, sends the answers,
// and does the upkeep. It returns what happened, new messages included; they are marked
// as read. Agents that cannot be reached are events, not errors. When ctx ends, what
// happened so far is returned with its cause.
func (c *Client) Receive(ctx context.Context) ([]Event, error) {
	l := c.events.listen()
	defer l.close()
	err := c.pass(ctx)
	events := l.drain()
	whole := context.WithoutCancel(ctx)
	messages, last, uerr := c.unread(whole)
	if uerr == nil && len(messages) > 0 {
		uerr = c.markRead(whole, last)
	}
	return append(events, messages...), errors.Join(err, uerr)
}

func (c *Client) pass(ctx context.Context) error {
	if err := c.pushAll(ctx); err != nil {
		return err
	}
	if err := c.collectAll(ctx); err != nil {
		return err
	}
	if _, err := c.upkeep(ctx); err != nil {
		return err
	}
	return c.pushAll(ctx)
}

// pushAll carries on the outbox of every contact that has one, several at a time.
func (c *Client) pushAll(ctx context.Context) error {
	contacts, err := c.waiting(ctx)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, id := range contacts {
		g.Go(func() error {
			_, err := c.push(gctx, id, false)
			return err
		})
	}
	return g.Wait()
}

// waiting lists the contacts with messages under way, in random order.
func (c *Client) waiting(ctx context.Context) (out []store.ID, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) error {
		contacts, err := tx.Contacts()
		if err != nil {
			return err
		}
		for _, row := range contacts {
			open, err := tx.Outbox(row.ID, 1, store.OutgoingQueued, store.OutgoingSubmitted)
			if err != nil {
				return err
			}
			if len(open) > 0 {
				out = append(out, row.ID)
			}
		}
		return nil
	})
	c.rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out, err
}

// settingShown holds the number of the last history entry that was handed over.
const settingShown = "shown"

func shown(tx *store.Tx) (int64, error) {
	b, err := tx.Setting(settingShown)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err == nil && len(b) != 8 {
		err = store.ErrDamaged
	}
	if err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// unread makes events of the messages that came in since the last markRead, whichever
// process took them in.
func (c *Client) unread(ctx context.Context) (events []Event, last int64, err error) {
	err = c.st.View(ctx, func(tx *store.Tx) error {
		if last, err = shown(tx); err != nil {
			return err
		}
		names := map[store.ID]string{}
		for {
			rows, err := tx.MessagesAfter(store.ID{}, last, historyPage)
			if err != nil || len(rows) == 0 {
				return err
			}
			for _, m := range rows {
				last = m.Seq
				if !m.Incoming || m.State != Received {
					continue
				}
				name, err := nameOf(tx, names, m.Contact)
				if err != nil {
					return err
				}
				events = append(events, MessageReceived{publicMessage(m, name)})
			}
		}
	})
	return events, last, err
}

func nameOf(tx *store.Tx, cache map[store.ID]string, id store.ID) (string, error) {
	if name, ok := cache[id]; ok {
		return name, nil
	}
	row, err := tx.Contact(id)
	cache[id] = row.Name
	return row.Name, err
}

// markRead notes that everything up to an entry of the history was handed over.
func (c *Client) markRead(ctx context.Context, last int64) error {
	return c.st.Update(ctx, func(tx *store.Tx) error {
		from, err := shown(tx)
		if err != nil || last <= from {
			return err
		}
		for from < last {
			rows, err := tx.MessagesAfter(store.ID{}, from, historyPage)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				break
			}
			for _, m := range rows {
				from = m.Seq
				if m.Incoming && m.State == Received && m.Seq <= last {
					if err := tx.SetMessageState(m.Contact, true, m.ID, Read); err != nil {
						return err
					}
				}
			}
		}
		return tx.SetSetting(settingShown, binary.BigEndian.AppendUint64(nil, uint64(last)))
	})
}
