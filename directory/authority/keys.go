package authority

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"communicator/directory/proof"
	"communicator/internal/durable"
)

// Role is what a key of a namespace is for.
type Role string

// The roles of keys that are not roots.
const (
	Zone      Role = "zone"
	Attesting Role = "attesting"
	Log       Role = "log"
)

// Errors of keys.
var (
	// ErrNoKey: the key is not among the files.
	ErrNoKey = errors.New("authority: the key is not here")
	// ErrDamaged: a file does not hold what it should.
	ErrDamaged = errors.New("authority: damaged file")
)

const pemType = "PRIVATE KEY"

func writeKey(path string, key ed25519.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return durable.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}))
}

func readKey(path string) (ed25519.PrivateKey, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoKey, path)
	}
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(b)
	if block == nil || block.Type != pemType || len(rest) > 0 {
		return nil, fmt.Errorf("%w: %s is not one PEM private key", ErrDamaged, path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: %s is not an Ed25519 key", ErrDamaged, path)
	}
	return key, nil
}

func publicOf(key ed25519.PrivateKey) proof.Key { return proof.KeyOf(key.Public().(ed25519.PublicKey)) }

func (a *Authority) keyPath(name string) string {
	return filepath.Join(a.dir, "keys", name+".key")
}

// Key returns a key in force. Errors: [ErrNoKey], also for a file whose key the newest
// manifest does not name, and [ErrDamaged].
func (a *Authority) Key(role Role) (ed25519.PrivateKey, error) {
	// A rotation that was cut off after the manifest was written has left the key in
	// force beside the one before.
	for _, path := range []string{a.freshPath(role), a.keyPath(string(role))} {
		key, err := readKey(path)
		if errors.Is(err, ErrNoKey) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if a.inForce(role, publicOf(key)) {
			return key, nil
		}
	}
	return nil, fmt.Errorf("%w: no %s key of the newest manifest in %s", ErrNoKey, role, filepath.Join(a.dir, "keys"))
}

func (a *Authority) freshPath(role Role) string { return a.keyPath(string(role) + ".new") }

// inForce says whether the newest manifest names a key; of attesting keys, whether it is
// the one that is valid longest.
func (a *Authority) inForce(role Role, key proof.Key) bool {
	m := a.chain.Current()
	switch role {
	case Zone:
		return m.Zone == key
	case Log:
		return m.Log == key
	}
	var newest proof.Attesting
	for _, k := range m.Attesting {
		if k.NotAfter.After(newest.NotAfter) {
			newest = k
		}
	}
	return newest.Key == key
}

// roots returns those of the newest manifest's root keys that are among the files.
func (a *Authority) roots() ([]ed25519.PrivateKey, error) {
	files, err := filepath.Glob(filepath.Join(a.dir, "keys", "root-*.key"))
	if err != nil {
		return nil, err
	}
	named := map[proof.Key]bool{}
	for _, k := range a.chain.Current().Roots {
		named[k] = true
	}
	var keys []ed25519.PrivateKey
	for _, path := range files {
		key, err := readKey(path)
		if err != nil {
			return nil, err
		}
		if named[publicOf(key)] {
			keys = append(keys, key)
		}
	}
	return keys, nil
}
