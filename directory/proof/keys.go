package proof

import (
	"crypto/ed25519"
	"crypto/sha256"

	"communicator/wire"
)

// Key is an Ed25519 public key. Zeros stand for none.
type Key [keySize]byte

// KeyOf returns the key of a public or private Ed25519 key's public half.
func KeyOf(public ed25519.PublicKey) Key { return Key(public) }

func publicOf(private ed25519.PrivateKey) Key {
	return Key(private.Public().(ed25519.PublicKey))
}

func (k Key) verify(label wire.Label, body, signature []byte) bool {
	return k.signed(labelled(label, body), signature)
}

// signed verifies a signature of a message that begins with its label.
func (k Key) signed(message, signature []byte) bool {
	return k != Key{} && ed25519.Verify(k[:], message, signature)
}

// Hash is a SHA-256 hash.
type Hash [sha256.Size]byte

func labelled(label wire.Label, body []byte) []byte {
	b := make([]byte, 0, len(label)+len(body))
	return append(append(b, label...), body...)
}

// RevocationID is where a key's vetoes and its revocation are kept, at directories and, as
// the secret of a record, in the overlay; and at directories its relations. Vetoes travel
// inside sessions, too: the namespace cannot keep them from anyone.
func RevocationID(key Key) Hash { return wire.Hash(wire.LabelRevoke, key[:]) }

// RevokeCommitment is what a statement that binds a key says about the revocation code
// that the key's owner has drawn and keeps apart from the key.
func RevokeCommitment(code [32]byte) Hash { return wire.Hash(wire.LabelRevokeCode, code[:]) }
