package authority

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"communicator/directory/proof"
	"communicator/internal/durable"
)

// Install gives a directory node what it needs to serve the namespace: the manifests,
// the log key, the zone key, and, if the node is to attest registrations by itself, the
// attesting key. It writes into a folder of the node that is named by the namespace's
// id, and may be repeated when a manifest or a key has changed.
func (a *Authority) Install(spaces string, attests bool) error {
	dir := filepath.Join(spaces, a.ID().String())
	for _, sub := range []string{"keys", "manifests"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	node := &Authority{dir: dir, chain: a.chain}
	roles := []Role{Log, Zone}
	if attests {
		roles = append(roles, Attesting)
	} else if err := os.Remove(node.keyPath(string(Attesting))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, role := range roles {
		key, err := a.Key(role)
		if err != nil {
			return err
		}
		if err := writeKey(node.keyPath(string(role)), key); err != nil {
			return err
		}
	}
	for i, m := range a.chain.Signed() {
		if err := node.save(uint32(i+1), m); err != nil {
			return err
		}
	}
	return errors.Join(durable.SyncDir(dir), durable.SyncDir(spaces), durable.SyncDir(filepath.Dir(spaces)))
}

// Installed opens everything that was installed for a node.
// Errors: [ErrDamaged], also for a folder that is not named by its namespace.
func Installed(spaces string) ([]*Authority, error) {
	entries, err := os.ReadDir(spaces)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []*Authority
	for _, e := range entries {
		if _, err := proof.ParseNSID(e.Name()); err != nil || !e.IsDir() {
			continue
		}
		a, err := Open(filepath.Join(spaces, e.Name()))
		if err != nil {
			return nil, err
		}
		if a.ID().String() != e.Name() {
			return nil, fmt.Errorf("%w: %s holds %s", ErrDamaged, filepath.Join(spaces, e.Name()), a.ID())
		}
		all = append(all, a)
	}
	return all, nil
}
