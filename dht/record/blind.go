package record

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"

	"communicator/wire"

	"filippo.io/edwards25519"
)

// BlindKey is A', the Ed25519 key under which the records of one name and one week are
// signed. Two of them cannot be told to belong together without the zone key and the
// name.
type BlindKey [keySize]byte

// CheckZoneKey returns [ErrZoneKey] unless the key is the canonical encoding of a point
// of the prime-order subgroup other than the identity. The blinding factor is reduced
// modulo the subgroup's order, so of a point outside it the part of small order would
// survive blinding, and with it up to three bits that are the same in every week.
func CheckZoneKey(zone ed25519.PublicKey) error {
	_, err := zonePoint(zone)
	return err
}

func zonePoint(zone ed25519.PublicKey) (*edwards25519.Point, error) {
	p, err := new(edwards25519.Point).SetBytes(zone)
	if err != nil || !bytes.Equal(p.Bytes(), zone) {
		return nil, ErrZoneKey
	}
	// (L−1)·A = −A exactly when L·A is the identity.
	minusOne := new(edwards25519.Scalar).Negate(one())
	negated := new(edwards25519.Point).VarTimeDoubleScalarBaseMult(minusOne, p, edwards25519.NewScalar())
	if negated.Equal(new(edwards25519.Point).Negate(p)) != 1 || p.Equal(edwards25519.NewIdentityPoint()) == 1 {
		return nil, ErrZoneKey
	}
	return p, nil
}

func one() *edwards25519.Scalar {
	var b [32]byte
	b[0] = 1
	s, err := edwards25519.NewScalar().SetCanonicalBytes(b[:])
	if err != nil {
		panic("record: one is a canonical scalar: " + err.Error())
	}
	return s
}

// Blind derives the key under which the name's records of the epoch are found. It
// returns [ErrZoneKey] for a zone key that [CheckZoneKey] refuses.
func Blind(zone ed25519.PublicKey, s NameSecret, e wire.Epoch) (BlindKey, error) {
	p, err := zonePoint(zone)
	if err != nil {
		return BlindKey{}, err
	}
	_, f := factor(zone, s, e)
	return BlindKey(new(edwards25519.Point).ScalarMult(f, p).Bytes()), nil
}

// factor returns f as it is hashed and as a scalar modulo L. It is never zero: a
// clamped number is a multiple of 8 below 2^255, and 8·L is larger.
func factor(zone ed25519.PublicKey, s NameSecret, e wire.Epoch) ([32]byte, *edwards25519.Scalar) {
	h := sha512.New()
	h.Write([]byte(wire.LabelDHTBlind))
	h.Write(zone)
	h.Write(s[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(e)))
	f := [32]byte(h.Sum(nil)[:32])
	scalar := clamped(f[:]) // clamps a copy
	f[0] &= 248
	f[31] = f[31]&127 | 64
	return f, scalar
}

func clamped(b []byte) *edwards25519.Scalar {
	s, err := edwards25519.NewScalar().SetBytesWithClamping(b)
	if err != nil {
		panic("record: 32 bytes make a scalar: " + err.Error())
	}
	return s
}

// blindSigner signs under a blinded key as RFC 8032 does under an ordinary one. Its
// nonce prefix is its own: with the zone key's prefix, the same message under two
// blinded keys would get the same nonce, and the two signatures would give the zone
// key away.
type blindSigner struct {
	public BlindKey
	scalar *edwards25519.Scalar // f·a
	prefix [32]byte
}

func blindPrivate(zone ed25519.PrivateKey, s NameSecret, e wire.Epoch) (*blindSigner, error) {
	if len(zone) != ed25519.PrivateKeySize {
		return nil, ErrZoneKey
	}
	secret := sha512.Sum512(zone.Seed())
	a := clamped(secret[:32])
	public := new(edwards25519.Point).ScalarBaseMult(a).Bytes()
	if subtle.ConstantTimeCompare(public, zone[ed25519.SeedSize:]) != 1 {
		return nil, ErrZoneKey
	}
	f, scalar := factor(public, s, e)
	scalar.Multiply(scalar, a)
	return &blindSigner{
		public: BlindKey(new(edwards25519.Point).ScalarBaseMult(scalar).Bytes()),
		scalar: scalar,
		prefix: wire.Hash(wire.LabelDHTPrefix, secret[32:], f[:]),
	}, nil
}

func (b *blindSigner) sign(message []byte) []byte {
	r := hashScalar(b.prefix[:], message)
	commitment := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	k := hashScalar(commitment, b.public[:], message)
	response := edwards25519.NewScalar().MultiplyAdd(k, b.scalar, r)
	return append(commitment, response.Bytes()...)
}

func hashScalar(parts ...[]byte) *edwards25519.Scalar {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	s, err := edwards25519.NewScalar().SetUniformBytes(h.Sum(nil))
	if err != nil {
		panic("record: 64 bytes make a scalar: " + err.Error())
	}
	return s
}

// smallOrder says whether anybody could sign under the key.
func (k BlindKey) smallOrder() bool {
	p, err := new(edwards25519.Point).SetBytes(k[:])
	return err != nil || new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1
}
