package client

import (
	"context"
	"errors"
	"slices"
	"strings"

	"communicator/client/store"
	"communicator/particle"
)

// What we said that proves itself, successions, equivalences and vetoes, is told to those
// whom it concerns, once in each session: nobody knows whether it was read before a session
// was lost.
//
//	own  id             → what we said
//	tell contact "/" id → session in which this contact was told last; empty: not yet
type told struct {
	own, tell string
	draft     func(raw []byte) particle.Draft
}

var toldContacts = []told{
	{relationOwn, relationTell, func(raw []byte) particle.Draft { return particle.Draft{Relation: raw} }},
	{vetoOwn, vetoTell, func(raw []byte) particle.Draft { return particle.Draft{Veto: raw} }},
}

// tendTold tells contacts what they have not been told in this session.
func (c *Client) tendTold(ctx context.Context) error {
	for _, t := range toldContacts {
		var keys []string
		err := c.st.View(ctx, func(tx *store.Tx) (err error) {
			keys, err = tx.SettingKeys(t.tell)
			return err
		})
		for _, key := range keys {
			if err != nil {
				return err
			}
			err = c.tell(ctx, t, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) tell(ctx context.Context, t told, key string) error {
	err := c.doubleChecked(ctx, func(tx *store.Tx, write bool) (bool, error) {
		contact, id, ok := splitRelation(strings.TrimPrefix(key, t.tell))
		if !ok {
			return false, nil
		}
		r, err := load(tx, contact)
		if err != nil {
			return false, err
		}
		before, err := tx.Setting(key)
		if err != nil {
			return false, err
		}
		sid := r.particle.SessionID()
		due := r.State == store.ContactEstablished && r.particle.CanSend() == nil && !slices.Equal(before, sid[:])
		if !due || !write {
			return due, nil
		}
		raw, err := tx.Setting(t.own + id)
		if err != nil {
			return false, err
		}
		if err := tx.SetSetting(key, sid[:]); err != nil {
			return false, err
		}
		_, err = c.enqueueDraft(tx, &r, t.draft(raw), SendOptions{Life: DefaultLife})
		return true, err
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, particle.ErrUnanswered) {
		return nil
	}
	return err
}

// willTell has contacts told of what is kept under an id, and returns their names.
func willTell(tx *store.Tx, t told, id string, audience []store.ID) (names []string, err error) {
	for _, contact := range audience {
		row, err := tx.Contact(contact)
		if err != nil {
			return nil, err
		}
		names = append(names, row.Name)
		key := t.tell + idText(contact) + "/" + id
		if _, err := tx.Setting(key); err == nil {
			continue // was told, or is going to be
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err := tx.SetSetting(key, []byte{}); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// pushTold tells them now, as far as they can be reached.
func (c *Client) pushTold(ctx context.Context, audience []store.ID) error {
	if err := c.tendTold(ctx); err != nil {
		return err
	}
	for _, id := range audience {
		if _, err := c.push(ctx, id, false); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}
