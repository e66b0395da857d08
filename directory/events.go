package directory

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/wire"
)

// Kinds of this package's facts; vend has its own. Each is about a namespace, which is
// the event's stream. Numbers are part of the log's format and never reused.
const (
	// KindPart is the front of a fact that is longer than a header.
	KindPart eventlog.Kind = wire.KindsDirectory + 1 + iota
	// KindManifestAccepted: the header is the (rest of the) signed manifest.
	KindManifestAccepted
	// KindStatementLogged: the header is (the rest of) [logged].
	KindStatementLogged
	// KindRevocationKept: a veto or a revocation, which the log of the namespace does not
	// have; the header is (the rest of) [logged] without secret, identity and opening.
	KindRevocationKept
	// KindCheckpointCosigned: the header is (the rest of) the note.
	KindCheckpointCosigned
	// KindRelationKept: a succession or an equivalence; the header is the relation.
	KindRelationKept
)

// eventVersion is the version of every kind's layout in this package.
const eventVersion = 1

// partSize is how much of a fact one part holds.
const partSize = eventlog.MaxHeader

// Growing says which kinds of events are refused while the disk is low; it is meant for
// [eventlog.Options]. Vending, declining and forgetting free space.
func Growing(kind eventlog.Kind) bool {
	switch uint16(kind) {
	case uint16(KindStatementLogged), uint16(KindManifestAccepted), uint16(KindRelationKept), uint16(KindPart),
		vend.KindPackageAdded, vend.KindContactAsked, vend.KindTokensIssued:
		return true
	}
	return false
}

// Knows says whether a kind of event is one of a directory's, in a version that it can
// read; it is meant for [eventlog.Options].
func Knows(kind eventlog.Kind, version uint8) bool {
	return ours(kind) && version == eventVersion || vend.Knows(uint16(kind), version)
}

// ours says whether a kind is of this package alone, without vend.
func ours(kind eventlog.Kind) bool { return kind >= KindPart && kind <= KindRelationKept }

// facts makes the events of one fact: as many parts as it takes, and the last.
func facts(kind eventlog.Kind, ns proof.NSID, content []byte) []eventlog.Event {
	var events []eventlog.Event
	for len(content) > partSize {
		events = append(events, eventlog.Event{Kind: KindPart, Version: eventVersion, Stream: ns[:], Header: content[:partSize]})
		content = content[partSize:]
	}
	return append(events, eventlog.Event{Kind: kind, Version: eventVersion, Stream: ns[:], Header: content})
}

// vendEvents are vend's facts as the log takes them.
func vendEvents(facts []vend.Fact) []eventlog.Event {
	var events []eventlog.Event
	for _, f := range facts {
		events = append(events, eventlog.Event{
			Kind: eventlog.Kind(f.Kind()), Version: vend.Version, Stream: f.Stream(), Header: f.Header(), Body: vend.Body(f),
		})
	}
	return events
}

// logged is a statement with everything that the log needs to apply it again.
//
//	u64 decided (Unix s) ‖ u32 hold (s) ‖ secret 32 ‖ opening 32 ‖ u8 length ‖ identity document ‖ statement
//
// and of a veto or revocation
//
//	u64 decided (Unix s) ‖ u32 hold (s) ‖ statement
//
// The signatures were verified before, under the manifest of that time, from which the
// hold is; they are not verified again.
type logged struct {
	decided   time.Time
	hold      time.Duration
	secret    proof.NameSecret
	opening   proof.Opening
	identity  []byte
	statement []byte
}

// inLog says whether statements of a kind are leaves of the namespace's log.
func inLog(k proof.Kind) bool { return k != proof.Veto && k != proof.Revoke }

func (l logged) marshal(leaf bool) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 12+64+1+len(l.identity)+len(l.statement)), uint64(l.decided.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(l.hold/time.Second))
	if leaf {
		b = append(b, l.secret[:]...)
		b = append(b, l.opening[:]...)
		b = append(append(b, byte(len(l.identity))), l.identity...)
	}
	return append(b, l.statement...)
}

func parseLogged(content []byte, leaf bool) (logged, error) {
	var l logged
	var decided uint64
	var hold uint32
	var identity cryptobyte.String
	s := cryptobyte.String(content)
	if !s.ReadUint64(&decided) || !s.ReadUint32(&hold) || decided > maxUnix {
		return l, wire.ErrMalformed
	}
	if leaf && (!s.CopyBytes(l.secret[:]) || !s.CopyBytes(l.opening[:]) || !s.ReadUint8LengthPrefixed(&identity) ||
		len(identity) > proof.MaxIdentity) {
		return l, wire.ErrMalformed
	}
	l.decided, l.hold = time.Unix(int64(decided), 0).UTC(), time.Duration(hold)*time.Second
	l.identity, l.statement = identity, s
	return l, nil
}

// leaf is what the namespace's log holds of a statement.
func (l logged) leaf(version uint32) []byte {
	return proof.Leaf(l.secret, version, proof.Commit(l.opening, l.statement))
}

// errInvariant is a record that contradicts the rows: decisions exclude it.
func errInvariant(r eventlog.Record, err error) error {
	return fmt.Errorf("directory: event %d of kind %#04x: %w", r.Seq, uint16(r.Kind), err)
}
