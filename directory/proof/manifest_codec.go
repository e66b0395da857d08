package proof

import (
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"communicator/wire"
)

// maxManifestSigners is every root before a change and every root after it.
const maxManifestSigners = 2 * MaxRoots

const flagListed = 1

// Sort puts keys, attesting keys and witnesses in the order that the layout wants.
func (m *Manifest) Sort() {
	m.Roots = sortedKeys(m.Roots)
	m.Attesting, m.Witnesses = slices.Clone(m.Attesting), slices.Clone(m.Witnesses)
	slices.SortFunc(m.Attesting, func(a, b Attesting) int { return compareKeys(a.Key, b.Key) })
	slices.SortFunc(m.Witnesses, func(a, b Witness) int { return strings.Compare(a.Name, b.Name) })
}

// body encodes without checking.
//
//	u8 version (1) ‖ u32 number ‖ previous hash 32 ‖ u64 issued ‖ u32 hold seconds ‖
//	u8 flags (bit 0 listed) ‖ zone key 32 ‖ log key 32 ‖
//	u8 threshold ‖ u8 count ≤ 5 ‖ count × root key 32 ‖
//	u8 count ≤ 16 ‖ count × (key 32 ‖ u64 not before ‖ u64 not after) ‖
//	u8 threshold ‖ u8 count ≤ 5 ‖ count × (u8 length ≤ 40 ‖ name ‖ key 32) ‖
//	u8 count ≤ 8 ‖ count × (u8 length ≤ 160 ‖ agent URI)
func (m Manifest) body() []byte {
	var w writer
	w.u8(layoutVersion)
	w.u32(m.Number)
	w.raw(m.Prev[:])
	w.time(m.Issued)
	w.u32(uint32(m.Hold / time.Second))
	var flags byte
	if m.Listed {
		flags = flagListed
	}
	w.u8(flags)
	w.raw(m.Zone[:])
	w.raw(m.Log[:])
	w.u8(m.Threshold)
	w.u8(uint8(len(m.Roots)))
	for _, k := range m.Roots {
		w.raw(k[:])
	}
	w.u8(uint8(len(m.Attesting)))
	for _, a := range m.Attesting {
		w.raw(a.Key[:])
		w.time(a.NotBefore)
		w.time(a.NotAfter)
	}
	w.u8(m.WitnessThreshold)
	w.u8(uint8(len(m.Witnesses)))
	for _, witness := range m.Witnesses {
		w.var8([]byte(witness.Name))
		w.raw(witness.Key[:])
	}
	w.u8(uint8(len(m.Peers)))
	for _, p := range m.Peers {
		w.var8([]byte(p))
	}
	return w.b
}

func readManifest(r *reader) (m Manifest) {
	r.version()
	m.Number, m.Prev, m.Issued = r.u32(), r.hash(), r.time()
	m.Hold = time.Duration(r.u32()) * time.Second
	flags := r.u8()
	if flags&^flagListed != 0 {
		r.fail(fmt.Errorf("%w: flags", wire.ErrVersion))
	}
	m.Listed = flags&flagListed != 0
	m.Zone, m.Log, m.Threshold = r.hash(), r.hash(), r.u8()
	for range r.count(MaxRoots) {
		m.Roots = append(m.Roots, r.hash())
	}
	for range r.count(MaxAttesting) {
		m.Attesting = append(m.Attesting, Attesting{Key: r.hash(), NotBefore: r.time(), NotAfter: r.time()})
	}
	m.WitnessThreshold = r.u8()
	for range r.count(MaxWitnesses) {
		m.Witnesses = append(m.Witnesses, Witness{Name: string(r.var8(MaxWitnessName)), Key: r.hash()})
	}
	for range r.count(MaxPeers) {
		m.Peers = append(m.Peers, string(r.var8(MaxPeerURI)))
	}
	return m
}

// ManifestBody encodes m for keys that sign elsewhere: see [ManifestMessage].
func ManifestBody(m Manifest) ([]byte, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	return m.body(), nil
}

// ManifestMessage is what a root key signs for a manifest with this body.
func ManifestMessage(body []byte) []byte { return labelled(wire.LabelManifest, body) }

// AssembleManifest puts signatures behind a body. They are verified, but not whether
// they are enough: [VerifyChain] and [Chain.Extend] know that.
func AssembleManifest(body []byte, signatures map[Key]Signature) (SignedManifest, error) {
	if len(signatures) > maxManifestSigners {
		return nil, wire.ErrTooLarge
	}
	w := writer{slices.Clone(body)}
	w.u8(uint8(len(signatures)))
	for _, key := range slices.SortedFunc(maps.Keys(signatures), compareKeys) {
		signature := signatures[key]
		w.raw(key[:])
		w.raw(signature[:])
	}
	if _, err := ParseManifest(w.b); err != nil {
		return nil, err
	}
	return w.b, nil
}

func signManifest(m Manifest, roots []ed25519.PrivateKey) (SignedManifest, error) {
	body, err := ManifestBody(m)
	if err != nil {
		return nil, err
	}
	signatures := map[Key]Signature{}
	for _, root := range roots {
		signatures[publicOf(root)] = Signature(ed25519.Sign(root, ManifestMessage(body)))
	}
	return AssembleManifest(body, signatures)
}

// ParseManifest decodes a signed manifest, verifies each signature in it, and demands
// that the manifest's own threshold has signed:
//
//	body ‖ u8 count ≤ 10 ‖ count × (root key 32 ‖ signature 64), keys ascending
//
// Whether it belongs to a namespace is for [VerifyChain] to say. Errors:
// wire.ErrMalformed, wire.ErrTooLarge, wire.ErrVersion, [ErrSignature], [ErrThreshold].
func ParseManifest(b []byte) (Manifest, error) {
	m, _, err := parseManifest(b)
	return m, err
}

// parseManifest returns who signed as well.
func parseManifest(b []byte) (Manifest, []Key, error) {
	if len(b) > MaxManifest {
		return Manifest{}, nil, wire.ErrTooLarge
	}
	r := reader{s: b}
	m := readManifest(&r)
	bodySize := len(b) - len(r.s)
	var signers []Key
	var signatures []Signature
	for range r.count(maxManifestSigners) {
		signers = append(signers, r.hash())
		signatures = append(signatures, r.signature())
	}
	if err := r.end(); err != nil {
		return Manifest{}, nil, err
	}
	if err := m.validate(); err != nil {
		return Manifest{}, nil, err
	}
	if !ascending(signers) {
		return Manifest{}, nil, fmt.Errorf("%w: signers", wire.ErrMalformed)
	}
	for i, key := range signers {
		if !key.verify(wire.LabelManifest, b[:bodySize], signatures[i][:]) {
			return Manifest{}, nil, ErrSignature
		}
	}
	if !m.reached(signers) {
		return Manifest{}, nil, ErrThreshold
	}
	return m, signers, nil
}

// reached is whether enough of m's roots are among the signers.
func (m Manifest) reached(signers []Key) bool {
	n := 0
	for _, key := range m.Roots {
		if slices.Contains(signers, key) {
			n++
		}
	}
	return n >= int(m.Threshold)
}
