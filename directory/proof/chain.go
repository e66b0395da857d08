package proof

import (
	"crypto/ed25519"
	"slices"

	"communicator/wire"
)

// Chain is the verified history of a namespace's manifests. It is a value: extending
// it makes another one. Its zero value is no namespace, and verifies nothing.
type Chain struct {
	ns        NSID
	manifests []Manifest
	signed    []SignedManifest
}

// Genesis begins a namespace: it sets number 1 and no previous hash, and signs with
// the given keys, at least the threshold of m's roots. Lists must be sorted
// ([Manifest.Sort]). Errors: wire.ErrMalformed, wire.ErrTooLarge, [ErrThreshold],
// [ErrSigner].
func Genesis(m Manifest, roots ...ed25519.PrivateKey) (NSID, SignedManifest, error) {
	m.Number, m.Prev = 1, Hash{}
	signed, err := signManifest(m, roots)
	if err != nil {
		return NSID{}, nil, err
	}
	if _, err := VerifyChain(m.nsid(), signed); err != nil {
		return NSID{}, nil, err
	}
	return m.nsid(), signed, nil
}

// Amend follows old with m: it sets number and previous hash, and signs with the given
// keys, among which must be the threshold of old's roots and that of m's.
func Amend(old, m Manifest, roots ...ed25519.PrivateKey) (SignedManifest, error) {
	m.Number, m.Prev = old.Number+1, old.Hash()
	signed, err := signManifest(m, roots)
	if err != nil {
		return nil, err
	}
	if _, err := follow(old, signed); err != nil {
		return nil, err
	}
	return signed, nil
}

// VerifyChain checks every manifest of a namespace, the first first and none left out.
// Errors: those of [ParseManifest], [ErrNamespace] if the first is another
// namespace's, [ErrManifest], [ErrThreshold], [ErrSigner], [ErrTime].
func VerifyChain(ns NSID, manifests ...[]byte) (Chain, error) {
	if len(manifests) == 0 {
		return Chain{}, ErrManifest
	}
	first, signers, err := parseManifest(manifests[0])
	switch {
	case err != nil:
		return Chain{}, err
	case first.Number != 1:
		return Chain{}, ErrManifest
	case first.nsid() != ns:
		return Chain{}, ErrNamespace
	}
	if err := onlyRoots(signers, first.Roots, nil); err != nil {
		return Chain{}, err
	}
	c := Chain{ns: ns, manifests: []Manifest{first}, signed: []SignedManifest{slices.Clone(manifests[0])}}
	for _, next := range manifests[1:] {
		if c, err = c.Extend(next); err != nil {
			return Chain{}, err
		}
	}
	return c, nil
}

// Extend checks the next manifest. c stays what it was.
func (c Chain) Extend(next []byte) (Chain, error) {
	if len(c.manifests) == 0 {
		return Chain{}, ErrManifest
	}
	if len(c.manifests) == MaxManifests {
		return Chain{}, wire.ErrTooLarge
	}
	m, err := follow(c.Current(), next)
	if err != nil {
		return Chain{}, err
	}
	return Chain{
		ns:        c.ns,
		manifests: append(slices.Clip(c.manifests), m),
		signed:    append(slices.Clip(c.signed), slices.Clone(next)),
	}, nil
}

// follow checks that next is signed by the threshold of old and by its own.
func follow(old Manifest, next []byte) (Manifest, error) {
	m, signers, err := parseManifest(next)
	if err != nil {
		return Manifest{}, err
	}
	if m.Number != old.Number+1 || m.Prev != old.Hash() {
		return Manifest{}, ErrManifest
	}
	if m.Issued.Before(old.Issued) {
		return Manifest{}, ErrTime
	}
	if !old.reached(signers) {
		return Manifest{}, ErrThreshold
	}
	return m, onlyRoots(signers, old.Roots, m.Roots)
}

// onlyRoots refuses the signature of a key that was never asked.
func onlyRoots(signers, old, next []Key) error {
	for _, key := range signers {
		if !slices.Contains(old, key) && !slices.Contains(next, key) {
			return ErrSigner
		}
	}
	return nil
}

// NSID returns the namespace.
func (c Chain) NSID() NSID { return c.ns }

// Current returns the newest manifest.
func (c Chain) Current() Manifest {
	if len(c.manifests) == 0 {
		return Manifest{}
	}
	return c.manifests[len(c.manifests)-1]
}

// Manifest returns the manifest with this number, or [ErrManifest].
func (c Chain) Manifest(number uint32) (Manifest, error) {
	if number == 0 || uint64(number) > uint64(len(c.manifests)) {
		return Manifest{}, ErrManifest
	}
	return c.manifests[number-1], nil
}

// Signed returns the manifests as they were signed, the first first.
func (c Chain) Signed() []SignedManifest { return slices.Clone(c.signed) }
