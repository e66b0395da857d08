package particle

import (
	"io"

	"communicator/wire"
)

// Every attempt to deliver wraps the message again, so that the same message at two
// agents, or twice at one, shows no common bytes:
//
//	payload = nonce 24 ‖ XChaCha20-Poly1305(key, nonce, ciphertext, AD = label)
//
// A wrap hides nothing from the peer and proves nothing; the session inside does. The
// key is the relationship's, Expand(SK, "comm/1/wrap" ‖ sid, 32) of the handshake that
// began the relationship, and stays the same when the session is re-established. What
// goes to a contact mailbox is wrapped under a key of its package instead, since B does
// not know A yet: Expand(Extract(salt = label, package), label, 32).

// Wrap returns the payload of one attempt, [wire.WrapOverhead] bytes longer than the
// ciphertext.
func (k WrapKey) Wrap(random io.Reader, ciphertext []byte) ([]byte, error) {
	nonce, err := draw(random, headerNonceSize)
	if err != nil {
		return nil, err
	}
	payload := make([]byte, headerNonceSize, len(ciphertext)+wire.WrapOverhead)
	copy(payload, nonce)
	return xchacha(k.b[:]).Seal(payload, nonce, ciphertext, []byte(labelWrap)), nil
}

// Unwrap returns the ciphertext, or [ErrUndecryptable].
func (k WrapKey) Unwrap(payload []byte) ([]byte, error) {
	if len(payload) < wire.WrapOverhead || len(payload) > wire.MaxPayload {
		return nil, ErrMalformed
	}
	nonce, sealed := payload[:headerNonceSize], payload[headerNonceSize:]
	ciphertext, err := xchacha(k.b[:]).Open(nil, nonce, sealed, []byte(labelWrap))
	if err != nil {
		return nil, ErrUndecryptable
	}
	return ciphertext, nil
}

// ContactWrapKey is the wrap key of a package's contact mailbox.
func (p KeyPackage) ContactWrapKey() *WrapKey {
	return newKey[WrapKey](expand(extract([]byte(labelContactWrap), p.raw), labelContactWrap, nil, keySize))
}

// DeliveryID identifies a ciphertext, however often and however wrapped it arrives:
// H(label ‖ ciphertext). The receiver keeps it for 45 days.
type DeliveryID [32]byte

// DeliveryIDOf computes it.
func DeliveryIDOf(ciphertext []byte) DeliveryID { return wire.Hash(labelDelivery, ciphertext) }
