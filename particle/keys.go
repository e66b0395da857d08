package particle

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
)

// A type for every kind of key, so that none passes for another. Private and
// symmetric ones cannot be compared with ==, only with Equal in constant time, and an
// absent one is a nil pointer, never zeros.

// Sizes of keys in bytes.
const (
	keySize       = 32 // symmetric keys, seeds, X25519 and Ed25519 keys
	signatureSize = ed25519.SignatureSize
	// KEMPublicSize and EncapsulationSize are X-Wing's: ML-KEM-768 and X25519 together.
	KEMPublicSize     = 1184 + 32
	EncapsulationSize = 1088 + 32
)

// notComparable makes == on a struct that embeds it a compile error.
type notComparable [0]func()

// secret is 32 bytes of symmetric key; the kinds below embed it.
type secret struct {
	_ notComparable
	b [keySize]byte
}

func (s *secret) bytes() []byte { return s.b[:] }

type (
	rootKey    struct{ secret } // RK
	chainKey   struct{ secret } // CK
	headerKey  struct{ secret } // HK, NHK
	messageKey struct{ secret } // mk
	sharedKey  struct{ secret } // SK, what a handshake ends in
	// WrapKey wraps ciphertexts for transport; see [Wrap].
	WrapKey struct{ secret }
)

// newKey makes a key of kind K of 32 bytes.
func newKey[K interface{ ~struct{ secret } }](b []byte) *K {
	k := K(struct{ secret }{secret{b: [keySize]byte(b)}})
	return &k
}

// Equal compares in constant time.
func (k WrapKey) Equal(o WrapKey) bool { return equal(k.b[:], o.b[:]) }

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// DHPublic is an X25519 public key.
type DHPublic [keySize]byte

// DHPrivate is an X25519 private key.
type DHPrivate struct {
	_ notComparable
	k *ecdh.PrivateKey
}

func newDHPrivate(random io.Reader) (*DHPrivate, error) {
	seed, err := draw(random, keySize)
	if err != nil {
		return nil, err
	}
	return dhFromSeed(seed)
}

func dhFromSeed(seed []byte) (*DHPrivate, error) {
	k, err := ecdh.X25519().NewPrivateKey(seed)
	if err != nil {
		return nil, ErrBadKey
	}
	return &DHPrivate{k: k}, nil
}

// Public returns the public key.
func (d *DHPrivate) Public() DHPublic { return DHPublic(d.k.PublicKey().Bytes()) }

// Equal compares in constant time.
func (d *DHPrivate) Equal(o *DHPrivate) bool { return equal(d.k.Bytes(), o.k.Bytes()) }

// shared returns DH(d, pub), and ErrBadKey for a result of zeros, which every point of
// low order gives (RFC 7748, section 6.1).
func (d *DHPrivate) shared(pub DHPublic) ([]byte, error) {
	p, err := ecdh.X25519().NewPublicKey(pub[:])
	if err != nil {
		return nil, ErrBadKey
	}
	ss, err := d.k.ECDH(p)
	if err != nil {
		return nil, ErrBadKey
	}
	return ss, nil
}

// SigningPublic is an Ed25519 public key.
type SigningPublic [ed25519.PublicKeySize]byte

// SigningPrivate is an Ed25519 private key.
type SigningPrivate struct {
	_ notComparable
	k ed25519.PrivateKey
}

func signingFromSeed(seed []byte) *SigningPrivate {
	return &SigningPrivate{k: ed25519.NewKeyFromSeed(seed)}
}

// Public returns the public key.
func (s *SigningPrivate) Public() SigningPublic {
	return SigningPublic(s.k.Public().(ed25519.PublicKey))
}

func (s *SigningPrivate) sign(message []byte) []byte { return ed25519.Sign(s.k, message) }

func (p SigningPublic) verify(message, signature []byte) error {
	if !ed25519.Verify(p[:], message, signature) {
		return ErrSignature
	}
	return nil
}

// draw reads n random bytes; a nil reader is the system's.
func draw(random io.Reader, n int) ([]byte, error) {
	if random == nil {
		random = rand.Reader
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("particle: reading randomness: %w", err)
	}
	return b, nil
}
