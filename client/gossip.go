package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"communicator/client/lookup"
	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/particle"
)

// Two contacts who know a namespace tell each other, inside their session, what they were
// last shown of its log. A log that shows them two faces is caught by that: the two
// checkpoints are its own signatures against it. Each side tells about the
// namespaces under which the two met, and about no others, so nobody learns from it which
// others somebody knows.
//
//	"gossip/" contact "/" namespace    → hash of the checkpoint that they were told last
//	"gossip-in/" contact "/" namespace → a checkpoint of theirs that was not compared yet
//	"gossip-frozen/" namespace         → the namespace was alarmed about

// checkpointText is the longest text that a checkpoint rides along with: together they
// fit the smallest bucket, so that telling it does not show.
const checkpointText = 1 << 10

const (
	gossipIn     = "gossip-in/"
	gossipFrozen = "gossip-frozen/"
)

func gossipSetting(contact store.ID, ns string) string {
	return fmt.Sprintf("gossip/%x/%s", contact[:], ns)
}

func gossipInSetting(contact store.ID, ns string) string {
	return fmt.Sprintf("%s%x/%s", gossipIn, contact[:], ns)
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
// may ask a directory. One of a namespace that we do not know is dropped. Nothing is
// answered: a contact hears only about the namespaces under which we met, else it could
// find out which others we know.
func (c *Client) absorbCheckpoint(tx *store.Tx, contact store.ID, note []byte) error {
	ns, _, _ := strings.Cut(string(note), "\n")
	if _, err := proof.ParseNSID(ns); err != nil {
		return nil
	}
	if _, err := lookup.Known(profileRows{tx}, ns); err != nil {
		return nil
	}
	return tx.SetSetting(gossipInSetting(contact, ns), note)
}

// tendGossip compares what contacts were shown with what we were.
func (c *Client) tendGossip(ctx context.Context) error {
	var keys []string
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		keys, err = tx.SettingKeys(gossipIn)
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
	id, ns, _ := strings.Cut(strings.TrimPrefix(key, gossipIn), "/")
	var note []byte
	var name string
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		if note, err = tx.Setting(key); err != nil {
			return err
		}
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
	frozen, err := c.observe(ctx, note)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch {
	case errors.Is(err, lookup.ErrUncompared) || errors.Is(err, lookup.ErrUnreachable) || errors.Is(err, lookup.ErrUnknownNamespace):
		c.opts.Logger.Debug("checkpoint of a contact not compared yet", "err", err)
		return nil // a later pass asks again
	case err != nil:
		c.opts.Logger.Debug("checkpoint of a contact refused", "err", err)
	}
	c.health.worked(key)
	if err := c.afterFreeze(ctx, ns, name, frozen); err != nil {
		return err
	}
	return c.st.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.Setting(key)
		if err != nil || string(now) != string(note) {
			return nil // another one came meanwhile
		}
		return tx.DeleteSetting(key)
	})
}

// observe compares a checkpoint, and says whether the namespace is believed no more.
func (c *Client) observe(ctx context.Context, note []byte) (frozen bool, err error) {
	resolver, err := c.Names(ctx)
	if err != nil {
		return false, fmt.Errorf("%w: %w", lookup.ErrUnreachable, err)
	}
	err = resolver.Observe(ctx, note)
	if errors.Is(err, lookup.ErrFrozen) { // now, or before
		return true, nil
	}
	return false, err
}

// caught is told of a namespace that is frozen now: the contacts who are known by its
// names are not known any more from then on.
func (c *Client) caught(ctx context.Context, id proof.NSID) error {
	var events []Event
	err := c.st.Update(ctx, func(tx *store.Tx) (err error) {
		events, err = c.distrustNames(tx, id.String())
		return err
	})
	if err == nil {
		c.events.emit(events...)
	}
	return err
}

// tendFrozen tells of namespaces that a lookup has caught, and forgets that it told of
// those that a person has looked at since.
func (c *Client) tendFrozen(ctx context.Context) error {
	change := map[string]bool{} // by namespace: whether it is frozen
	err := c.st.View(ctx, func(tx *store.Tx) error {
		frozen, err := lookup.Frozen(profileRows{tx})
		if err != nil {
			return err
		}
		told, err := tx.SettingKeys(gossipFrozen)
		for _, key := range told {
			change[strings.TrimPrefix(key, gossipFrozen)] = false
		}
		for _, id := range frozen {
			if _, known := change[id.String()]; known {
				delete(change, id.String())
			} else {
				change[id.String()] = true
			}
		}
		return err
	})
	for ns, frozen := range change {
		if err != nil {
			return err
		}
		err = c.afterFreeze(ctx, ns, "", frozen)
	}
	return err
}

// afterFreeze tells of a namespace that is believed no more, once: also if it was found
// out by a pass that did not come to tell. Contacts who are known by its names are not
// known any more.
func (c *Client) afterFreeze(ctx context.Context, ns, shownBy string, frozen bool) error {
	var events []Event
	err := c.st.Update(ctx, func(tx *store.Tx) error {
		events = nil
		_, err := tx.Setting(gossipFrozen + ns)
		told := err == nil
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if !frozen {
			if told { // a person has looked, and had it forgotten
				return tx.DeleteSetting(gossipFrozen + ns)
			}
			return nil
		}
		if !told {
			events = append(events, Alarm{Contact: shownBy, Kind: AlarmNamespace})
		}
		more, err := c.distrustNames(tx, ns)
		if err != nil {
			return err
		}
		events = append(events, more...)
		return nil
	})
	if err != nil || len(events) == 0 {
		return err
	}
	c.events.emit(events...)
	return c.st.Update(ctx, func(tx *store.Tx) error { return tx.SetSetting(gossipFrozen+ns, []byte{}) })
}

// distrustNames resets the contacts who are known by names of a namespace.
func (c *Client) distrustNames(tx *store.Tx, ns string) (events []Event, err error) {
	for r, err := range everyContact(tx) {
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(r.evidence().Names, func(name string) bool { return liesIn(tx, name, ns) }) {
			continue
		}
		if err := c.distrust(tx, &r, ResetConflict); err != nil {
			return nil, err
		}
		events = append(events, Alarm{Contact: r.Name, Kind: AlarmVerification})
	}
	return events, nil
}

// liesIn says whether a name as it is shown begins in a namespace.
func liesIn(tx *store.Tx, name, ns string) bool {
	full, err := proof.ParseFullName(name)
	if err != nil {
		return false
	}
	id, err := lookup.Known(profileRows{tx}, full.NS)
	return err == nil && id.String() == ns
}
