package client

import (
	"crypto/ecdh"
	"crypto/hpke"

	"communicator/particle"
	"communicator/wire"
)

// A note with a request for contact passes through the directory, so it is sealed to
// the X25519 key that the name attests: HPKE base mode (RFC 9180), DHKEM(X25519),
// HKDF-SHA256, ChaCha20-Poly1305, info "comm/1/contact-note", no associated data;
// enc 32 ‖ ciphertext. An identity document has no post-quantum key: whoever stores the
// note may read it one day.
const labelContactNote wire.Label = "comm/1/contact-note"

const noteOverhead = 32 + 16

func sealNote(to particle.DHPublic, note []byte) ([]byte, error) {
	key, err := hpke.DHKEM(ecdh.X25519()).NewPublicKey(to[:])
	if err != nil {
		return nil, err
	}
	return hpke.Seal(key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(labelContactNote), note)
}

// openNote returns nil for what is no note of this kind.
func openNote(private, sealed []byte) []byte {
	if len(sealed) < noteOverhead {
		return nil
	}
	key, err := hpke.DHKEM(ecdh.X25519()).NewPrivateKey(private)
	if err != nil {
		return nil
	}
	note, err := hpke.Open(key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(labelContactNote), sealed)
	if err != nil {
		return nil
	}
	return note
}
