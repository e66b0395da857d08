package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"time"

	"communicator/wire"
)

// RelationKind is what two identities are to each other.
type RelationKind uint8

// Kinds of relation.
const (
	// Succession: B follows A. The conversation goes on, trust is the union of both.
	Succession RelationKind = 1
	// Equivalence: A and B are the same person. A new thread, which inherits trust.
	Equivalence RelationKind = 2
)

// Party is one identity of a relation.
type Party struct {
	Identity Hash // [IdDoc.Hash]
	Key      Key  // [IdDoc.Key]
}

// PartyOf returns the party that an identity document stands for.
func PartyOf(d IdDoc) Party { return Party{Identity: d.Hash(), Key: d.Key()} }

// Relation is a statement of two identities about themselves, signed by both keys:
//
//	u8 version (1) ‖ u8 kind ‖ A's identity 32 ‖ A's key 32 ‖ B's identity 32 ‖ B's key 32 ‖
//	u64 issued ‖ signature of A 64 ‖ signature of B 64 over "comm/1/relation" ‖ all before
//
// Of an equivalence, A is the one whose key is lower.
type Relation struct {
	Kind       RelationKind
	A, B       Party
	Issued     time.Time // whole seconds
	SigA, SigB Signature
}

// Follows makes the unsigned statement that b follows a.
func Follows(a, b IdDoc, issued time.Time) Relation {
	return Relation{Kind: Succession, A: PartyOf(a), B: PartyOf(b), Issued: issued}
}

// Equivalent makes the unsigned statement that a and b are the same person.
func Equivalent(a, b IdDoc, issued time.Time) Relation {
	r := Relation{Kind: Equivalence, A: PartyOf(a), B: PartyOf(b), Issued: issued}
	if compareKeys(r.A.Key, r.B.Key) > 0 {
		r.A, r.B = r.B, r.A
	}
	return r
}

func (r Relation) body() []byte {
	var w writer
	w.u8(layoutVersion)
	w.u8(uint8(r.Kind))
	for _, p := range []Party{r.A, r.B} {
		w.raw(p.Identity[:])
		w.raw(p.Key[:])
	}
	w.time(r.Issued)
	return w.b
}

func (r Relation) validate() error {
	switch {
	case r.Kind != Succession && r.Kind != Equivalence:
		return wire.ErrVersion
	case r.A.Key == r.B.Key || r.A.Identity == r.B.Identity || r.Kind == Equivalence && compareKeys(r.A.Key, r.B.Key) > 0:
		return fmt.Errorf("%w: parties", wire.ErrMalformed)
	case !wholeSeconds(r.Issued):
		return fmt.Errorf("%w: time", wire.ErrMalformed)
	}
	return nil
}

// ID names what the relation says, whatever its signatures: SHA-256 of the bytes that are
// signed, without the label.
func (r Relation) ID() Hash { return sha256.Sum256(r.body()) }

// Names is whether an identity is one of the two.
func (r Relation) Names(p Party) bool { return r.A == p || r.B == p }

// AddSignature adds one signature, made elsewhere over [Relation.Message].
// Errors: [ErrSigner], [ErrSignature], and those of the fields.
func (r *Relation) AddSignature(key Key, signature Signature) error {
	message, err := r.Message()
	if err != nil {
		return err
	}
	if !key.signed(message, signature[:]) {
		return ErrSignature
	}
	return r.put(key, signature)
}

// put sets the signature of one of the two keys.
func (r *Relation) put(key Key, signature Signature) error {
	switch key {
	case r.A.Key:
		r.SigA = signature
	case r.B.Key:
		r.SigB = signature
	default:
		return ErrSigner
	}
	return nil
}

// Message is what both keys sign.
func (r Relation) Message() ([]byte, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	return labelled(wire.LabelRelation, r.body()), nil
}

// Sign adds the signatures of these keys. Errors: [ErrSigner], and those of the fields.
func (r *Relation) Sign(keys ...ed25519.PrivateKey) error {
	message, err := r.Message()
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := r.put(publicOf(key), Signature(ed25519.Sign(key, message))); err != nil {
			return err
		}
	}
	return nil
}

// Verify checks both signatures. Errors: [ErrSignature], and those of the fields.
func (r Relation) Verify() error {
	if err := r.validate(); err != nil {
		return err
	}
	body := r.body()
	if !r.A.Key.verify(wire.LabelRelation, body, r.SigA[:]) || !r.B.Key.verify(wire.LabelRelation, body, r.SigB[:]) {
		return ErrSignature
	}
	return nil
}

// Marshal encodes the relation, with zeros for a signature that is missing.
func (r Relation) Marshal() ([]byte, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{r.body(), r.SigA[:], r.SigB[:]}, nil), nil
}

// ParseRelation decodes a relation; [Relation.Verify] checks its signatures.
// Errors: wire.ErrMalformed, wire.ErrTooLarge, wire.ErrVersion.
func ParseRelation(b []byte) (Relation, error) {
	if len(b) > MaxRelation {
		return Relation{}, wire.ErrTooLarge
	}
	r := reader{s: b}
	r.version()
	rel := Relation{Kind: RelationKind(r.u8()), A: r.party(), B: r.party(), Issued: r.time(),
		SigA: r.signature(), SigB: r.signature()}
	if err := r.end(); err != nil {
		return Relation{}, err
	}
	if err := rel.validate(); err != nil {
		return Relation{}, err
	}
	return rel, nil
}

func (r *reader) party() Party { return Party{Identity: r.hash(), Key: r.hash()} }
