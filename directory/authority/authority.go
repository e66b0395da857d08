package authority

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"communicator/directory/proof"
	"communicator/internal/durable"
	"communicator/wire/agenturi"
)

// Authority is a namespace's files, opened.
type Authority struct {
	dir   string
	chain proof.Chain
}

// Options are what a new namespace is made with.
type Options struct {
	Roots, Threshold int           // zeros: one root key, which suffices
	Hold             time.Duration // before a reset is in force; 0: proof.DefaultHold
	Peers            []string      // agent URIs of nodes that serve it
	Unlisted         bool          // names are not meant to be guessed and looked up
	Now              time.Time
}

// Errors of the files.
var (
	// ErrExists: there is something at that place already.
	ErrExists = errors.New("authority: the directory is not empty")
	// ErrNone: no namespace is there.
	ErrNone = errors.New("authority: there is no namespace here")
	// ErrRoots: fewer root keys are among the files than a new manifest needs.
	ErrRoots = errors.New("authority: too few root keys at hand")
)

// keyLife is for how long an attesting key is valid: a lost namespace stops attesting.
const keyLife = 2 * 365 * 24 * time.Hour

// Init makes a namespace with new keys. The directory must not exist, or be empty.
func Init(dir string, o Options) (*Authority, error) {
	if o.Roots == 0 {
		o.Roots, o.Threshold = 1, 1
	}
	if o.Hold == 0 {
		o.Hold = proof.DefaultHold
	}
	if o.Roots < 1 || o.Roots > proof.MaxRoots || o.Threshold < 1 || o.Threshold > o.Roots {
		return nil, fmt.Errorf("authority: %d of %d root keys: there are 1 to %d, and the threshold is not more", o.Threshold, o.Roots, proof.MaxRoots)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrExists)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, sub := range []string{"keys", "manifests"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	a := &Authority{dir: dir}
	var err error
	draw := func(name string) (key ed25519.PrivateKey) {
		if err == nil {
			key, err = a.newKey(name)
		}
		return key
	}
	var roots []ed25519.PrivateKey
	for i := range o.Roots {
		roots = append(roots, draw(fmt.Sprintf("root-%d", i+1)))
	}
	zone, attesting, log := draw(string(Zone)), draw(string(Attesting)), draw(string(Log))
	if err != nil {
		return nil, err
	}
	now := o.Now.UTC().Truncate(time.Second)
	peers, err := withoutTokens(o.Peers)
	if err != nil {
		return nil, err
	}
	m := proof.Manifest{Issued: now, Hold: o.Hold, Listed: !o.Unlisted, Zone: publicOf(zone), Log: publicOf(log),
		Threshold: uint8(o.Threshold), Peers: peers,
		Attesting: []proof.Attesting{{Key: publicOf(attesting), NotBefore: now, NotAfter: now.Add(keyLife)}}}
	for _, r := range roots {
		m.Roots = append(m.Roots, publicOf(r))
	}
	m.Sort()
	id, signed, err := proof.Genesis(m, roots...)
	if err != nil {
		return nil, err
	}
	if a.chain, err = proof.VerifyChain(id, signed); err != nil {
		return nil, err
	}
	// The manifest comes last: it is what makes the directory a namespace's.
	return a, errors.Join(a.save(1, signed), durable.SyncDir(dir), durable.SyncDir(filepath.Dir(dir)))
}

// withoutTokens checks the URIs of nodes and drops the tokens that operators put behind
// them: a manifest is public, and for good.
func withoutTokens(peers []string) ([]string, error) {
	out := make([]string, 0, len(peers))
	for i, p := range peers {
		uri, err := agenturi.Parse(p)
		if err != nil {
			return nil, fmt.Errorf("authority: peer %d is not the URI of a node: %w", i+1, err)
		}
		out = append(out, uri.String())
	}
	return out, nil
}

func (a *Authority) newKey(name string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return key, writeKey(a.keyPath(name), key)
}

func (a *Authority) save(number uint32, signed []byte) error {
	return durable.WriteFile(manifestPath(a.dir, number), signed)
}

func manifestPath(dir string, number uint32) string {
	return filepath.Join(dir, "manifests", fmt.Sprintf("%04d", number))
}

// Open reads a namespace's files, verified from the first manifest on.
// Errors: [ErrNone], [ErrDamaged].
func Open(dir string) (*Authority, error) {
	var manifests [][]byte
	for number := uint32(1); number <= proof.MaxManifests; number++ {
		b, err := os.ReadFile(manifestPath(dir, number))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		manifests = append(manifests, b)
	}
	if len(manifests) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrNone)
	}
	id, err := proof.IDOf(manifests[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, manifestPath(dir, 1), err)
	}
	chain, err := proof.VerifyChain(id, manifests...)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, dir, err)
	}
	return &Authority{dir, chain}, nil
}

// ID is the namespace's.
func (a *Authority) ID() proof.NSID { return a.chain.NSID() }

// Chain has all its manifests.
func (a *Authority) Chain() proof.Chain { return a.chain }

// Manifests returns them as signed, oldest first.
func (a *Authority) Manifests() (out [][]byte) {
	for _, m := range a.chain.Signed() {
		out = append(out, m)
	}
	return out
}

// Amend changes the manifest: change edits a copy of the newest, and as many root keys
// as both need sign it. Errors: [ErrRoots], those of proof.Amend.
func (a *Authority) Amend(now time.Time, change func(*proof.Manifest)) error {
	m := a.chain.Current()
	next := m
	next.Issued = now.UTC().Truncate(time.Second)
	change(&next)
	next.Sort()
	var err error
	if next.Peers, err = withoutTokens(next.Peers); err != nil {
		return err
	}
	roots, err := a.roots()
	if err != nil {
		return err
	}
	if len(roots) < int(m.Threshold) {
		return fmt.Errorf("%w: %d of %d; put root-*.key back into %s for the moment", ErrRoots,
			len(roots), m.Threshold, filepath.Join(a.dir, "keys"))
	}
	signed, err := proof.Amend(m, next, roots...)
	if err != nil {
		return err
	}
	chain, err := a.chain.Extend(signed)
	if err != nil {
		return err
	}
	if err := a.save(chain.Current().Number, signed); err != nil {
		return err
	}
	a.chain = chain
	return nil
}

// Rotate replaces a key. A replaced attesting key is retired now, so that what it has
// attested stays believed; take its entry out of the manifest to distrust that too.
func (a *Authority) Rotate(role Role, now time.Time) error {
	now = now.UTC().Truncate(time.Second)
	old, err := a.Key(role)
	if err != nil {
		return err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	// The key is kept beside the one in force until a manifest names it.
	fresh := a.freshPath(role)
	if err := writeKey(fresh, key); err != nil {
		return err
	}
	err = a.Amend(now, func(m *proof.Manifest) {
		switch role {
		case Zone:
			m.Zone = publicOf(key)
		case Log:
			m.Log = publicOf(key)
		case Attesting:
			m.Attesting = append(retire(m.Attesting, publicOf(old), now),
				proof.Attesting{Key: publicOf(key), NotBefore: now, NotAfter: now.Add(keyLife)})
		}
	})
	if err != nil {
		// The manifest may be on the disk all the same: then its key must stay.
		if now, oerr := Open(a.dir); oerr == nil && !now.inForce(role, publicOf(key)) {
			err = errors.Join(err, os.Remove(fresh))
		}
		return err
	}
	if err := os.Rename(fresh, a.keyPath(string(role))); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Join(a.dir, "keys"))
}

// retire ends a key's validity. One that was never valid for a moment is dropped.
func retire(keys []proof.Attesting, old proof.Key, now time.Time) []proof.Attesting {
	var out []proof.Attesting
	for _, k := range keys {
		if k.Key == old {
			k.NotAfter = now
		}
		if k.NotAfter.After(k.NotBefore) {
			out = append(out, k)
		}
	}
	return out
}
