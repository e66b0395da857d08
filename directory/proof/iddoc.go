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
	if len(b) != MaxIdentity {
		return IdDoc{}, wire.ErrMalformed
	}
	d := IdDoc(b)
	if d[0] != idDocSuite {
		return IdDoc{}, wire.ErrVersion
	}
	if !d.Key().verify(wire.LabelIdDoc, d[:idDocSigned], d[idDocSigned:]) {
		return IdDoc{}, ErrSignature
	}
	return d, nil
}

// Key returns the Ed25519 key, which signs statements.
func (d IdDoc) Key() Key { return Key(d[1 : 1+keySize]) }

// Hash is how statements cite the document: H("comm/1/identity" ‖ document).
func (d IdDoc) Hash() Hash { return wire.Hash(wire.LabelIdentity, d[:]) }
