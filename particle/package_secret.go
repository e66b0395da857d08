package particle

import (
	"time"

	"communicator/wire"
)

// PackageSecret is the private side of a package.
type PackageSecret struct {
	pkg KeyPackage
	responder
}

// responder is what answering a handshake takes.
type responder struct {
	id       PackageID
	identity Identity
	signed   prekeyPrivate
	once     *prekeyPrivate
}

// Package returns the public side.
func (s *PackageSecret) Package() KeyPackage { return s.pkg }

// KeepUntil is when the secret is deleted at the latest: a handshake made just before
// the package expired may lie in the mailbox for as long as a put may live. Handshake
// ids of a package without a one-time prekey are remembered until then.
func (s *PackageSecret) KeepUntil() time.Time { return s.pkg.expires.Add(wire.MaxPutLife) }

// Marshal encodes the secret.
//
//	label ‖ u8 version ‖ u32 length ‖ package ‖ identity 64
//	signed: X25519 32 ‖ X-Wing seed 32 ‖ ?one-time: X25519 32 ‖ X-Wing seed 32
func (s *PackageSecret) Marshal() []byte {
	var w writer
	s.marshalTo(&w)
	return w.b
}

func (s *PackageSecret) marshalTo(w *writer) {
	w.raw([]byte(labelSecret))
	w.u8(stateVersion)
	w.var32(s.pkg.raw)
	w.raw(s.identity.Marshal(), s.signed.dh.k.Bytes(), s.signed.kem.seed[:])
	if w.bool(s.once != nil) {
		w.raw(s.once.dh.k.Bytes(), s.once.kem.seed[:])
	}
}

// ParsePackageSecret decodes exactly one secret.
func ParsePackageSecret(b []byte) (*PackageSecret, error) {
	r := &reader{s: b}
	s, err := readPackageSecret(r)
	if err != nil {
		return nil, err
	}
	if !r.end() {
		return nil, ErrMalformed
	}
	return s, nil
}

func readPackageSecret(r *reader) (*PackageSecret, error) {
	r.literal(string(labelSecret))
	if v := r.u8(); v != stateVersion {
		r.fail()
	}
	raw := r.var32(MaxPackage)
	identity := r.bytes(identitySize)
	signed := readPrekeyPrivate(r)
	var once *prekeyPrivate
	if r.bool() {
		k := readPrekeyPrivate(r)
		once = &k
	}
	if !r.ok() {
		return nil, ErrMalformed
	}
	pkg, err := ParsePackage(raw)
	if err != nil {
		return nil, err
	}
	id, err := ParseIdentity(identity)
	if err != nil {
		return nil, err
	}
	if id.Doc() != pkg.identity || (once != nil) != pkg.OneTime() {
		return nil, ErrMalformed
	}
	return &PackageSecret{pkg, responder{pkg.ID(), id, signed, once}}, nil
}

func readPrekeyPrivate(r *reader) prekeyPrivate {
	dh, err := dhFromSeed(r.bytes(keySize))
	if err != nil {
		r.fail()
	}
	return prekeyPrivate{dh, &KEMPrivate{seed: [keySize]byte(r.bytes(keySize))}}
}
