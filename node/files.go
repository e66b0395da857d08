package node

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/cryptobyte"

	"communicator/internal/durable"
	"communicator/wire"
)

// Names in a node's directory.
const (
	lockName       = "lock"
	keysName       = "keys"
	rootKeyName    = "root.key"
	logName        = "log"
	descriptorName = "descriptor"
	clockName      = "clock"
)

// ErrDamagedFile is a file of the node's directory that does not hold what it
// should. It is never overwritten.
var ErrDamagedFile = errors.New("file is damaged")

// ErrNoIdentity is a directory without a root key: `node init` makes one.
var ErrNoIdentity = errors.New("there is no node here: run \"communicator node init\" first")

// labelRootKey begins keys/root.key:
//
//	"comm/1/root-key" ‖ Ed25519 seed 32 ‖ H(all before)
const labelRootKey wire.Label = "comm/1/root-key"

func encodeChecked(label wire.Label, content []byte) []byte {
	b := append([]byte(label), content...)
	check := sha256.Sum256(b)
	return append(b, check[:]...)
}

// decodeChecked returns what encodeChecked was given.
func decodeChecked(path string, label wire.Label, b []byte) ([]byte, error) {
	s := cryptobyte.String(b)
	var head []byte
	if len(b) < len(label)+sha256.Size || !s.ReadBytes(&head, len(label)) || string(head) != string(label) {
		return nil, fmt.Errorf("%s: %w", path, ErrDamagedFile)
	}
	end := len(b) - sha256.Size
	if check := sha256.Sum256(b[:end]); string(check[:]) != string(b[end:]) {
		return nil, fmt.Errorf("%s: %w: its check does not match", path, ErrDamagedFile)
	}
	return b[len(label):end], nil
}

// readRootKey reads a node's identity.
func readRootKey(path string) (ed25519.PrivateKey, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", filepath.Dir(filepath.Dir(path)), ErrNoIdentity)
	}
	if err != nil {
		return nil, err
	}
	seed, err := decodeChecked(path, labelRootKey, b)
	if err != nil {
		return nil, err
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s: %w", path, ErrDamagedFile)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// makeRootKey writes a new identity, and refuses to replace one.
func makeRootKey(path string, rand io.Reader) (ed25519.PrivateKey, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, fmt.Errorf("%s: %w", path, fs.ErrExist))
	}
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return nil, err
	}
	if err := durable.WriteFile(path, encodeChecked(labelRootKey, seed)); err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func agentOf(key ed25519.PrivateKey) wire.AgentID {
	return wire.AgentIDOf(key.Public().(ed25519.PublicKey))
}
