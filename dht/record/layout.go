package record

import (
	"encoding/binary"
	"time"

	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
)

// Header is what a storing node reads of a record.
type Header struct {
	Blind BlindKey
	// Version is the statement's, Refresh counts records of one version, as when
	// newer proofs are put beside it. Together they are the sequence.
	Version, Refresh    uint32
	NotBefore, NotAfter time.Time // whole seconds
}

// Sequence orders the records under one key.
func (h Header) Sequence() uint64 { return uint64(h.Version)<<32 | uint64(h.Refresh) }

// Record is a parsed attestation record. Nothing of it has been checked.
type Record struct {
	Header
	Stamp     uint64
	Nonce     [nonceSize]byte
	Box       []byte // ciphertext and tag
	Signature [signatureSize]byte
}

func (h Header) append(b []byte) []byte {
	b = append(b, h.Blind[:]...)
	b = binary.BigEndian.AppendUint64(b, h.Sequence())
	b = binary.BigEndian.AppendUint64(b, uint64(h.NotBefore.Unix()))
	return binary.BigEndian.AppendUint64(b, uint64(h.NotAfter.Unix()))
}

// unsigned encodes the record up to its signature.
func (r Record) unsigned() []byte {
	b := make([]byte, 0, boxOffset+len(r.Box)+signatureSize)
	b = r.append(b)
	b = binary.BigEndian.AppendUint64(b, r.Stamp)
	b = append(b, r.Nonce[:]...)
	return append(b, r.Box...)
}

// Marshal encodes the record.
func (r Record) Marshal() []byte { return append(r.unsigned(), r.Signature[:]...) }

func (r Record) message() []byte { return append([]byte(wire.LabelDHTRecord), r.unsigned()...) }

// Parse reads the layout of an attestation record. What parses encodes back to the
// same bytes; nothing else has been checked. Errors: wire.ErrTooLarge,
// wire.ErrMalformed.
func Parse(b []byte) (Record, error) {
	var r Record
	if len(b) > MaxSize {
		return r, wire.ErrTooLarge
	}
	plain := len(b) - overhead
	if plain != buckets[0] && plain != buckets[1] && plain != buckets[2] {
		return r, wire.ErrMalformed
	}
	var sequence, notBefore, notAfter uint64
	s := cryptobyte.String(b)
	r.Box = make([]byte, plain+tagSize)
	if !s.CopyBytes(r.Blind[:]) || !s.ReadUint64(&sequence) || !s.ReadUint64(&notBefore) ||
		!s.ReadUint64(&notAfter) || !s.ReadUint64(&r.Stamp) || !s.CopyBytes(r.Nonce[:]) ||
		!s.CopyBytes(r.Box) || !s.CopyBytes(r.Signature[:]) || !s.Empty() {
		return r, wire.ErrMalformed
	}
	if notBefore > maxUnix || notAfter > maxUnix {
		return r, wire.ErrMalformed
	}
	r.Version, r.Refresh = uint32(sequence>>32), uint32(sequence)
	r.NotBefore, r.NotAfter = time.Unix(int64(notBefore), 0).UTC(), time.Unix(int64(notAfter), 0).UTC()
	return r, nil
}
