package client

import (
	"context"
	"errors"
	"slices"
	"time"

	"communicator/client/directory"
	"communicator/client/lookup"
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
func (c *Client) publishName(ctx context.Context, row ownName, p place) (ownName, error) {
	row, err := c.fetchRecords(ctx, row, p)
	if err != nil {
		return row, err
	}
	now := c.now()
	due := validNow(row.Records, now)
	if len(due) > 0 {
		if err := c.publishRecords(ctx, due, p.space.Peers, false); err != nil {
			return row, err
		}
	}
	return c.changeHeld(ctx, row, func(at *ownName) { at.Published = now })
}

// validNow are the records that a node takes at a time.
func validNow(records [][]byte, now time.Time) (due [][]byte) {
	for _, b := range records {
		if r, err := record.Parse(b); err == nil && !now.Before(r.NotBefore) && now.Before(r.NotAfter) {
			due = append(due, b)
		}
	}
	return due
}

// publishRecords asks one of these directories, or else an agent of ours, to publish; our
// agents first where the directories may not want it published.
func (c *Client) publishRecords(ctx context.Context, due [][]byte, directories []string, oursFirst bool) error {
	network, _, err := c.named(ctx, nil)
	if err != nil {
		return err
	}
	var own []string
	err = c.st.View(ctx, func(tx *store.Tx) error {
		agents, err := ownAgents(tx, RoleSending|RoleReceiving, AgentActive)
		for _, a := range agents {
			own = append(own, a.uri.String())
		}
		return err
	})
	if err != nil {
		return err
	}
	through := slices.Concat(directories, own)
	if oursFirst {
		through = slices.Concat(own, directories)
	}
	problems := lookup.ErrUnreachable
	for _, uri := range through {
		_, err := network.Publish(ctx, uri, due)
		if err == nil {
			return nil
		}
		problems = errors.Join(problems, err)
	}
	return problems
}

// fetchRecords gets new records when the ones at hand end soon or are not there, or when
// the namespace has a new manifest: with another zone key they lie at other places. While
// the directory cannot make them, those at hand go on.
func (c *Client) fetchRecords(ctx context.Context, row ownName, p place) (ownName, error) {
	var until time.Time
	for _, b := range row.Records {
		if r, err := record.Parse(b); err == nil && r.NotAfter.After(until) {
			until = r.NotAfter
		}
	}
	manifest := p.space.Manifest.Number
	if row.Manifest == manifest && until.After(c.now().Add(recordsLeft)) {
		return row, nil
	}
	_, key, err := row.identity()
	if err != nil {
		return row, err
	}
	fresh, err := directory.Owner{Client: p.dir, NS: p.space.ID, Name: p.label, Key: key}.Records(ctx)
	if err != nil {
		if until.After(c.now()) {
			return row, nil
		}
		var refused *wire.StatusError
		if errors.As(err, &refused) && refused.Status == wire.StatusUnsupported {
			return row, nil // found through the namespace's directories alone
		}
		return row, err
	}
	return c.changeHeld(ctx, row, func(now *ownName) { now.Records, now.Manifest = fresh, manifest })
}

const (
	// recordsLeft is how long the records at hand must still last.
	recordsLeft  = 2 * wire.EpochLength
	publishEvery = dht.RepublishEvery
)
