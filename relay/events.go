package relay

import (
	"encoding/binary"
	"time"

	"communicator/eventlog"
	"communicator/relay/receipt"
	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
)

// Kinds of events; the package comment draws them.
const (
	KindSubmitted eventlog.Kind = wire.KindsRelay + 1 + iota
	KindForwarded
	KindAbandoned
	KindOutcomeAcknowledged
	KindOutcomeExpired
	KindRefused
)

// Growing says which of this package's kinds are refused while the disk is low:
// new submissions alone, so that delivering and acknowledging can free space.
func Growing(kind eventlog.Kind) bool { return kind == KindSubmitted }

// Knows says whether a kind of event is one of this package's, in a version that it can
// read; it is meant for [eventlog.Options].
func Knows(kind eventlog.Kind, version uint8) bool {
	return kind >= KindSubmitted && kind <= KindRefused && version == eventVersion
}

// eventVersion is the version of every kind's layout.
const eventVersion = 1

// keySubmit is the scope of a submission's idempotency key.
const keySubmit = "submit"

// hour is a whole hour since 1970, which is all that a notAfter may be.
type hour uint32

const secondsPerHour = 3600

func (h hour) time() time.Time { return time.Unix(int64(h)*secondsPerHour, 0).UTC() }

// hourOf rounds up, so that nothing is given up early.
func hourOf(t time.Time) hour { return hour((t.Unix() + secondsPerHour - 1) / secondsPerHour) }

// submitted makes the event of an accepted submission.
func submitted(h wire.HandleHash, body receipt.SubmissionBody) (eventlog.Event, error) {
	b, err := body.Marshal()
	if err != nil {
		return eventlog.Event{}, err
	}
	return eventlog.Event{
		Kind: KindSubmitted, Version: eventVersion, Stream: h[:],
		Key: append([]byte(keySubmit), h[:]...), Body: b,
	}, nil
}

// settled is the header of Forwarded and Abandoned.
type settled struct {
	submitted uint64 // the submission's event
	notAfter  hour
}

func (s settled) marshal() []byte {
	b := binary.BigEndian.AppendUint64(nil, s.submitted)
	return binary.BigEndian.AppendUint32(b, uint32(s.notAfter))
}

func parseSettled(b []byte) (settled, error) {
	var s settled
	c := cryptobyte.String(b)
	if !c.ReadUint64(&s.submitted) || !c.ReadUint32((*uint32)(&s.notAfter)) || !c.Empty() {
		return settled{}, wire.ErrMalformed
	}
	return s, nil
}

func forwarded(h wire.HandleHash, s settled, outcome []byte) eventlog.Event {
	return eventlog.Event{
		Kind: KindForwarded, Version: eventVersion, Stream: h[:], Header: s.marshal(), Body: outcome,
	}
}

func abandoned(h wire.HandleHash, s settled) eventlog.Event {
	return eventlog.Event{Kind: KindAbandoned, Version: eventVersion, Stream: h[:], Header: s.marshal()}
}

// refused is the header of Refused.
type refused struct {
	settled
	status wire.Status // the receiving agent's answer
}

func (r refused) marshal() []byte {
	return binary.BigEndian.AppendUint16(r.settled.marshal(), uint16(r.status))
}

func parseRefused(b []byte) (refused, error) {
	if len(b) < statusSize {
		return refused{}, wire.ErrMalformed
	}
	s, err := parseSettled(b[:len(b)-statusSize])
	return refused{s, wire.Status(binary.BigEndian.Uint16(b[len(b)-statusSize:]))}, err
}

// statusSize is how many bytes a status takes in a header and in a row.
const statusSize = 2

func refusedEvent(h wire.HandleHash, r refused) eventlog.Event {
	return eventlog.Event{Kind: KindRefused, Version: eventVersion, Stream: h[:], Header: r.marshal()}
}

// dropped makes OutcomeAcknowledged or OutcomeExpired of the outcome at seq.
func dropped(kind eventlog.Kind, h wire.HandleHash, seq uint64) eventlog.Event {
	return eventlog.Event{
		Kind: kind, Version: eventVersion, Stream: h[:], Header: binary.BigEndian.AppendUint64(nil, seq),
	}
}

func parseDropped(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, wire.ErrMalformed
	}
	return binary.BigEndian.Uint64(b), nil
}
