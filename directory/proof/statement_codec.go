package proof

import (
	"fmt"

	"communicator/wire"
)

// body encodes what is signed. The subject is the identity's hash, the namespace of a
// delegation, or zeros.
//
//	u8 version (1) ‖ u8 kind ‖ namespace 32 ‖ u32 version of the name ‖ previous hash 32 ‖
//	u64 issued ‖ u64 not before ‖ subject 32 ‖ key 32 ‖ replaced key 32 ‖ revocation 32 ‖
//	u8 length ≤ 63 ‖ name ‖ u8 signers ‖
//	attesting key 32, if signers has bit 2 ‖
//	u8 count ≤ 5 ‖ count × root key 32, if signers has bit 3
func (s Statement) body() []byte { return s.encode("", 0) }

// fixedBody is the length of a body without name, attesting key and roots.
const fixedBody = 1 + 1 + 4 + 8 + 8 + 1 + 1 + 7*hashSize

// encode writes a body behind a label, with room for so many signatures after it.
func (s Statement) encode(label wire.Label, signatures int) []byte {
	size := len(label) + fixedBody + len(s.Name) + keySize + 1 + len(s.Roots)*keySize + signatures*signatureSize
	w := writer{append(make([]byte, 0, size), label...)}
	w.u8(layoutVersion)
	w.u8(uint8(s.Kind))
	w.raw(s.NS[:])
	w.u32(s.Version)
	w.raw(s.Prev[:])
	w.time(s.Issued)
	w.time(s.NotBefore)
	if s.Kind == Delegate {
		w.raw(s.Delegate[:])
	} else {
		w.raw(s.Identity[:])
	}
	w.raw(s.Key[:])
	w.raw(s.Replaced[:])
	w.raw(s.Revocation[:])
	w.var8([]byte(s.Name))
	w.u8(uint8(s.Signers))
	if s.Signers&ByAttesting != 0 {
		w.raw(s.Attesting[:])
	}
	if s.Signers&ByRoots != 0 {
		w.u8(uint8(len(s.Roots)))
		for _, k := range s.Roots {
			w.raw(k[:])
		}
	}
	return w.b
}

func readStatement(r *reader) (s Statement) {
	r.version()
	s.Kind, s.NS, s.Version, s.Prev = Kind(r.u8()), r.hash(), r.u32(), r.hash()
	s.Issued, s.NotBefore = r.time(), r.time()
	if s.Kind == Delegate {
		s.Delegate = r.hash()
	} else {
		s.Identity = r.hash()
	}
	s.Key, s.Replaced, s.Revocation = r.hash(), r.hash(), r.hash()
	s.Name = Name(r.var8(MaxName))
	s.Signers = Signers(r.u8())
	if s.Signers >= signersKnown {
		r.fail(fmt.Errorf("%w: signers", wire.ErrVersion))
	}
	if s.Signers&ByAttesting != 0 {
		s.Attesting = r.hash()
	}
	if s.Signers&ByRoots != 0 {
		for range r.count(MaxRoots) {
			s.Roots = append(s.Roots, r.hash())
		}
	}
	return s
}

// Marshal encodes a complete statement: body ‖ signatures 64 each, in the order of
// [Statement.Keys]. Errors: those of the fields, [ErrSignature] if one is missing.
func (s Statement) Marshal() ([]byte, error) {
	if len(s.Missing()) != 0 {
		return nil, ErrSignature
	}
	return s.MarshalDraft()
}

// MarshalDraft encodes a statement some of whose signatures may still be missing; they
// stand as zeros.
func (s Statement) MarshalDraft() ([]byte, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	return s.marshal(), nil
}

func (s Statement) marshal() []byte {
	keys := s.Keys()
	w := writer{s.encode("", len(keys))}
	for i := range keys {
		var signature Signature
		if i < len(s.Signatures) {
			signature = s.Signatures[i]
		}
		w.raw(signature[:])
	}
	return w.b
}

// ParseStatement decodes a complete statement. It checks the layout and that kind,
// signers and fields go together; [Statement.Verify] checks signatures and rights.
// Errors: wire.ErrMalformed, wire.ErrTooLarge, wire.ErrVersion, [ErrKind], [ErrName],
// [ErrSignature] if a signature is missing.
func ParseStatement(b []byte) (Statement, error) {
	s, err := ParseDraft(b)
	if err != nil {
		return Statement{}, err
	}
	if len(s.Missing()) != 0 {
		return Statement{}, ErrSignature
	}
	return s, nil
}

// ParseDraft is [ParseStatement] for a statement on its way from one signer to the
// next. The signatures that are there are not verified.
func ParseDraft(b []byte) (Statement, error) {
	if len(b) > MaxStatement {
		return Statement{}, wire.ErrTooLarge
	}
	r := reader{s: b}
	s := readStatement(&r)
	if r.err == nil {
		s.Signatures = make([]Signature, len(s.Keys()))
		for i := range s.Signatures {
			s.Signatures[i] = r.signature()
		}
	}
	if err := r.end(); err != nil {
		return Statement{}, err
	}
	if err := s.validate(); err != nil {
		return Statement{}, err
	}
	return s, nil
}

// Hash identifies a statement: H("comm/1/statement-hash" ‖ body). It leaves the
// signatures out, since a signer can make several for one body; who has to sign is in
// the body.
func (s Statement) Hash() Hash { return wire.Hash(wire.LabelStatementHash, s.body()) }
