package relay

import (
	"encoding/binary"
	"fmt"
	"time"

	"communicator/eventlog"
	"communicator/relay/receipt"
	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
)

// Projections are the tables that follow from this package's events: a log is
// opened with them.
func Projections() []eventlog.Projection { return []eventlog.Projection{projection{}} }

// state is the first byte of a row.
type state uint8

const (
	stateQueued state = iota + 1
	stateForwarded
	stateAbandoned
	stateRefused
)

// row is what the table holds for one handle.
type row struct {
	state    state
	seq      uint64 // of the event that made the row
	notAfter hour

	status wire.Status // of a refused submission alone

	// Of a queued submission alone.
	jitterMS uint32
	account  wire.AccountID
	size     uint32 // bytes of the body
	uri      string
}

func (r row) marshal() []byte {
	b := make([]byte, 0, 13+4+16+4+len(r.uri))
	b = append(b, byte(r.state))
	b = binary.BigEndian.AppendUint64(b, r.seq)
	b = binary.BigEndian.AppendUint32(b, uint32(r.notAfter))
	switch r.state {
	case stateForwarded, stateAbandoned:
		return b
	case stateRefused:
		return binary.BigEndian.AppendUint16(b, uint16(r.status))
	}
	b = binary.BigEndian.AppendUint32(b, r.jitterMS)
	b = append(b, r.account[:]...)
	b = binary.BigEndian.AppendUint32(b, r.size)
	return append(b, r.uri...)
}

func parseRow(b []byte) (row, error) {
	var r row
	s := cryptobyte.String(b)
	if !s.ReadUint8((*uint8)(&r.state)) || !s.ReadUint64(&r.seq) || !s.ReadUint32((*uint32)(&r.notAfter)) {
		return row{}, wire.ErrMalformed
	}
	switch r.state {
	case stateForwarded, stateAbandoned:
		if !s.Empty() {
			return row{}, wire.ErrMalformed
		}
	case stateRefused:
		var status uint16
		if !s.ReadUint16(&status) || !s.Empty() {
			return row{}, wire.ErrMalformed
		}
		r.status = wire.Status(status)
	case stateQueued:
		if !s.ReadUint32(&r.jitterMS) || !s.CopyBytes(r.account[:]) || !s.ReadUint32(&r.size) || len(s) > wire.MaxURI {
			return row{}, wire.ErrMalformed
		}
		r.uri = string(s)
	default:
		return row{}, wire.ErrVersion
	}
	return r, nil
}

// readRow returns nil if there is none.
func readRow(table eventlog.Reader, h wire.HandleHash) (*row, error) {
	b, err := table.Get(h[:])
	if err != nil || b == nil {
		return nil, err
	}
	r, err := parseRow(b)
	return &r, err
}

type projection struct{}

func (projection) Name() string { return "relay" }
func (projection) ID() byte     { return wire.TableRelay }

// Apply folds one event into the rows. A submission whose body is gone has been
// settled by a later event, which makes the row by itself; so a replay ends with
// the same rows.
func (projection) Apply(w eventlog.Writer, r eventlog.Record, body []byte) error {
	if r.Kind < KindSubmitted || r.Kind > KindRefused {
		return nil
	}
	if r.Version != eventVersion {
		return fmt.Errorf("relay: event kind %#x: %w", r.Kind, wire.ErrVersion)
	}
	if len(r.Stream) != len(wire.HandleHash{}) {
		return fmt.Errorf("relay: event kind %#x: %w", r.Kind, wire.ErrMalformed)
	}
	switch r.Kind {
	case KindSubmitted:
		return applySubmitted(w, r, body)
	case KindForwarded:
		s, err := parseSettled(r.Header)
		return applySettled(w, r, s, row{state: stateForwarded}, err)
	case KindAbandoned:
		s, err := parseSettled(r.Header)
		return applySettled(w, r, s, row{state: stateAbandoned}, err)
	case KindRefused:
		s, err := parseRefused(r.Header)
		return applySettled(w, r, s.settled, row{state: stateRefused, status: s.status}, err)
	default:
		seq, err := parseDropped(r.Header)
		if err != nil {
			return err
		}
		if err := w.EraseBody(seq); err != nil {
			return err
		}
		return w.Delete(r.Stream)
	}
}

func applySubmitted(w eventlog.Writer, r eventlog.Record, body []byte) error {
	if body == nil {
		return nil
	}
	sub, err := receipt.ParseSubmissionBody(body)
	if err != nil {
		return err
	}
	return w.Set(r.Stream, row{
		state: stateQueued, seq: r.Seq, notAfter: hourOf(sub.NotAfter),
		jitterMS: uint32(sub.Jitter / time.Millisecond), account: sub.Account,
		size: uint32(len(body)), uri: sub.URI,
	}.marshal())
}

// applySettled replaces a queued submission's row by next, unless parsing failed.
func applySettled(w eventlog.Writer, r eventlog.Record, s settled, next row, err error) error {
	if err != nil {
		return err
	}
	if err := w.EraseBody(s.submitted); err != nil {
		return err
	}
	next.seq, next.notAfter = r.Seq, s.notAfter
	return w.Set(r.Stream, next.marshal())
}
