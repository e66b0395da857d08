package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"

	"communicator/dht/record"
	"communicator/directory"
	"communicator/directory/authority"
	"communicator/directory/proof"
)

// spacesName is the folder of a node's directory where `namespace serve` puts what is
// needed to serve a namespace.
const spacesName = "namespaces"

// SpacesDir is where the namespaces of the node in a directory lie.
func SpacesDir(dir string) string { return filepath.Join(dir, spacesName) }

// spaceKeys are the online keys of the namespaces that the node serves.
type spaceKeys map[proof.NSID]*authority.Authority

// Log implements [directory.Keys].
func (k spaceKeys) Log(ns proof.NSID) (ed25519.PrivateKey, bool) { return k.key(ns, authority.Log) }

// Attesting implements [directory.Keys].
func (k spaceKeys) Attesting(ns proof.NSID) (ed25519.PrivateKey, bool) {
	return k.key(ns, authority.Attesting)
}

// Zone is the key under which records of the namespace's names are published.
func (k spaceKeys) Zone(ns proof.NSID) (ed25519.PrivateKey, bool) { return k.key(ns, authority.Zone) }

func (k spaceKeys) key(ns proof.NSID, role authority.Role) (ed25519.PrivateKey, bool) {
	a := k[ns]
	if a == nil {
		return nil, false
	}
	key, err := a.Key(role)
	return key, err == nil
}

// openDirectory makes the directory role, with the namespaces that were installed.
func (n *Node) openDirectory() error {
	spaces := n.config.Namespaces
	if n.config.Dir != "" {
		var err error
		if spaces, err = authority.Installed(SpacesDir(n.config.Dir)); err != nil {
			return err
		}
	}
	keys := spaceKeys{}
	for _, a := range spaces {
		keys[a.ID()] = a
	}
	metrics, err := directory.NewMetrics(n.metrics.registry)
	if err != nil {
		return err
	}
	c := directory.Config{
		Agent: n.id, Log: n.log, Keys: keys, ClockTrusted: n.clock.Trusted,
		Zone: keys.Zone, WorkBits: n.settings.DHT.WorkBits,
		Secret: func(_ context.Context, ns proof.NSID, name proof.Name) (proof.NameSecret, error) {
			return proof.NameSecret(record.Secret(string(name), ns)), nil
		},
		Now: n.Now, Rand: n.config.Rand, Logger: n.logger, Metrics: metrics,
	}
	if n.config.Dir != "" {
		c.Checkpoints = directory.CheckpointFiles(n.path(keysName))
	}
	if n.directory, err = directory.New(c); err != nil {
		return err
	}
	n.directory.SetDraining(n.draining.Load())
	for _, a := range spaces {
		err := n.directory.AddNamespace(n.ctx, a.ID(), a.Manifests()...)
		if errors.Is(err, directory.ErrFrozen) {
			n.logger.Error("a namespace's log does not continue what was signed before: nothing more is signed for it")
			continue
		}
		if err != nil {
			return fmt.Errorf("namespace %s: %w", a.ID(), err)
		}
	}
	return nil
}
