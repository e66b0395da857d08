package receipt

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"time"

	"communicator/wire"
	"communicator/wire/logproof"

	"golang.org/x/crypto/cryptobyte"
)

// Kind says which agent gave a receipt, and what for.
type Kind uint8

// Kinds.
const (
	Accepted Kind = 1 // by the sending agent: the submission is logged
	Stored   Kind = 2 // by the receiving agent: the delivery is logged
)

func (k Kind) String() string {
	switch k {
	case Accepted:
		return "accepted"
	case Stored:
		return "stored"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Kinds of the events that receipts show: a submission and a delivery.
const (
	EventAccepted logproof.Kind = wire.KindsRelay | 1
	EventStored   logproof.Kind = wire.KindsMailbox | 2
)

// event is the kind of event that a receipt of this kind shows; 0 for an unknown one.
func (k Kind) event() logproof.Kind {
	switch k {
	case Accepted:
		return EventAccepted
	case Stored:
		return EventStored
	}
	return 0
}

// Receipt is an agent's statement that an event is in its log.
type Receipt struct {
	Kind  Kind
	Root  ed25519.PublicKey // the agent's root key: who signed
	Proof *logproof.Proof
}

// Marshal encodes the receipt. Errors: wire.ErrTooLarge over wire.MaxReceipt (an event
// with a large header in a large batch), wire.ErrMalformed.
func (r Receipt) Marshal() ([]byte, error) {
	if r.Kind.event() == 0 || len(r.Root) != ed25519.PublicKeySize || r.Proof == nil {
		return nil, wire.ErrMalformed
	}
	proof := r.Proof.Marshal()
	if receiptFixed+len(proof) > wire.MaxReceipt {
		return nil, wire.ErrTooLarge
	}
	b := make([]byte, 0, receiptFixed+len(proof))
	b = append(b, Version, byte(r.Kind))
	b = append(b, r.Root...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(proof)))
	return append(b, proof...), nil
}

// Parse decodes exactly one receipt, and verifies nothing.
func Parse(b []byte) (Receipt, error) {
	if len(b) > wire.MaxReceipt {
		return Receipt{}, wire.ErrTooLarge
	}
	s := cryptobyte.String(b)
	var version, kind uint8
	if !s.ReadUint8(&version) {
		return Receipt{}, wire.ErrMalformed
	}
	if version != Version {
		return Receipt{}, wire.ErrVersion
	}
	root := make(ed25519.PublicKey, ed25519.PublicKeySize)
	var enc cryptobyte.String
	if !s.ReadUint8(&kind) || !s.CopyBytes(root) || !s.ReadUint16LengthPrefixed(&enc) || !s.Empty() {
		return Receipt{}, wire.ErrMalformed
	}
	if Kind(kind).event() == 0 {
		return Receipt{}, fmt.Errorf("%w: kind of receipt", wire.ErrVersion)
	}
	proof, err := logproof.ParseProof(enc)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{Kind: Kind(kind), Root: root, Proof: proof}, nil
}

// Statement is what a receipt shows.
type Statement struct {
	Agent wire.AgentID // who says it; the caller knows whether that is whom it meant
	Kind  Kind
	LogID [32]byte
	Seq   uint64    // of the event in the agent's log
	Time  time.Time // of the append, rounded down to a minute
	// Stream is what the event is about: for Accepted the hash of the submission's
	// handle, for Stored the mailbox.
	Stream []byte
	// BodyMatches is true where a body was given: the receipt is for that body.
	BodyMatches bool
}

// Verify checks a receipt offline, and that it was given for the body: the
// [SubmissionBody]'s bytes for Accepted, the payload for Stored. With a nil body it
// shows only what can be shown without.
//
// Errors: wire's for bytes that are no receipt, [ErrInvalid], [ErrKind], [ErrNoSalt],
// [ErrBody]. With [ErrBody] and [ErrNoSalt] the rest of the statement holds and is
// returned.
func Verify(receipt, body []byte) (Statement, error) {
	r, err := Parse(receipt)
	if err != nil {
		return Statement{}, err
	}
	record, err := logproof.VerifyProof(r.Root, r.Proof)
	if err != nil {
		return Statement{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if record.Kind != r.Kind.event() {
		return Statement{}, ErrKind
	}
	st := Statement{
		Agent: wire.AgentIDOf(r.Root), Kind: r.Kind, LogID: r.Proof.LogID,
		Seq: record.Seq, Time: record.Time, Stream: record.Stream,
	}
	if body == nil {
		return st, nil
	}
	if len(r.Proof.Salt) != logproof.SaltSize {
		return st, ErrNoSalt
	}
	if !record.MatchesBody((*[logproof.SaltSize]byte)(r.Proof.Salt), body) {
		return st, ErrBody
	}
	st.BodyMatches = true
	return st, nil
}
