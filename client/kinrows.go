package client

import (
	"encoding/hex"
	"errors"
	"strings"

	"communicator/client/store"
	"communicator/directory/proof"
)

const (
	relationOwn  = "relation-own/"
	relationTell = "relation-tell/"
	relationIn   = "relation/"
)

// maxRelations is how many relations are kept of what one contact told, and
// maxFoundRelations of what directories gave.
const (
	maxRelations      = 8
	maxFoundRelations = 64
)

func idText(id store.ID) string { return hex.EncodeToString(id[:]) }

func relationText(rel proof.Relation) string {
	id := rel.ID()
	return hex.EncodeToString(id[:])
}

// splitRelation reads contact "/" id.
func splitRelation(key string) (contact store.ID, id string, ok bool) {
	text, id, ok := strings.Cut(key, "/")
	b, err := hex.DecodeString(text)
	if !ok || err != nil || len(b) != len(contact) {
		return contact, "", false
	}
	return store.ID(b), id, true
}

// relationsUnder reads the relations whose keys begin with a prefix, each once. They were
// verified when they were kept.
func relationsUnder(tx *store.Tx, prefix string) (list []proof.Relation, err error) {
	keys, err := tx.SettingKeys(prefix)
	if err != nil {
		return nil, err
	}
	seen := map[proof.Hash]bool{}
	for _, key := range keys {
		raw, err := tx.Setting(key)
		if err != nil {
			return nil, err
		}
		rel, err := proof.ParseRelation(raw)
		if err != nil {
			return nil, errors.Join(store.ErrDamaged, err)
		}
		if !seen[rel.ID()] {
			seen[rel.ID()] = true
			list = append(list, rel)
		}
	}
	return list, nil
}

// keepRelation keeps what a contact told, or a directory if contact is zero. It says
// whether that is new; more than there is room for is dropped.
func keepRelation(tx *store.Tx, contact store.ID, rel proof.Relation) (fresh bool, err error) {
	prefix, room := relationIn+idText(contact)+"/", maxRelations
	if contact == (store.ID{}) {
		room = maxFoundRelations
	}
	keys, err := tx.SettingKeys(prefix)
	if err != nil || len(keys) >= room {
		return false, err
	}
	key := prefix + relationText(rel)
	if _, err = tx.Setting(key); !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	raw, err := rel.Marshal()
	if err != nil {
		return false, err
	}
	return true, tx.SetSetting(key, raw)
}

// forgetRelations drops what a contact told of relations and vetoes, and what it was told.
func forgetRelations(tx *store.Tx, contact store.ID) error {
	for _, prefix := range []string{relationIn, relationTell, vetoBrought, vetoTell} {
		keys, err := tx.SettingKeys(prefix + idText(contact) + "/")
		if err != nil {
			return err
		}
		if err := deleteSettings(tx, keys...); err != nil {
			return err
		}
	}
	return nil
}
