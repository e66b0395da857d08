package client

import (
	"context"
	"errors"
	"time"

	"communicator/client/directory"
	"communicator/client/store"
	"communicator/dht"
	"communicator/dht/record"
	"communicator/wire"
)

// The records under which a name of ours is found in the overlay are made by its
// namespace for several weeks ahead, and published by us, since peers forget what nobody
// publishes again: through a directory of the namespace, which knows the name anyway, or
// else through an agent of ours.

// publishName has the records that are valid now put into the overlay again.
func (c *Client) publishName(ctx context.Context, row ownName, p place) error {
	if err := c.fetchRecords(ctx, &row, p); err != nil {
		return err
	}
	var due [][]byte
	now := c.now()
	for _, b := range row.Records {
		if r, err := record.Parse(b); err == nil && !now.Before(r.NotBefore) && now.Before(r.NotAfter) {
			due = append(due, b)
		}
	}
	if len(due) == 0 {
		return nil
	}
	network, _, err := c.named(ctx, nil)
	if err != nil {
		return err
	}
	through := append([]string{}, p.space.Peers...)
	err = c.st.View(ctx, func(tx *store.Tx) error {
		own, err := ownAgents(tx, RoleSending|RoleReceiving, AgentActive)
		for _, a := range own {
			through = append(through, a.uri.String())
		}
		return err
	})
	if err != nil {
		return err
	}
	var problems error
	for _, uri := range through {
		_, err := network.Publish(ctx, uri, due)
		var refused *wire.StatusError
		if err == nil || errors.As(err, &refused) && refused.Status == wire.StatusTryAgain {
			row.Published = now
			return c.st.Update(ctx, row.save)
		}
		problems = errors.Join(problems, err)
	}
	return problems
}

// fetchRecords gets new records when the ones at hand end soon or are not there. While
// the directory cannot make them, those at hand go on.
func (c *Client) fetchRecords(ctx context.Context, row *ownName, p place) error {
	var until time.Time
	for _, b := range row.Records {
		if r, err := record.Parse(b); err == nil && r.NotAfter.After(until) {
			until = r.NotAfter
		}
	}
	if until.After(c.now().Add(recordsLeft)) {
		return nil
	}
	_, key, err := row.identity()
	if err != nil {
		return err
	}
	fresh, err := directory.Owner{Client: p.dir, NS: p.space.ID, Name: p.label, Key: key}.Records(ctx)
	if err != nil {
		if until.After(c.now()) {
			return nil
		}
		var refused *wire.StatusError
		if errors.As(err, &refused) && refused.Status == wire.StatusUnsupported {
			return nil // found through the namespace's directories alone
		}
		return err
	}
	row.Records = fresh
	return c.st.Update(ctx, row.save)
}

const (
	// recordsLeft is how long the records at hand must still last.
	recordsLeft  = 2 * wire.EpochLength
	publishEvery = dht.RepublishEvery
)
