package eventlog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
)

// A start does not read the log through, so it would not notice an event that only a
// newer program understands, and go on over tables that it cannot explain. Therefore one
// row names every kind and version that the log ever held, and grows in the transaction
// of the first event of each:
//
//	layout    u8    1
//	since     u64   from this sequence on, nothing is missing here
//	count     u16
//	each      u16 kind ‖ u8 version, ascending
//
// A log that was made before there was this row has none until its next event, and holds
// nothing that a program with the row does not know. Pruning takes nothing out of it:
// what was pruned is still in the tables.
const kindsLayout = 1

// KindVersion names a layout of events.
type KindVersion struct {
	Kind    Kind  `json:"kind"`
	Version uint8 `json:"version"`
}

func (k KindVersion) String() string {
	return fmt.Sprintf("kind %#04x version %d", uint16(k.Kind), k.Version)
}

func (k KindVersion) compare(other KindVersion) int {
	return cmp.Or(cmp.Compare(k.Kind, other.Kind), cmp.Compare(k.Version, other.Version))
}

// UnknownKindsError says that a log or a backup holds events, or that one was offered,
// of which [Options.Knows] denies the kind or the version. It is a [wire.ErrVersion].
type UnknownKindsError struct{ Kinds []KindVersion }

func (e *UnknownKindsError) Error() string {
	names := make([]string, len(e.Kinds))
	for i, k := range e.Kinds {
		names[i] = k.String()
	}
	return "eventlog: this program does not know events of " + strings.Join(names, ", ") +
		"; install the newer version of it that made them"
}

func (e *UnknownKindsError) Unwrap() error { return wire.ErrVersion }

// kindSet is what the row says. Once made it is not changed.
type kindSet struct {
	since uint64 // 0: there is no row yet
	all   []KindVersion
}

func (s *kindSet) has(k KindVersion) bool {
	_, found := slices.BinarySearchFunc(s.all, k, KindVersion.compare)
	return found
}

// missing returns the first event of a batch whose kind is not in s, or nil.
func (s *kindSet) missing(b *batchRow) *DamageError {
	for i := range b.records {
		r := &b.records[i]
		if k := (KindVersion{r.Kind, r.Version}); !s.has(k) {
			return &DamageError{First: r.Seq, Last: r.Seq, Part: "store", Reason: "the row of its kinds lacks " + k.String()}
		}
	}
	return nil
}

// with is s and one more, which it does not have.
func (s *kindSet) with(k KindVersion) *kindSet {
	i, _ := slices.BinarySearchFunc(s.all, k, KindVersion.compare)
	return &kindSet{s.since, slices.Insert(slices.Clone(s.all), i, k)}
}

// add is s with every kind of the records.
func (s *kindSet) add(records []Record) *kindSet {
	for i := range records {
		if k := (KindVersion{records[i].Kind, records[i].Version}); !s.has(k) {
			s = s.with(k)
		}
	}
	return s
}

func (s *kindSet) encode() []byte {
	var b cryptobyte.Builder
	b.AddUint8(kindsLayout)
	b.AddUint64(s.since)
	b.AddUint16(uint16(len(s.all)))
	for _, k := range s.all {
		b.AddUint16(uint16(k.Kind))
		b.AddUint8(k.Version)
	}
	return b.BytesOrPanic()
}

func parseKinds(value []byte) (*kindSet, error) {
	s, out := cryptobyte.String(value), new(kindSet)
	if err := layout(&s, kindsLayout); err != nil {
		return nil, err
	}
	var n uint16
	if !s.ReadUint64(&out.since) || out.since == 0 || !s.ReadUint16(&n) || n > maxKinds {
		return nil, wire.ErrMalformed
	}
	out.all = make([]KindVersion, n)
	for i := range out.all {
		k := &out.all[i]
		if !s.ReadUint16((*uint16)(&k.Kind)) || !s.ReadUint8(&k.Version) || i > 0 && out.all[i-1].compare(*k) >= 0 {
			return nil, wire.ErrMalformed
		}
	}
	if !s.Empty() {
		return nil, wire.ErrMalformed
	}
	return out, nil
}

// kindsIn reads the row, or the empty set if there is none.
func kindsIn(snap snapshot) (*kindSet, error) {
	value, err := snap.get(metaKinds)
	if err != nil {
		return nil, &DamageError{Part: "store", Reason: "the row of its kinds cannot be read", Err: err}
	}
	if value == nil {
		return new(kindSet), nil
	}
	s, err := parseKinds(value)
	if err != nil {
		return nil, newer(err, "store")
	}
	return s, nil
}

// knows returns an [*UnknownKindsError] if the set has what this program does not know.
func (l *eventLog) knows(s *kindSet) error {
	var unknown []KindVersion
	for _, k := range s.all {
		if !l.opts.Knows(k.Kind, k.Version) {
			unknown = append(unknown, k)
		}
	}
	if unknown == nil {
		return nil
	}
	return &UnknownKindsError{unknown}
}

// learnKinds reads the row, and refuses what this program does not know.
func (w *writer) learnKinds(snap snapshot) error {
	s, err := kindsIn(snap)
	if err != nil {
		return err
	}
	w.kinds = s
	w.l.kinds.Store(s)
	return w.l.knows(s)
}

// noteKinds returns the row to commit with a batch that is the first with one of its
// kinds, or no row.
func (w *writer) noteKinds(b *batch) []row {
	noted := w.kinds
	for i := range b.events {
		e := &b.events[i]
		if k := (KindVersion{e.kind, e.version}); !noted.has(k) {
			noted = noted.with(k)
		}
	}
	if noted == w.kinds {
		return nil
	}
	if noted.since == 0 {
		noted.since = b.head.First
	}
	w.kinds, b.kinds = noted, noted
	return []row{{metaKinds, noted.encode()}}
}
