package receipt

import (
	"encoding/binary"
	"time"

	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
)

// SubmissionBody is what a sending agent logs of a submission as the event's body. The
// client can build it again, and so prove with its receipt what was accepted.
type SubmissionBody struct {
	Account  wire.AccountID
	URI      string // at most wire.MaxURI bytes
	KeyID    wire.KeyID
	Sealed   []byte    // wire.SealedSize bytes
	Payload  []byte    // at most wire.MaxPayload bytes
	NotAfter time.Time // whole seconds
	Jitter   time.Duration
}

// Marshal encodes the body. Errors: wire.ErrTooLarge, wire.ErrMalformed (a seal of
// another size; times out of range or, for Jitter, not whole milliseconds).
func (s SubmissionBody) Marshal() ([]byte, error) {
	if len(s.URI) > wire.MaxURI || len(s.Payload) > wire.MaxPayload {
		return nil, wire.ErrTooLarge
	}
	jitter := s.Jitter / time.Millisecond
	unix := s.NotAfter.Unix()
	if len(s.Sealed) != wire.SealedSize || unix < 0 || unix > maxUnix || s.NotAfter.Nanosecond() != 0 ||
		s.Jitter < 0 || s.Jitter%time.Millisecond != 0 || jitter > maxJitterMS {
		return nil, wire.ErrMalformed
	}
	b := make([]byte, 0, bodyFixed+len(s.URI)+len(s.Payload))
	b = append(b, Version)
	b = append(b, s.Account[:]...)
	b = append(b, byte(len(s.URI)))
	b = append(b, s.URI...)
	b = append(b, s.KeyID[:]...)
	b = append(b, s.Sealed...)
	b = binary.BigEndian.AppendUint64(b, uint64(unix))
	b = binary.BigEndian.AppendUint32(b, uint32(jitter))
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.Payload)))
	return append(b, s.Payload...), nil
}

// ParseSubmissionBody decodes exactly one body. Sealed and Payload point into b.
func ParseSubmissionBody(b []byte) (SubmissionBody, error) {
	var body SubmissionBody
	if len(b) > MaxBody {
		return body, wire.ErrTooLarge
	}
	s := cryptobyte.String(b)
	var version uint8
	if !s.ReadUint8(&version) {
		return body, wire.ErrMalformed
	}
	if version != Version {
		return body, wire.ErrVersion
	}
	var uri cryptobyte.String
	var notAfter uint64
	var jitter, length uint32
	if !s.CopyBytes(body.Account[:]) || !s.ReadUint8LengthPrefixed(&uri) || !s.CopyBytes(body.KeyID[:]) ||
		!s.ReadBytes(&body.Sealed, wire.SealedSize) || !s.ReadUint64(&notAfter) ||
		!s.ReadUint32(&jitter) || !s.ReadUint32(&length) {
		return SubmissionBody{}, wire.ErrMalformed
	}
	if len(uri) > wire.MaxURI || length > wire.MaxPayload {
		return SubmissionBody{}, wire.ErrTooLarge
	}
	if !s.ReadBytes(&body.Payload, int(length)) || !s.Empty() || notAfter > maxUnix {
		return SubmissionBody{}, wire.ErrMalformed
	}
	body.URI = string(uri)
	body.NotAfter = time.Unix(int64(notAfter), 0).UTC()
	body.Jitter = time.Duration(jitter) * time.Millisecond
	return body, nil
}
