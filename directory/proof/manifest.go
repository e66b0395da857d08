package proof

import (
	"fmt"
	"slices"
	"time"

	"communicator/wire"

	"golang.org/x/mod/sumdb/note"
)

// Attesting is a key that signs statements about names, while it is valid. A key is
// retired by its NotAfter; taking it out of the manifest distrusts all that it signed.
type Attesting struct {
	Key                 Key
	NotBefore, NotAfter time.Time // whole seconds; valid from the first, until before the second
}

// Witness cosigns the log's checkpoints (C2SP tlog-cosignature).
type Witness struct {
	Name string // as it stands on signature lines: no spaces, no "+"
	Key  Key
}

// Manifest says who may do what in a namespace. The first one names the namespace, each
// further one follows from the one before. docs/namespace.md has the layout.
type Manifest struct {
	Number           uint32    // from 1
	Prev             Hash      // [Manifest.Hash] of the one before; zeros in the first
	Issued           time.Time // whole seconds, not before that of the one before
	Hold             time.Duration
	Listed           bool  // names may be guessed and looked up by anyone
	Zone             Key   // blinds and signs records in the DHT
	Log              Key   // signs checkpoints
	Roots            []Key // ascending; offline
	Threshold        uint8 // how many of them a manifest or a root's decision needs
	Attesting        []Attesting
	Witnesses        []Witness
	WitnessThreshold uint8    // how many cosignatures a checkpoint needs
	Peers            []string // agent URIs of nodes that serve the namespace
}

// SignedManifest is a manifest as it was signed. It is carried as it is.
type SignedManifest []byte

// Hash is what the next manifest cites: H("comm/1/manifest-hash" ‖ body).
func (m Manifest) Hash() Hash {
	return wire.Hash(wire.LabelManifestHash, m.body())
}

// nsid is the id of the namespace that m begins.
func (m Manifest) nsid() NSID { return wire.Hash(wire.LabelNamespace, m.body()) }

// LogVerifier is the log's key as golang.org/x/mod/sumdb/note writes it; the name on
// checkpoints is the namespace's id.
func (m Manifest) LogVerifier(ns NSID) (string, error) {
	return note.NewEd25519VerifierKey(ns.String(), m.Log[:])
}

// attestingAt returns nil if key may attest at this time.
// Errors: [ErrSigner], [ErrExpiredKey].
func (m Manifest) attestingAt(key Key, at time.Time) error {
	known := false
	for _, a := range m.Attesting {
		if a.Key != key {
			continue
		}
		known = true
		if !at.Before(a.NotBefore) && at.Before(a.NotAfter) {
			return nil
		}
	}
	if known {
		return ErrExpiredKey
	}
	return ErrSigner
}

// hasRoots returns nil if the keys, which are ascending, are roots and as many as the
// threshold. Errors: [ErrSigner], [ErrThreshold].
func (m Manifest) hasRoots(keys []Key) error {
	for _, key := range keys {
		if !slices.Contains(m.Roots, key) {
			return ErrSigner
		}
	}
	if len(keys) < int(m.Threshold) {
		return ErrThreshold
	}
	return nil
}

// validate holds what is signed and what is read to the same rules.
func (m Manifest) validate() error {
	switch {
	case m.Number == 0 || (m.Number == 1) != (m.Prev == Hash{}):
		return fmt.Errorf("%w: number and previous hash", wire.ErrMalformed)
	case !wholeSeconds(m.Issued):
		return fmt.Errorf("%w: time", wire.ErrMalformed)
	case m.Hold < MinHold || m.Hold > MaxHold || m.Hold%time.Second != 0:
		return fmt.Errorf("%w: hold", wire.ErrMalformed)
	case m.Zone == Key{} || m.Log == Key{}:
		return fmt.Errorf("%w: zone or log key", wire.ErrMalformed)
	case len(m.Roots) == 0 || m.Threshold == 0 || int(m.Threshold) > len(m.Roots):
		return fmt.Errorf("%w: root threshold", wire.ErrMalformed)
	case len(m.Roots) > MaxRoots || len(m.Attesting) > MaxAttesting || len(m.Witnesses) > MaxWitnesses || len(m.Peers) > MaxPeers:
		return wire.ErrTooLarge
	case int(m.WitnessThreshold) > len(m.Witnesses):
		return fmt.Errorf("%w: witness threshold", wire.ErrMalformed)
	case !ascending(m.Roots):
		return fmt.Errorf("%w: root keys", wire.ErrMalformed)
	}
	if err := validateAttesting(m.Attesting); err != nil {
		return err
	}
	if err := validateWitnesses(m.Witnesses); err != nil {
		return err
	}
	return validatePeers(m.Peers)
}

func validateAttesting(keys []Attesting) error {
	for i, a := range keys {
		if a.Key == (Key{}) || !wholeSeconds(a.NotBefore) || !wholeSeconds(a.NotAfter) || !a.NotBefore.Before(a.NotAfter) ||
			i > 0 && slices.Compare(keys[i-1].Key[:], a.Key[:]) >= 0 {
			return fmt.Errorf("%w: attesting keys", wire.ErrMalformed)
		}
	}
	return nil
}

func validateWitnesses(witnesses []Witness) error {
	for i, w := range witnesses {
		if len(w.Name) > MaxWitnessName {
			return wire.ErrTooLarge
		}
		if w.Key == (Key{}) || !printable(w.Name, "+") || i > 0 && witnesses[i-1].Name >= w.Name {
			return fmt.Errorf("%w: witnesses", wire.ErrMalformed)
		}
		for _, other := range witnesses[:i] {
			if other.Key == w.Key {
				return fmt.Errorf("%w: witness given twice", wire.ErrMalformed)
			}
		}
	}
	return nil
}

func validatePeers(peers []string) error {
	for i, p := range peers {
		if len(p) > MaxPeerURI {
			return wire.ErrTooLarge
		}
		if !printable(p, "") || p[0] != '/' || slices.Contains(peers[:i], p) {
			return fmt.Errorf("%w: peers", wire.ErrMalformed)
		}
	}
	return nil
}
