package logproof

import (
	"crypto/ed25519"
	"errors"

	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/mod/sumdb/tlog"
)

const proofLayout = 1

// ErrProof: the proof is well formed and does not hold: another key's signature,
// or a header that is not under the signed head.
var ErrProof = errors.New("logproof: proof does not hold")

// Proof shows offline that an event is in a log: everything but the node's root
// key and, if it is to be shown too, the body.
type Proof struct {
	LogID     [32]byte
	Number    uint64 // the batch
	First     uint64 // the batch's first sequence
	Count     uint32 // events in the batch
	Prev      [32]byte
	Signature [ed25519.SignatureSize]byte
	Path      [][32]byte // sibling hashes, leaf to root
	Record    []byte     // the event's header, see [ParseRecord]
	Salt      []byte     // of the event's body, 32 bytes; nil if there is none any more
}

// Marshal encodes the proof. It panics on a proof with parts over their limits,
// which neither a log nor [ParseProof] makes.
func (p *Proof) Marshal() []byte {
	if len(p.Path) > MaxPath || len(p.Record) > MaxRecord || (p.Salt != nil && len(p.Salt) != SaltSize) {
		panic("logproof: proof over its limits")
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, proofFixed+32*len(p.Path)+len(p.Record)+len(p.Salt)))
	b.AddUint8(proofLayout)
	b.AddBytes(p.LogID[:])
	b.AddUint64(p.Number)
	b.AddUint64(p.First)
	b.AddUint32(p.Count)
	b.AddBytes(p.Prev[:])
	b.AddBytes(p.Signature[:])
	b.AddUint8(uint8(len(p.Path)))
	for i := range p.Path {
		b.AddBytes(p.Path[i][:])
	}
	b.AddUint16(uint16(len(p.Record)))
	b.AddBytes(p.Record)
	if p.Salt == nil {
		b.AddUint8(0)
	} else {
		b.AddUint8(1)
		b.AddBytes(p.Salt)
	}
	return b.BytesOrPanic()
}

// ParseProof reads an encoded proof without verifying it. What parses encodes
// back to the same bytes. Errors are those of [ParseRecord].
func ParseProof(enc []byte) (*Proof, error) {
	if len(enc) > MaxProof {
		return nil, wire.ErrTooLarge
	}
	s := cryptobyte.String(enc)
	var layout, n, salted uint8
	if !s.ReadUint8(&layout) {
		return nil, wire.ErrMalformed
	}
	if layout != proofLayout {
		return nil, wire.ErrVersion
	}
	p := new(Proof)
	if !s.CopyBytes(p.LogID[:]) || !s.ReadUint64(&p.Number) || !s.ReadUint64(&p.First) || !s.ReadUint32(&p.Count) ||
		!s.CopyBytes(p.Prev[:]) || !s.CopyBytes(p.Signature[:]) || !s.ReadUint8(&n) {
		return nil, wire.ErrMalformed
	}
	if n > MaxPath {
		return nil, wire.ErrTooLarge
	}
	p.Path = make([][32]byte, n)
	for i := range p.Path {
		if !s.CopyBytes(p.Path[i][:]) {
			return nil, wire.ErrMalformed
		}
	}
	var record cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&record) || !s.ReadUint8(&salted) || salted > 1 {
		return nil, wire.ErrMalformed
	}
	p.Record = append([]byte(nil), record...)
	if salted == 1 && !s.ReadBytes(&p.Salt, SaltSize) || !s.Empty() {
		return nil, wire.ErrMalformed
	}
	p.Salt = append([]byte(nil), p.Salt...)
	_, err := ParseRecord(p.Record)
	return p, err
}

// VerifyProof checks the proof under a node's root key and returns the header it
// shows. It never reads the body: see [Record.MatchesBody]. The record's slices
// alias the proof's.
func VerifyProof(pub ed25519.PublicKey, p *Proof) (Record, error) {
	r, err := ParseRecord(p.Record)
	if err != nil {
		return Record{}, err
	}
	if p.Number == 0 || r.Seq < p.First || r.Seq-p.First >= uint64(p.Count) || len(p.Path) > MaxPath {
		return Record{}, ErrProof
	}
	root, err := rootOf(p.Path, uint64(p.Count), r.Seq-p.First, HashRecord(p.Record))
	if err != nil {
		return Record{}, err
	}
	head := Head{
		LogID: p.LogID, Number: p.Number, Root: root, First: p.First, Count: p.Count,
		Prev: p.Prev, Signature: p.Signature,
	}
	if !head.Verify(pub) {
		return Record{}, ErrProof
	}
	return r, nil
}

// rootOf follows an RFC 6962 audit path from the leaf at index in a tree of size
// leaves (RFC 9162, section 2.1.3.2). size > index.
func rootOf(path [][32]byte, size, index uint64, leaf [32]byte) ([32]byte, error) {
	at, last := index, size-1
	sum := tlog.Hash(leaf)
	for _, sibling := range path {
		if last == 0 {
			return leaf, ErrProof // longer than the tree is high
		}
		if at&1 == 1 || at == last {
			sum = tlog.NodeHash(sibling, sum)
			for at&1 == 0 && at != 0 { // levels at which the last node has no sibling
				at >>= 1
				last >>= 1
			}
		} else {
			sum = tlog.NodeHash(sum, sibling)
		}
		at >>= 1
		last >>= 1
	}
	if last != 0 {
		return leaf, ErrProof
	}
	return sum, nil
}
