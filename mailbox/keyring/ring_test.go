package keyring

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"communicator/mailbox/address"
	"communicator/wire"
)

var start = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func openRing(t *testing.T, dir string, now time.Time) *Ring {
	t.Helper()
	r, err := Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestKeysSurviveReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	a := openRing(t, dir, start)
	b := openRing(t, dir, start)
	keys := a.SealingKeys(start)
	if len(keys) != 2 || keys[0].Epoch != wire.EpochAt(start) || keys[1].Epoch != keys[0].Epoch+1 {
		t.Fatalf("sealing keys %+v", keys)
	}
	if !keys[1].NotBefore.Equal(keys[0].Epoch.End()) {
		t.Errorf("next epoch begins at %v", keys[1].NotBefore)
	}
	for i, k := range b.SealingKeys(start) {
		if !bytes.Equal(k.Public, keys[i].Public) {
			t.Error("another sealing key after reopening")
		}
		if b.Seal(wire.KeyIDOf(k.Public)) == nil {
			t.Error("a published key does not open")
		}
	}
	for _, caps := range []wire.Caps{0, wire.CapLifeline} {
		e := wire.EpochAt(start)
		if caps != 0 {
			e = wire.LifelineYearAt(start)
		}
		x, ok1 := a.AddressSecret(e, caps)
		y, ok2 := b.AddressSecret(e, caps)
		if !ok1 || !ok2 || !x.Equal(y) {
			t.Error("another address secret after reopening")
		}
	}
	week, mb, payload := wire.EpochAt(start), wire.MailboxID{1}, wire.PayloadHash{2}
	x, _ := a.ReplayID(week, mb, payload)
	y, ok := b.ReplayID(week, mb, payload)
	if !ok || x != y || a.Slot(wire.AccountID{3}, 4) != b.Slot(wire.AccountID{3}, 4) {
		t.Error("other digests after reopening")
	}
	z, _ := a.ReplayID(week+1, mb, payload)
	if x == z || a.Slot(wire.AccountID{3}, 5) == a.Slot(wire.AccountID{3}, 4) {
		t.Error("digests do not depend on week or number")
	}
}

func TestReplayKeysCoverEveryPut(t *testing.T) {
	r := openRing(t, t.TempDir(), start)
	last := start.Add(wire.MaxPutLife + address.ClockSkew + wire.EpochLength) // a rotation comes a week late
	for w := wire.EpochAt(start); w <= wire.EpochAt(last); w++ {
		if _, ok := r.ReplayID(w, wire.MailboxID{}, wire.PayloadHash{}); !ok {
			t.Errorf("no replay key for week %d of %d", w, wire.EpochAt(start))
		}
	}
}

func TestRotationKeepsWhatAddressesNeed(t *testing.T) {
	dir := t.TempDir()
	r := openRing(t, dir, start)
	first, id := wire.EpochAt(start), wire.KeyIDOf(r.SealingKeys(start)[0].Public)
	end := first.End().Add(wire.EpochGrace)
	path := filepath.Join(dir, entry{kindEpoch, first}.name())
	for now := start; now.Before(end); now = now.Add(24 * time.Hour) {
		if err := r.Rotate(now); err != nil {
			t.Fatal(err)
		}
		if len(r.SealingKeys(now)) != 2 {
			t.Fatalf("%v: no keys for this and the next epoch", now)
		}
		if _, ok := r.AddressSecret(first, 0); !ok || r.Seal(id) == nil {
			t.Fatalf("%v: the first epoch's secrets are gone early", now)
		}
	}
	changed := r.Changed()
	if err := r.Rotate(end); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody was told of the change")
	}
	if _, ok := r.AddressSecret(first, 0); ok || r.Seal(id) != nil {
		t.Error("the first epoch's secrets outlive their time")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its file is still there: %v", err)
	}
	if _, ok := r.ReplayID(first, wire.MailboxID{}, wire.PayloadHash{}); ok {
		t.Error("an old replay key is still there")
	}
	if _, ok := r.AddressSecret(wire.LifelineYearAt(start), wire.CapLifeline); !ok {
		t.Error("the lifeline secret is gone early")
	}
	again := openRing(t, dir, end)
	if _, ok := again.AddressSecret(first, 0); ok {
		t.Error("a deleted secret came back")
	}
}

func TestUnchangedRotationTellsNobody(t *testing.T) {
	r := openRing(t, t.TempDir(), start)
	changed := r.Changed()
	if err := r.Rotate(start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
		t.Error("a change was announced where there was none")
	default:
	}
}

func TestOpenDeletesNothing(t *testing.T) {
	dir := t.TempDir()
	openRing(t, dir, start)
	wrong := openRing(t, dir, start.AddDate(10, 0, 0))
	if _, ok := wrong.AddressSecret(wire.EpochAt(start), 0); !ok {
		t.Error("a wrong clock at the start cost a secret")
	}
}

func TestFilesAreClosedToOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	openRing(t, dir, start)
	names, err := os.ReadDir(dir)
	if err != nil || len(names) == 0 {
		t.Fatalf("%v, %d files", err, len(names))
	}
	for _, n := range names {
		info, err := n.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", n.Name(), info.Mode(), err)
		}
	}
}

func TestDamagedFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	openRing(t, dir, start)
	name := entry{kindEpoch, wire.EpochAt(start)}.name()
	path := filepath.Join(dir, name)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := map[string][]byte{
		"empty": {}, "short": good[:len(good)-1], "trailing": append(bytes.Clone(good), 0),
	}
	for _, i := range []int{0, 14, 18, 19, 30, 60, len(good) - 1} {
		flipped := bytes.Clone(good)
		flipped[i] ^= 1
		damaged["bit flipped at "+string(rune('0'+i))] = flipped
	}
	for what, content := range damaged {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, start)
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", what, err)
		}
		if kept, _ := os.ReadFile(path); !bytes.Equal(kept, content) {
			t.Errorf("%s: the file was touched", what)
		}
	}
}

func TestInterruptedWriteIsCleared(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, entry{kindEpoch, wire.EpochAt(start)}.name()+temporary)
	foreign := filepath.Join(dir, "root.key")
	for _, path := range []string{left, foreign} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openRing(t, dir, start)
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half-written file is still there: %v", err)
	}
	if b, err := os.ReadFile(foreign); err != nil || string(b) != "half" {
		t.Errorf("another's file was touched: %q %v", b, err)
	}
}

func TestEraseOverwrites(t *testing.T) {
	d, err := openDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e := entry{kindReplay, 5}
	secret := bytes.Repeat([]byte{0xa5}, secretSize)
	if err := d.write(e, e.encode(secret)); err != nil {
		t.Fatal(err)
	}
	// A second name for the same bytes shows what is left of them.
	other := filepath.Join(d.dir, "witness")
	if err := os.Link(filepath.Join(d.dir, e.name()), other); err != nil {
		t.Fatal(err)
	}
	if err := d.erase(e); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadFile(other)
	if err != nil || bytes.Contains(left, secret[:4]) {
		t.Errorf("the secret is still on the disk: %v", err)
	}
}

func TestMemoryRingIsReproducible(t *testing.T) {
	make := func(seed byte) *Ring {
		r, err := Memory(rand.NewChaCha8([32]byte{seed}), start)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	a, b, c := make(1), make(1), make(2)
	same := bytes.Equal(a.SealingKeys(start)[0].Public, b.SealingKeys(start)[0].Public)
	other := bytes.Equal(a.SealingKeys(start)[0].Public, c.SealingKeys(start)[0].Public)
	if !same || other {
		t.Errorf("same seed equal: %v, other seed equal: %v", same, other)
	}
	if err := a.Rotate(start.AddDate(3, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := Memory(io.LimitReader(strings.NewReader("too short"), 9), start); err == nil {
		t.Error("no error without randomness")
	}
}

func FuzzKeyFile(f *testing.F) {
	e := entry{kindReplay, 7}
	f.Add(e.encode(make([]byte, secretSize)))
	f.Fuzz(func(t *testing.T, content []byte) {
		secret, err := e.decode(content)
		if err == nil && !bytes.Equal(e.encode(secret), content) {
			t.Fatal("does not encode back")
		}
	})
}

func TestNames(t *testing.T) {
	for _, e := range needed(start) {
		if got, ok := parseName(e.name()); !ok || got != e {
			t.Errorf("%s parses as %+v %v", e.name(), got, ok)
		}
	}
	for _, name := range []string{"epoch-01.key", "epoch-1.key.tmp", "epoch--1.key", "root.key", "epoch-1.key~", ""} {
		if _, ok := parseName(name); ok {
			t.Errorf("%q taken for ours", name)
		}
	}
}
