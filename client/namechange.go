package client

import (
	"bytes"
	"context"
	"slices"

	"communicator/client/lookup"
	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/particle"
)

// proved is told of a name that was looked up: contacts who are known by it, and hold
// another key than it stands for now, are not known by it any more, and a person has to
// look, unless the key that they hold has signed that the other one has the name, or
// follows it. What waits for a hold has changed nothing yet.
func (c *Client) proved(ctx context.Context, res lookup.Result) error {
	since := func(row *lookedRow) { row.Since = res.LoggedAt }
	if err := c.noteLooked(ctx, lookedAs(res.Namespace, res.Name), since); err != nil {
		return err
	}
	if err := c.found(ctx, res.Relations); err != nil || res.Held {
		return err
	}
	var changed []store.ID
	err := c.st.View(ctx, func(tx *store.Tx) error {
		for r, err := range everyContact(tx) {
			if err != nil {
				return err
			}
			if r.otherKey(tx, res) {
				changed = append(changed, r.ID)
			}
		}
		return nil
	})
	if err != nil || len(changed) == 0 {
		return err
	}
	var events []Event
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		events = nil
		k, err := kinshipIn(tx)
		if err != nil {
			return err
		}
		for _, id := range changed {
			r, err := load(tx, id)
			if err != nil {
				return err
			}
			if !r.otherKey(tx, res) {
				continue
			}
			switch by, err := r.succeeded(tx, k, res, c.now()); {
			case err != nil:
				return err
			case by == byRelation:
				events = append(events, IdentityRelated{Contact: r.Name, Kin: k.of(r)})
				continue
			case by == byRotation:
				events = append(events, NameRekeyed{Contact: r.Name, Name: r.evidence().Names[r.named(tx, res)], Undo: res.Settles})
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

// found keeps the relations that a directory gave and that concern a contact.
func (c *Client) found(ctx context.Context, relations []proof.Relation) error {
	if len(relations) == 0 {
		return nil
	}
	var events []Event
	err := c.st.Update(ctx, func(tx *store.Tx) error {
		events = nil
		var known []proof.Party
		for r, err := range everyContact(tx) {
			if err != nil {
				return err
			}
			known = append(known, r.parties()...)
		}
		for _, rel := range relations {
			if !slices.ContainsFunc(known, rel.Names) {
				continue
			}
			before, err := kinshipIn(tx)
			if err != nil {
				return err
			}
			if fresh, err := keepRelation(tx, store.ID{}, rel); err != nil {
				return err
			} else if fresh {
				more, err := toldOf(tx, before, rel)
				if err != nil {
					return err
				}
				events = append(events, more...)
			}
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
	i := r.named(tx, res)
	return i >= 0 && i < len(e.Keys) && len(e.Keys[i]) > 0 && !bytes.Equal(e.Keys[i], now[:])
}

// named is which of the names that a contact is known by a result is about, or -1.
func (r relation) named(tx *store.Tx, res lookup.Result) int {
	return slices.IndexFunc(r.evidence().Names, func(name string) bool {
		full, err := proof.ParseFullName(name)
		return err == nil && len(full.Labels) == 1 && full.Labels[0] == res.Name && liesIn(tx, name, res.Namespace.String())
	})
}
