package logproof

import (
	"crypto/sha256"
	"time"

	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	labelEvent wire.Label = "comm/1/event"
	labelBody  wire.Label = "comm/1/event-body"

	recordLayout = 1
)

// Kind names an event's kind. Each kind is defined in the package whose fact it
// is; log and proof never interpret one.
type Kind uint16

// Record is an event's header.
type Record struct {
	Seq      uint64    // 1 for the first event, without gaps
	Time     time.Time // of the append, rounded down to [TimeGrain]
	Kind     Kind
	Version  uint8
	Stream   []byte
	Header   []byte
	BodyLen  uint32
	BodyHash [32]byte // salted, see [HashBody]; zeros if there was no body
	Prev     [32]byte // record hash of the header before it
}

// AppendRecord appends the canonical encoding of r to dst. It returns
// [wire.ErrTooLarge] for a part over its limit and [wire.ErrMalformed] for a
// value that has no encoding (a time off the grain, a hash without a body).
func AppendRecord(dst []byte, r *Record) ([]byte, error) {
	if len(r.Stream) > MaxStream || len(r.Header) > MaxHeader {
		return nil, wire.ErrTooLarge
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	b := cryptobyte.NewBuilder(dst)
	b.AddBytes([]byte(labelEvent))
	b.AddUint8(recordLayout)
	b.AddUint64(r.Seq)
	b.AddUint64(uint64(r.Time.Unix()))
	b.AddUint16(uint16(r.Kind))
	b.AddUint8(r.Version)
	b.AddUint8(uint8(len(r.Stream)))
	b.AddBytes(r.Stream)
	b.AddUint16(uint16(len(r.Header)))
	b.AddBytes(r.Header)
	b.AddUint32(r.BodyLen)
	b.AddBytes(r.BodyHash[:])
	b.AddBytes(r.Prev[:])
	return b.Bytes()
}

// check holds for every record, made or parsed.
func (r *Record) check() error {
	sec := r.Time.Unix()
	switch {
	case r.Seq == 0,
		sec < 0 || sec > maxTime || sec%int64(TimeGrain/time.Second) != 0,
		r.BodyLen == 0 && r.BodyHash != [32]byte{},
		r.Seq == 1 && r.Prev != [32]byte{}:
		return wire.ErrMalformed
	}
	return nil
}

// ParseRecord reads a header encoding. Stream and Header alias enc. An unknown
// layout is [wire.ErrVersion], anything else that is wrong [wire.ErrMalformed] or
// [wire.ErrTooLarge].
func ParseRecord(enc []byte) (Record, error) {
	if len(enc) > MaxRecord {
		return Record{}, wire.ErrTooLarge
	}
	s := cryptobyte.String(enc)
	var label, stream, header, hash, prev []byte
	var layout uint8
	if !s.ReadBytes(&label, len(labelEvent)) || string(label) != string(labelEvent) || !s.ReadUint8(&layout) {
		return Record{}, wire.ErrMalformed
	}
	if layout != recordLayout {
		return Record{}, wire.ErrVersion
	}
	var r Record
	var sec uint64
	var kind uint16
	if !s.ReadUint64(&r.Seq) || !s.ReadUint64(&sec) || !s.ReadUint16(&kind) || !s.ReadUint8(&r.Version) ||
		!s.ReadUint8LengthPrefixed((*cryptobyte.String)(&stream)) ||
		!s.ReadUint16LengthPrefixed((*cryptobyte.String)(&header)) ||
		!s.ReadUint32(&r.BodyLen) || !s.ReadBytes(&hash, 32) || !s.ReadBytes(&prev, 32) || !s.Empty() {
		return Record{}, wire.ErrMalformed
	}
	if len(stream) > MaxStream || len(header) > MaxHeader {
		return Record{}, wire.ErrTooLarge
	}
	if sec > maxTime {
		return Record{}, wire.ErrMalformed
	}
	r.Time = time.Unix(int64(sec), 0).UTC()
	r.Kind = Kind(kind)
	r.Stream, r.Header = stream, header
	r.BodyHash, r.Prev = [32]byte(hash), [32]byte(prev)
	return r, r.check()
}

// HashRecord is the record hash of a header encoding: RFC 6962, section 2.1.
func HashRecord(enc []byte) [32]byte { return tlog.RecordHash(enc) }

// HashBody is the salted hash that a header keeps of its body.
func HashBody(salt *[SaltSize]byte, body []byte) [32]byte {
	digest := sha256.Sum256(body)
	return SaltDigest(salt, &digest)
}

// SaltDigest is [HashBody] for a caller that has SHA-256(body) already.
func SaltDigest(salt *[SaltSize]byte, digest *[32]byte) [32]byte {
	var buf [len(labelBody) + SaltSize + 32]byte
	n := copy(buf[:], labelBody)
	n += copy(buf[n:], salt[:])
	copy(buf[n:], digest[:])
	return sha256.Sum256(buf[:])
}

// MatchesBody says whether body and salt are what the header was made with.
func (r *Record) MatchesBody(salt *[SaltSize]byte, body []byte) bool {
	return uint64(r.BodyLen) == uint64(len(body)) && r.BodyLen > 0 && HashBody(salt, body) == r.BodyHash
}
