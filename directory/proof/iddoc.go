package proof

import (
	"communicator/wire"
)

// IdDoc is an identity document, as docs/session.md has it:
//
//	u8 suite (1) ‖ Ed25519 32 ‖ X25519 32 ‖ Ed25519 signature 64 over label ‖ the 65 bytes before
//
// The zero value stands for none.
type IdDoc [MaxIdentity]byte

const (
	idDocSuite  = 1
	idDocSigned = 1 + 2*keySize
)

// ParseIdDoc checks the layout and the document's signature by itself.
// Errors: wire.ErrMalformed, wire.ErrVersion, [ErrSignature].
func ParseIdDoc(b []byte) (IdDoc, error) {
	d, err := readIdDoc(b)
	if err != nil {
		return IdDoc{}, err
	}
	if !d.Key().verify(wire.LabelIdDoc, d[:idDocSigned], d[idDocSigned:]) {
		return IdDoc{}, ErrSignature
	}
	return d, nil
}

// Document returns the identity document that a statement is about: its hash is the
// subject, its key the statement's. The document's own signature is not asked for. The
// same key signs the statement, and with it the hash of the whole document, so
// [Statement.Verify] shows all that the document's signature would; without it, neither
// document nor statement is to be believed. It saves a directory a quarter of the CPU
// time of a statement.
//
// Errors: wire.ErrMalformed, wire.ErrVersion, [ErrIdentity].
func (s Statement) Document(b []byte) (IdDoc, error) {
	d, err := readIdDoc(b)
	if err != nil {
		return IdDoc{}, err
	}
	if d.Hash() != s.Identity || d.Key() != s.Key || s.Signers&ByIdentity == 0 {
		return IdDoc{}, ErrIdentity
	}
	return d, nil
}

func readIdDoc(b []byte) (IdDoc, error) {
	if len(b) != MaxIdentity {
		return IdDoc{}, wire.ErrMalformed
	}
	if b[0] != idDocSuite {
		return IdDoc{}, wire.ErrVersion
	}
	return IdDoc(b), nil
}

// Key returns the Ed25519 key, which signs statements.
func (d IdDoc) Key() Key { return Key(d[1 : 1+keySize]) }

// Hash is how statements cite the document: H("comm/1/identity" ‖ document).
func (d IdDoc) Hash() Hash { return wire.Hash(wire.LabelIdentity, d[:]) }
