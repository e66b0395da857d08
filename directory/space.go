package directory

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"communicator/directory/proof"
	"communicator/eventlog"
	"communicator/wire"
)

// space is one namespace as the handlers see it. The log has everything that lasts.
type space struct {
	ns     proof.NSID
	number nsNumber

	mu     sync.Mutex // guards chain
	chain  proof.Chain
	signer *signer
}

func (s *space) current() proof.Chain {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chain
}

// follow notes a chain that was committed, unless a longer one is known already.
func (s *space) follow(c proof.Chain) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Current().Number > s.chain.Current().Number {
		s.chain = c
	}
}

// load reads every namespace of the log.
func (d *Directory) load() error {
	rows := map[proof.NSID]spaceRow{}
	err := d.cfg.Log.View(func(tables eventlog.Tables) error {
		var bad error
		err := tables.Table(wire.TableDirectory).Scan([]byte{rowSpace}, nil, func(key, row []byte) bool {
			var r spaceRow
			if r, bad = parseSpace(row); bad != nil || len(key) != 33 {
				bad = errors.Join(bad, wire.ErrMalformed)
				return false
			}
			rows[proof.NSID(key[1:])] = r
			return true
		})
		return errors.Join(err, bad)
	})
	if err != nil {
		return err
	}
	for ns, row := range rows {
		manifests, err := d.manifests(row, 1, int(row.manifests))
		if err != nil {
			return err
		}
		chain, err := proof.VerifyChain(ns, manifests...)
		if err != nil {
			return fmt.Errorf("directory: manifests of %v: %w", ns, err)
		}
		if err := d.open(ns, row, chain); err != nil {
			return err
		}
	}
	return nil
}

// open begins to serve a namespace.
func (d *Directory) open(ns proof.NSID, row spaceRow, chain proof.Chain) error {
	s := &space{ns: ns, number: row.number, chain: chain}
	s.signer = newSigner(d, s)
	if err := s.signer.check(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spaces[ns] = s
	return nil
}

// space finds the namespace that a request is about.
func (d *Directory) space(ns []byte) (*space, error) {
	if len(ns) != len(proof.NSID{}) {
		return nil, refuse(wire.StatusMalformed, 0)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.spaces[proof.NSID(ns)]
	if s == nil {
		return nil, refuse(wire.StatusNotFound, 0)
	}
	return s, nil
}

// Namespace is a namespace's state, for a status page.
type Namespace struct {
	ID       proof.NSID
	Manifest uint32
	Size     uint64 // statements in the log
	Frozen   bool   // nothing is signed: see [ErrFrozen]
}

// Namespaces lists what is served.
func (d *Directory) Namespaces() ([]Namespace, error) {
	d.mu.Lock()
	var all []*space
	for _, s := range d.spaces {
		all = append(all, s)
	}
	d.mu.Unlock()
	var list []Namespace
	err := d.cfg.Log.View(func(tables eventlog.Tables) error {
		for _, s := range all {
			row, err := loadSpace(tables.Table(wire.TableDirectory), s.ns)
			if err != nil || row == nil {
				return errors.Join(err, wire.ErrMalformed)
			}
			list = append(list, Namespace{ID: s.ns, Manifest: row.manifests, Size: row.leaves, Frozen: s.signer.isFrozen()})
		}
		return nil
	})
	return list, err
}

// AddNamespace serves a namespace from now on, given all its manifests so far. One that
// is served already takes the manifests that it lacks. Its log key must be at hand.
// Errors: those of [proof.VerifyChain], [ErrNoKey], those of the log.
func (d *Directory) AddNamespace(ctx context.Context, ns proof.NSID, manifests ...[]byte) error {
	chain, err := proof.VerifyChain(ns, manifests...)
	if err != nil {
		return err
	}
	if err := d.holdsKey(ns, chain.Current()); err != nil {
		return err
	}
	if err := d.accept(ctx, ns, chain); err != nil {
		return err
	}
	if s, err := d.space(ns[:]); err == nil {
		s.follow(chain)
		return nil
	}
	var row *spaceRow
	err = d.cfg.Log.View(func(tables eventlog.Tables) (err error) {
		row, err = loadSpace(tables.Table(wire.TableDirectory), ns)
		return err
	})
	if err != nil || row == nil {
		return errors.Join(err, wire.ErrMalformed)
	}
	return d.open(ns, *row, chain)
}

// holdsKey says whether the log key is the manifest's.
func (d *Directory) holdsKey(ns proof.NSID, m proof.Manifest) error {
	key, ok := d.cfg.Keys.Log(ns)
	if !ok || proof.KeyOf(key.Public().(ed25519.PublicKey)) != m.Log {
		return ErrNoKey
	}
	return nil
}

// accept appends the manifests that the log lacks. One that differs from the log's is a
// conflict.
func (d *Directory) accept(ctx context.Context, ns proof.NSID, chain proof.Chain) error {
	_, err := d.cfg.Log.Decide(ctx, func(_ time.Time, tables eventlog.Tables) ([]eventlog.Event, error) {
		r := tables.Table(wire.TableDirectory)
		row, err := loadSpace(r, ns)
		if err != nil {
			return nil, err
		}
		if row == nil {
			row = new(spaceRow)
		}
		var events []eventlog.Event
		for i, signed := range chain.Signed() {
			n := uint32(i + 1)
			if n > row.manifests {
				events = append(events, facts(KindManifestAccepted, ns, signed)...)
				continue
			}
			known, err := r.Get(manifestKey(row.number, n))
			if err != nil {
				return nil, err
			}
			if !bytes.Equal(known, signed) {
				return nil, refuse(wire.StatusConflict, 0)
			}
		}
		return events, nil
	})
	return err
}

// manifests reads up to count signed manifests from a number on.
func (d *Directory) manifests(row spaceRow, from uint32, count int) (list [][]byte, err error) {
	err = d.cfg.Log.View(func(tables eventlog.Tables) error {
		r := tables.Table(wire.TableDirectory)
		for n := from; n != 0 && n <= row.manifests && len(list) < count; n++ {
			signed, err := r.Get(manifestKey(row.number, n))
			if err != nil || signed == nil {
				return errors.Join(err, wire.ErrMalformed)
			}
			list = append(list, bytes.Clone(signed))
		}
		return nil
	})
	return list, err
}
