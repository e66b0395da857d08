package lookup

import (
	"context"
	"crypto/ed25519"
	"encoding/base32"
	"errors"
	"slices"
	"strings"
	"time"

	"communicator/dht/record"
	"communicator/directory/proof"
	"communicator/wire"
)

// A veto is its key's word against the namespace, whose directories may keep it from
// whoever asks. So it goes two more ways: contacts hand it on inside their sessions, and
// it lies in the overlay, in a record like a name's: with the identity key in the place of
// the zone key, and the id of the key's vetoes in the place of the name's secret. Who does
// not know the key learns nothing of it from the record; who knows it can open it.

// heardRow is a veto or a revocation that somebody brought.
type heardRow struct {
	Statement []byte    `json:"statement"`
	At        time.Time `json:"at"`
}

const heardPrefix = "heard-"

func heardKey(s proof.Statement) string {
	hash := s.Hash()
	return heardPrefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(hash[:]))
}

// Heard remembers a veto or a revocation, so that whoever hides it from later lookups
// hides nothing. It is refused unless it verifies and is of a namespace that is remembered.
// Fresh says that it is new; more than there is room for is dropped.
//
// Errors: [ErrUnknownNamespace], proof.ErrKind, those of proof.Statement.Verify.
func Heard(rows Rows, s proof.Statement, now time.Time) (fresh bool, err error) {
	if s.Kind != proof.Veto && s.Kind != proof.Revoke {
		return false, proof.ErrKind
	}
	if err := s.Verify(proof.Manifest{}); err != nil { // nobody but the key signs it
		return false, err
	}
	if _, err := Known(rows, s.NS.String()); err != nil {
		return false, err
	}
	key := heardKey(s)
	if _, known, err := getRow[heardRow](rows, key); known || err != nil {
		return false, err
	}
	keys, err := rows.Keys(heardPrefix)
	if err != nil || len(keys) >= maxHeard {
		return false, err
	}
	raw, err := s.Marshal()
	if err != nil {
		return false, err
	}
	return true, putRow(rows, key, heardRow{raw, now})
}

// HolderOf is whether a key is the one that a name was last shown to stand for, or the one
// that this replaced: whether its veto has a say.
func HolderOf(rows Rows, ns proof.NSID, name proof.Name, key proof.Key) (bool, error) {
	row, ok, err := getRow[nameRow](rows, nameKey(ns, name))
	if err != nil || !ok {
		return false, err
	}
	_, s, err := row.statement()
	return s.Key == key || s.Replaced == key, err
}

// heard returns what was brought of a key.
func (r *Resolver) heard(ctx context.Context, key proof.Key) (list []proof.Statement) {
	err := r.o.Memory.Update(ctx, func(rows Rows) error {
		list = nil
		keys, err := rows.Keys(heardPrefix)
		for _, k := range keys {
			row, _, err := getRow[heardRow](rows, k)
			if err != nil {
				return err
			}
			s, err := proof.ParseStatement(row.Statement)
			if err != nil {
				return errors.Join(ErrMemory, err)
			}
			if s.Key == key {
				list = append(list, s)
			}
		}
		return err
	})
	if err != nil {
		return nil
	}
	return list
}

// saidSecret stands for the name's secret in the record of a key's vetoes.
func saidSecret(key proof.Key) record.NameSecret { return record.NameSecret(proof.RevocationID(key)) }

// inOverlay reads what a key has put into the overlay.
func (r *Resolver) inOverlay(ctx context.Context, key proof.Key) []proof.Statement {
	if r.o.Overlay == nil {
		return nil
	}
	epoch := record.EpochAt(r.o.Now())
	blind, err := record.Blind(key[:], saidSecret(key), epoch)
	if err != nil {
		return nil // a key that nobody could blind has no record
	}
	places := blind.Locations()
	answer, err := r.o.Overlay.LookupAll(ctx, places[:], nil)
	if err != nil {
		return nil // it may not be there; who hides it must hide it everywhere
	}
	payload, _, err := record.Open(key[:], saidSecret(key), epoch, answer.Record)
	if err != nil {
		return nil
	}
	list, err := proof.ParseSaid(payload)
	if err != nil || list[0].Key != key {
		return nil
	}
	return list
}

// SaidRecords makes the records under which a key's vetoes and revocations are found in
// the overlay, one for each week from now until a time; refresh is the time in seconds, so
// that no two have one sequence. Stamps take workBits.
func SaidRecords(key ed25519.PrivateKey, list []proof.Statement, now, until time.Time, workBits int) (records [][]byte, err error) {
	payload, err := proof.MarshalSaid(list)
	if err != nil {
		return nil, err
	}
	newest := slices.MaxFunc(list, func(a, b proof.Statement) int { return int(a.Version) - int(b.Version) })
	secret := saidSecret(proof.KeyOf(key.Public().(ed25519.PublicKey)))
	for e := record.EpochAt(now); e <= record.EpochAt(until) && len(records) < maxSaidEpochs; e++ {
		b, err := record.Sign(key, secret, record.Draft{
			Epoch: e, Version: newest.Version, Refresh: uint32(now.Unix()), Payload: payload,
		}, workBits)
		if err != nil {
			return nil, err
		}
		records = append(records, b)
	}
	return records, nil
}

const (
	// maxHeard is how many vetoes that others brought are remembered.
	maxHeard = 256
	// maxSaidEpochs bounds the weeks for which records of vetoes are made: the longest
	// hold is 30 days.
	maxSaidEpochs = int(proof.MaxHold/wire.EpochLength) + 2
)
