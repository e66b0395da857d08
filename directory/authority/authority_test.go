package authority

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"communicator/directory/proof"
)

var now = time.Unix(1_790_000_000, 0).UTC()

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func made(t *testing.T, o Options) (*Authority, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "club")
	o.Now = now
	a, err := Init(dir, o)
	check(t, err)
	return a, dir
}

func TestInitAndOpen(t *testing.T) {
	a, dir := made(t, Options{Roots: 3, Threshold: 2})
	again, err := Open(dir)
	check(t, err)
	if again.ID() != a.ID() || len(again.Manifests()) != 1 {
		t.Errorf("opened %v with %d manifests", again.ID(), len(again.Manifests()))
	}
	m := again.Chain().Current()
	if len(m.Roots) != 3 || m.Threshold != 2 || m.Hold != proof.DefaultHold || !m.Listed {
		t.Errorf("manifest %+v", m)
	}
	for _, role := range []Role{Zone, Attesting, Log} {
		if _, err := again.Key(role); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may read %s", path)
		}
		return err
	}))
	if _, err := Init(dir, Options{Now: now}); !errors.Is(err, ErrExists) {
		t.Errorf("made twice: %v", err)
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNone) {
		t.Errorf("opened nothing: %v", err)
	}
	if _, err := Init(filepath.Join(t.TempDir(), "x"), Options{Roots: 2, Threshold: 3, Now: now}); err == nil {
		t.Error("a threshold that nobody can reach")
	}
}

func TestAmendNeedsTheRoots(t *testing.T) {
	a, dir := made(t, Options{Roots: 3, Threshold: 2})
	hold := func(m *proof.Manifest) { m.Hold = 100 * time.Hour }
	for _, name := range []string{"root-1.key", "root-3.key"} {
		check(t, os.Rename(filepath.Join(dir, "keys", name), filepath.Join(dir, name)))
	}
	if err := a.Amend(now, hold); !errors.Is(err, ErrRoots) {
		t.Fatalf("with one of three roots: %v", err)
	}
	check(t, os.Rename(filepath.Join(dir, "root-3.key"), filepath.Join(dir, "keys", "root-3.key")))
	check(t, a.Amend(now, hold))
	again, err := Open(dir)
	check(t, err)
	if m := again.Chain().Current(); m.Number != 2 || m.Hold != 100*time.Hour {
		t.Errorf("manifest %d, hold %v", m.Number, m.Hold)
	}
}

func TestRotate(t *testing.T) {
	a, dir := made(t, Options{})
	later := now.Add(time.Hour)
	for _, role := range []Role{Zone, Attesting, Log} {
		before, err := a.Key(role)
		check(t, err)
		check(t, a.Rotate(role, later))
		again, err := Open(dir)
		check(t, err)
		after, err := again.Key(role)
		check(t, err)
		if after.Equal(before) {
			t.Errorf("%s: the same key", role)
		}
	}
	m := a.Chain().Current()
	if len(m.Attesting) != 2 {
		t.Fatalf("%d attesting keys", len(m.Attesting))
	}
	retired := 0
	for _, k := range m.Attesting {
		if k.NotAfter.Equal(later) {
			retired++
		}
	}
	if retired != 1 {
		t.Errorf("%d keys were retired", retired)
	}
}

// TestRotationCutOff: the process ends after the manifest was written and before the new
// key has taken the old one's place.
func TestRotationCutOff(t *testing.T) {
	a, dir := made(t, Options{})
	for i, role := range []Role{Zone, Log, Attesting} {
		old, err := os.ReadFile(a.keyPath(string(role)))
		check(t, err)
		check(t, a.Rotate(role, now.Add(time.Duration(2*i+1)*time.Hour)))
		check(t, os.Rename(a.keyPath(string(role)), a.freshPath(role)))
		check(t, os.WriteFile(a.keyPath(string(role)), old, 0o600))
		again, err := Open(dir)
		check(t, err)
		key, err := again.Key(role)
		check(t, err)
		if !again.inForce(role, publicOf(key)) {
			t.Errorf("%s: not the key in force", role)
		}
		check(t, again.Rotate(role, now.Add(time.Duration(2*i+2)*time.Hour)))
		a = again
	}
}

func TestPeersLoseTheirTokens(t *testing.T) {
	const uri = "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWQEJNWfePsi8AU8K8XVQkMab4XvNYqqzzNsh3vEq4MWjj"
	a, _ := made(t, Options{Peers: []string{uri + "?token=aeaqcaibaeaqcaibaeaqcaibae"}})
	if got := a.Chain().Current().Peers; len(got) != 1 || got[0] != uri {
		t.Errorf("peers %q", got)
	}
	if err := a.Amend(now.Add(time.Hour), func(m *proof.Manifest) { m.Peers = []string{"/nonsense"} }); err == nil {
		t.Error("a peer that nobody can reach")
	}
}

func TestInstall(t *testing.T) {
	a, _ := made(t, Options{})
	spaces := t.TempDir()
	check(t, a.Install(spaces, true))
	all, err := Installed(spaces)
	check(t, err)
	if len(all) != 1 || all[0].ID() != a.ID() {
		t.Fatalf("installed %v", all)
	}
	if _, err := all[0].Key(Attesting); err != nil {
		t.Error(err)
	}
	if roots, err := all[0].roots(); err != nil || len(roots) != 0 {
		t.Errorf("%d root keys at the node, %v", len(roots), err)
	}
	// Repeated after a change, without the attesting key.
	check(t, a.Rotate(Log, now.Add(time.Hour)))
	check(t, a.Install(spaces, false))
	all, err = Installed(spaces)
	check(t, err)
	if len(all[0].Manifests()) != 2 {
		t.Errorf("%d manifests", len(all[0].Manifests()))
	}
	if _, err := all[0].Key(Log); err != nil {
		t.Error(err)
	}
	if _, err := all[0].Key(Attesting); !errors.Is(err, ErrNoKey) {
		t.Errorf("the attesting key is still there: %v", err)
	}
	if none, err := Installed(filepath.Join(spaces, "none")); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
}

func TestDamage(t *testing.T) {
	a, dir := made(t, Options{})
	path := a.keyPath(string(Log))
	good, err := os.ReadFile(path)
	check(t, err)
	for name, content := range map[string]string{
		"empty": "", "not PEM": "hello", "two": string(good) + string(good), "cut": string(good[:len(good)/2]),
		"another kind": strings.ReplaceAll(string(good), "PRIVATE", "PUBLIC"),
	} {
		check(t, os.WriteFile(path, []byte(content), 0o600))
		if _, err := a.Key(Log); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other, _ := made(t, Options{})
	key, err := other.Key(Log)
	check(t, err)
	check(t, writeKey(path, key))
	if _, err := a.Key(Log); !errors.Is(err, ErrNoKey) {
		t.Errorf("another namespace's key: %v", err)
	}
	manifest := manifestPath(dir, 1)
	b, err := os.ReadFile(manifest)
	check(t, err)
	b[len(b)/2] ^= 1
	check(t, os.WriteFile(manifest, b, 0o600))
	if _, err := Open(dir); !errors.Is(err, ErrDamaged) {
		t.Errorf("a changed manifest: %v", err)
	}
}
