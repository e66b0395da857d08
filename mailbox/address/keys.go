package address

import (
	"crypto/hpke"
	"crypto/subtle"
	"fmt"

	"communicator/wire"
)

// SealPublic is a receiving agent's sealing key of one epoch.
type SealPublic struct {
	key hpke.PublicKey
	enc []byte
	id  wire.KeyID
}

// SealPrivate opens what was sealed to its public key. It prints as nothing.
type SealPrivate struct {
	key hpke.PrivateKey
	enc []byte // the public key
	id  wire.KeyID
}

// GenerateSealKey makes a key pair from the system's randomness.
func GenerateSealKey() (*SealPrivate, error) {
	key, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return nil, err
	}
	return newSealPrivate(key)
}

// ParseSealPrivate reads the 32-byte seed of [SealPrivate.Marshal].
func ParseSealPrivate(seed []byte) (*SealPrivate, error) {
	if len(seed) != PrivateKeySize {
		return nil, fmt.Errorf("%w: a seed of %d bytes", ErrKey, len(seed))
	}
	key, err := hpke.MLKEM768X25519().NewPrivateKey(seed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return newSealPrivate(key)
}

func newSealPrivate(key hpke.PrivateKey) (*SealPrivate, error) {
	enc := key.PublicKey().Bytes()
	return &SealPrivate{key, enc, wire.KeyIDOf(enc)}, nil
}

// Marshal returns the 32-byte seed.
func (k *SealPrivate) Marshal() ([]byte, error) { return k.key.Bytes() }

// Public returns the other half. It is not kept in the form in which it is used, which
// takes 10 KiB.
func (k *SealPrivate) Public() SealPublic { return SealPublic{k.key.PublicKey(), k.enc, k.id} }

// KeyID names the key within its agent.
func (k *SealPrivate) KeyID() wire.KeyID { return k.id }

// String keeps the key out of logs.
func (*SealPrivate) String() string { return "address.SealPrivate" }

// GoString keeps the key out of %#v.
func (*SealPrivate) GoString() string { return "address.SealPrivate" }

// ParseSealPublic reads the 1,216 bytes of [SealPublic.Marshal], as a service
// descriptor carries them.
func ParseSealPublic(b []byte) (SealPublic, error) {
	if len(b) != PublicKeySize {
		return SealPublic{}, fmt.Errorf("%w: %d bytes", ErrKey, len(b))
	}
	key, err := hpke.MLKEM768X25519().NewPublicKey(b)
	if err != nil {
		return SealPublic{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	enc := key.Bytes()
	return SealPublic{key, enc, wire.KeyIDOf(enc)}, nil
}

// Marshal returns the 1,216-byte public key.
func (p SealPublic) Marshal() []byte { return append([]byte(nil), p.enc...) }

// KeyID names the key within its agent.
func (p SealPublic) KeyID() wire.KeyID { return p.id }

// Equal says whether both are the same key.
func (p SealPublic) Equal(q SealPublic) bool { return subtle.ConstantTimeCompare(p.enc, q.enc) == 1 }
