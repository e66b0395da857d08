package particle

import (
	"crypto/hpke"
	"crypto/sha256"
	"io"

	"crypto/hkdf"

	"communicator/wire"
)

// KEMPublic is an X-Wing public key: ML-KEM-768 encapsulation key 1184 ‖ X25519 32
// (draft-connolly-cfrg-xwing-kem; draft-ietf-hpke-pq calls it MLKEM768-X25519).
type KEMPublic [KEMPublicSize]byte

// KEMPrivate is an X-Wing private key, kept as its 32-byte seed.
type KEMPrivate struct {
	_    notComparable
	seed [keySize]byte
}

func newKEMPrivate(random io.Reader) (*KEMPrivate, *KEMPublic, error) {
	seed, err := draw(random, keySize)
	if err != nil {
		return nil, nil, err
	}
	k := &KEMPrivate{seed: [keySize]byte(seed)}
	pub, err := k.public()
	return k, pub, err
}

// Equal compares in constant time.
func (k *KEMPrivate) Equal(o *KEMPrivate) bool { return equal(k.seed[:], o.seed[:]) }

// public computes the public key; it costs a key generation.
func (k *KEMPrivate) public() (*KEMPublic, error) {
	priv, err := hpke.MLKEM768X25519().NewPrivateKey(k.seed[:])
	if err != nil {
		return nil, ErrBadKey
	}
	pub := KEMPublic(priv.PublicKey().Bytes())
	return &pub, nil
}

// check says whether the key can be encapsulated to.
func (p *KEMPublic) check() error {
	if _, err := hpke.MLKEM768X25519().NewPublicKey(p[:]); err != nil {
		return ErrBadKey
	}
	return nil
}

// encapsulate makes a shared secret of 32 bytes for the key's owner. Export-only HPKE
// in base mode (RFC 9180, section 5.3) is the KEM: info separates the uses.
func (p *KEMPublic) encapsulate(info []byte) (enc, ss []byte, err error) {
	pub, err := hpke.MLKEM768X25519().NewPublicKey(p[:])
	if err != nil {
		return nil, nil, ErrBadKey
	}
	enc, ctx, err := hpke.NewSender(pub, hpke.HKDFSHA256(), hpke.ExportOnly(), info)
	if err != nil {
		return nil, nil, ErrBadKey
	}
	ss, err = ctx.Export(string(labelShared), keySize)
	return enc, ss, err
}

// decapsulate recovers the shared secret. ML-KEM answers a wrong encapsulation with a
// random secret; only one of the wrong size or of low order is an error.
func (k *KEMPrivate) decapsulate(enc, info []byte) ([]byte, error) {
	priv, err := hpke.MLKEM768X25519().NewPrivateKey(k.seed[:])
	if err != nil {
		return nil, ErrBadKey
	}
	ctx, err := hpke.NewRecipient(enc, priv, hpke.HKDFSHA256(), hpke.ExportOnly(), info)
	if err != nil {
		return nil, ErrBadKey
	}
	return ctx.Export(string(labelShared), keySize)
}

// extract and expand are HKDF over SHA-256 (RFC 5869). They fail only on sizes that no
// caller here asks for.
func extract(salt, secret []byte) []byte {
	prk, err := hkdf.Extract(sha256.New, secret, salt)
	if err != nil {
		panic("particle: HKDF extract: " + err.Error())
	}
	return prk
}

func expand(prk []byte, label wire.Label, info []byte, n int) []byte {
	out, err := hkdf.Expand(sha256.New, prk, string(label)+string(info), n)
	if err != nil {
		panic("particle: HKDF expand: " + err.Error())
	}
	return out
}
