package client

import (
	"bytes"
	"context"

	"communicator/client/lookup"
	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/particle"
)

// proved is told of a name that was looked up: contacts who are known by it, and hold
// another key than it stands for now, are not known by it any more, and a person has to
// look. What waits for a hold has changed nothing yet.
func (c *Client) proved(ctx context.Context, res lookup.Result) error {
	if res.Held {
		return nil
	}
	var changed []store.ID
	err := c.st.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Contacts()
		for _, row := range rows {
			r, err := load(tx, row.ID)
			if err != nil {
				return err
			}
			if r.otherKey(tx, res) {
				changed = append(changed, r.ID)
			}
		}
		return err
	})
	if err != nil || len(changed) == 0 {
		return err
	}
	var events []Event
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		events = nil
		for _, id := range changed {
			r, err := load(tx, id)
			if err != nil {
				return err
			}
			if !r.otherKey(tx, res) {
				continue
			}
			if err := c.distrust(tx, &r, ResetName); err != nil {
				return err
			}
			events = append(events, Alarm{Contact: r.Name, Kind: AlarmVerification})
		}
		return nil
	})
	if err == nil {
		c.events.emit(events...)
	}
	return err
}

// otherKey is whether a contact is known by the name of a result and has shown to hold
// another key than the result's.
func (r relation) otherKey(tx *store.Tx, res lookup.Result) bool {
	e, now := r.evidence(), particle.DHPublic{}
	if res.IdDoc != (proof.IdDoc{}) {
		now = particle.IdDoc(res.IdDoc).DH()
	}
	for i, name := range e.Names {
		full, err := proof.ParseFullName(name)
		if err != nil || len(full.Labels) != 1 || full.Labels[0] != res.Name || !liesIn(tx, name, res.Namespace.String()) {
			continue
		}
		if i < len(e.Keys) && len(e.Keys[i]) > 0 && !bytes.Equal(e.Keys[i], now[:]) {
			return true
		}
	}
	return false
}
