package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"communicator/client/lookup"
	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/particle"
)

// Two contacts who know a namespace tell each other, inside their session, what they were
// last shown of its log. A log that shows them two faces is caught by that: the two
// checkpoints are its own signatures against it. A side begins with the namespaces
// under which it met the contact, and answers about those that it knows itself, so
// nobody learns from it which others somebody knows.
//
//	"gossip/" contact "/" namespace    → hash of the checkpoint that they were told last
//	"gossip-in/" contact "/" namespace → a checkpoint of theirs that was not compared yet

// checkpointText is the longest text that a checkpoint rides along with: together they
// fit the smallest bucket, so that telling it does not show.
const checkpointText = 1 << 10

func gossipSetting(contact store.ID, ns string) string {
	return fmt.Sprintf("gossip/%x/%s", contact[:], ns)
}

func gossipInSetting(contact store.ID, ns string) string {
	return fmt.Sprintf("gossip-in/%x/%s", contact[:], ns)
}

// shareLog begins to tell a contact about the log of a namespace, given by its id or by
// our petname for it.
func shareLog(tx *store.Tx, contact store.ID, ns string) error {
	id, err := lookup.Known(profileRows{tx}, ns)
	if err != nil {
		return nil // not remembered: nothing to tell
	}
	_, err = tx.Setting(gossipSetting(contact, id.String()))
	if errors.Is(err, store.ErrNotFound) {
		err = tx.SetSetting(gossipSetting(contact, id.String()), []byte{})
	}
	return err
}

// telling is a checkpoint that goes out with a message.
type telling struct {
	setting string
	hash    []byte
}

func (t telling) save(tx *store.Tx) error {
	if t.setting == "" {
		return nil
	}
	return tx.SetSetting(t.setting, t.hash)
}

// checkpointFor puts a checkpoint into a draft, if there is one that the contact was not
// told and the draft has room.
func checkpointFor(tx *store.Tx, contact store.ID, d *particle.Draft) (telling, error) {
	if len(d.Text) > checkpointText || d.Introduction != nil || d.Claim != nil {
		return telling{}, nil
	}
	prefix := fmt.Sprintf("gossip/%x/", contact[:])
	keys, err := tx.SettingKeys(prefix)
	if err != nil {
		return telling{}, err
	}
	for _, key := range keys {
		note, err := lookup.Remembered(profileRows{tx}, strings.TrimPrefix(key, prefix))
		if err != nil || len(note) == 0 || len(note) > particle.MaxCheckpoint {
			continue
		}
		told, err := tx.Setting(key)
		if err != nil {
			return telling{}, err
		}
		hash := sha256.Sum256(note)
		if string(told) == string(hash[:]) {
			continue
		}
		d.Checkpoint = note
		return telling{key, hash[:]}, nil
	}
	return telling{}, nil
}

// absorbCheckpoint keeps what a contact was shown, to be compared by the next pass, which
// may ask a directory. One of a namespace that we do not know is dropped.
func (c *Client) absorbCheckpoint(tx *store.Tx, contact store.ID, note []byte) error {
	ns, _, _ := strings.Cut(string(note), "\n")
	if _, err := proof.ParseNSID(ns); err != nil {
		return nil
	}
	if _, err := lookup.Known(profileRows{tx}, ns); err != nil {
		return nil
	}
	if err := shareLog(tx, contact, ns); err != nil {
		return err
	}
	return tx.SetSetting(gossipInSetting(contact, ns), note)
}

// tendGossip compares what contacts were shown with what we were.
func (c *Client) tendGossip(ctx context.Context) error {
	var keys []string
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		keys, err = tx.SettingKeys("gossip-in/")
		return err
	})
	for _, key := range keys {
		if err != nil {
			return err
		}
		err = c.compareGossip(ctx, key)
	}
	return err
}

func (c *Client) compareGossip(ctx context.Context, key string) error {
	if !c.mayTry(key) {
		return nil
	}
	var note []byte
	var name string
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		if note, err = tx.Setting(key); err != nil {
			return err
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(key, "gossip-in/"), "/")
		var contact store.ID
		if b, derr := hex.DecodeString(id); derr == nil && len(b) == len(contact) {
			contact = store.ID(b)
		}
		row, err := tx.Contact(contact)
		name = row.Name
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	resolver, err := c.Names(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c.opts.Logger.Debug("checkpoint of a contact not compared", "err", err)
		return nil
	}
	err = resolver.Observe(ctx, note)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, lookup.ErrUncompared) {
		return nil // a later pass asks again
	}
	if errors.Is(err, lookup.ErrFrozen) {
		c.events.emit(Alarm{Contact: name, Kind: AlarmNamespace})
	} else if err != nil {
		c.opts.Logger.Debug("checkpoint of a contact refused", "err", err)
	}
	c.health.worked(key)
	return c.st.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.Setting(key)
		if err != nil || string(now) != string(note) {
			return nil // another one came meanwhile
		}
		return tx.DeleteSetting(key)
	})
}
