package access

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"communicator/eventlog"
	"communicator/wire"
)

// Kinds of this package's events.
const (
	KindTokenIssued    eventlog.Kind = wire.KindsNode + 1
	KindAccountOpened  eventlog.Kind = wire.KindsNode + 2
	KindDrainChanged   eventlog.Kind = wire.KindsNode + 3
	KindTokenRevoked   eventlog.Kind = wire.KindsNode + 4
	KindAccountRemoved eventlog.Kind = wire.KindsNode + 5
)

// version of every header layout here.
const version = 1

// Prefixes of rows.
const (
	rowToken   = 't'
	rowAccount = 'a'
	rowDrain   = 'd'
)

func tokenKey(hash [32]byte) []byte            { return append([]byte{rowToken}, hash[:]...) }
func accountKey(account wire.AccountID) []byte { return append([]byte{rowAccount}, account[:]...) }

// Knows says whether a kind of event is one of this package's, in a version that it can
// read; it is meant for [eventlog.Options].
func Knows(kind eventlog.Kind, v uint8) bool {
	return kind >= KindTokenIssued && kind <= KindAccountRemoved && v == version
}

func tokenIssued(hash [32]byte, uses uint32) eventlog.Event {
	return eventlog.Event{
		Kind: KindTokenIssued, Version: version,
		Header: binary.BigEndian.AppendUint32(hash[:], uses),
	}
}

func accountOpened(hash [32]byte, account wire.AccountID) eventlog.Event {
	return eventlog.Event{
		Kind: KindAccountOpened, Version: version,
		Header: append(hash[:], account[:]...),
	}
}

func drainChanged(draining bool) eventlog.Event {
	b := byte(0)
	if draining {
		b = 1
	}
	return eventlog.Event{Kind: KindDrainChanged, Version: version, Header: []byte{b}}
}

func tokenRevoked(hash [32]byte) eventlog.Event {
	return eventlog.Event{Kind: KindTokenRevoked, Version: version, Header: hash[:]}
}

func accountRemoved(account wire.AccountID) eventlog.Event {
	return eventlog.Event{Kind: KindAccountRemoved, Version: version, Header: account[:]}
}

// Projections are the tables that this package needs in the agent's log.
func Projections() []eventlog.Projection { return []eventlog.Projection{table{}} }

// table is the projection of [wire.TableAccess].
type table struct{}

func (table) Name() string { return "access" }
func (table) ID() byte     { return wire.TableAccess }

// Apply folds one event into the rows.
func (table) Apply(w eventlog.Writer, r eventlog.Record, _ []byte) error {
	var apply func(eventlog.Writer, *cryptobyte.String, eventlog.Record) error
	switch r.Kind {
	case KindTokenIssued:
		apply = applyTokenIssued
	case KindAccountOpened:
		apply = applyAccountOpened
	case KindDrainChanged:
		apply = applyDrainChanged
	case KindTokenRevoked:
		apply = applyTokenRevoked
	case KindAccountRemoved:
		apply = applyAccountRemoved
	default:
		return nil
	}
	if r.Version != version {
		return fmt.Errorf("access: event %d: %w: this build knows %d, the log has %d", r.Seq, wire.ErrVersion, version, r.Version)
	}
	s := cryptobyte.String(r.Header)
	if err := apply(w, &s, r); err != nil {
		return fmt.Errorf("access: event %d: %w", r.Seq, err)
	}
	return nil
}

func applyTokenIssued(w eventlog.Writer, s *cryptobyte.String, _ eventlog.Record) error {
	var hash [32]byte
	var uses uint32
	if !s.CopyBytes(hash[:]) || !s.ReadUint32(&uses) || !s.Empty() || uses == 0 {
		return wire.ErrMalformed
	}
	return w.Set(tokenKey(hash), binary.BigEndian.AppendUint32(nil, uses))
}

func applyAccountOpened(w eventlog.Writer, s *cryptobyte.String, _ eventlog.Record) error {
	var hash [32]byte
	var account wire.AccountID
	if !s.CopyBytes(hash[:]) || !s.CopyBytes(account[:]) || !s.Empty() {
		return wire.ErrMalformed
	}
	left, err := usesLeft(w, hash)
	if err != nil {
		return err
	}
	if left == 0 {
		return fmt.Errorf("%w: an account without a use of its token", wire.ErrMalformed)
	}
	if err := w.Set(accountKey(account), []byte{1}); err != nil {
		return err
	}
	if left == 1 {
		return w.Delete(tokenKey(hash))
	}
	return w.Set(tokenKey(hash), binary.BigEndian.AppendUint32(nil, left-1))
}

func applyDrainChanged(w eventlog.Writer, s *cryptobyte.String, r eventlog.Record) error {
	var draining uint8
	if !s.ReadUint8(&draining) || !s.Empty() || draining > 1 {
		return wire.ErrMalformed
	}
	if draining == 1 {
		return w.Set([]byte{rowDrain}, binary.BigEndian.AppendUint64(nil, uint64(r.Time.Unix())))
	}
	return w.Delete([]byte{rowDrain})
}

func applyTokenRevoked(w eventlog.Writer, s *cryptobyte.String, _ eventlog.Record) error {
	var hash [32]byte
	if !s.CopyBytes(hash[:]) || !s.Empty() {
		return wire.ErrMalformed
	}
	return deleteRow(w, tokenKey(hash))
}

func applyAccountRemoved(w eventlog.Writer, s *cryptobyte.String, _ eventlog.Record) error {
	var account wire.AccountID
	if !s.CopyBytes(account[:]) || !s.Empty() {
		return wire.ErrMalformed
	}
	return deleteRow(w, accountKey(account))
}

// deleteRow deletes a row that must be there.
func deleteRow(w eventlog.Writer, key []byte) error {
	row, err := w.Get(key)
	if err == nil && row == nil {
		err = fmt.Errorf("%w: removed what was not there", wire.ErrMalformed)
	}
	if err != nil {
		return err
	}
	return w.Delete(key)
}

func usesLeft(r eventlog.Reader, hash [32]byte) (uint32, error) {
	row, err := r.Get(tokenKey(hash))
	if err != nil || row == nil {
		return 0, err
	}
	if len(row) != 4 {
		return 0, wire.ErrMalformed
	}
	return binary.BigEndian.Uint32(row), nil
}

func known(r eventlog.Reader, account wire.AccountID) (bool, error) {
	row, err := r.Get(accountKey(account))
	return row != nil, err
}
