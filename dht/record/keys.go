package record

import (
	"strings"

	"communicator/wire"
)

// Namespaces of keys in the overlay, as libp2p's validators name them.
const (
	Attest = "communicator-attest" // sealed statements about names
	Agent  = "communicator-agent"  // service descriptors
)

const (
	attestPrefix = "/" + Attest + "/"
	agentPrefix  = "/" + Agent + "/"
)

// Locations returns the keys under which the records of a blinded key are stored. A
// key ends in 32 bytes that are not text.
func (k BlindKey) Locations() [Copies]string {
	var keys [Copies]string
	for r := range keys {
		at := k.location(r)
		keys[r] = attestPrefix + string(at[:])
	}
	return keys
}

func (k BlindKey) location(r int) [32]byte {
	return wire.Hash(wire.LabelDHTLocation, k[:], []byte{byte(r)})
}

func (k BlindKey) isAt(location []byte) bool {
	for r := range Copies {
		if at := k.location(r); string(at[:]) == string(location) {
			return true
		}
	}
	return false
}

// AgentKey returns the key under which an agent's descriptor is stored.
func AgentKey(id wire.AgentID) string { return agentPrefix + string(id[:]) }

// CheckKey returns [ErrNamespace] unless the key is of a kind that this package knows.
func CheckKey(key string) error {
	_, _, err := split(key)
	return err
}

// split returns the namespace of a key and the 32 bytes after it, or [ErrNamespace].
func split(key string) (namespace string, rest []byte, err error) {
	for _, ns := range [...]string{Attest, Agent} {
		if rest, ok := strings.CutPrefix(key, "/"+ns+"/"); ok && len(rest) == 32 {
			return ns, []byte(rest), nil
		}
	}
	return "", nil, ErrNamespace
}
