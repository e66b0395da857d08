package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/vfs"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

func TestCreateOpenClose(t *testing.T) {
	s := newStore(t)
	update(t, s, func(tx *Tx) error { return tx.SetSetting("k", []byte("v")) })
	if _, err := Create(s.path, secret, testOptions()); !errors.Is(err, ErrExists) {
		t.Fatalf("second Create: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, s.Close(), ErrClosed)
	wantErr(t, s.Update(t.Context(), func(*Tx) error { return nil }), ErrClosed)
	wantErr(t, s.View(t.Context(), func(*Tx) error { return nil }), ErrClosed)
	left, _ := filepath.Glob(s.path + "?*")
	if len(left) != 0 {
		t.Errorf("left beside the profile: %v", left)
	}
	for _, bad := range []string{"correct hors", "correct horse "} {
		_, err := Open(s.path, []byte(bad), testOptions())
		wantErr(t, err, ErrWrongPassphrase)
	}
	_, err := Open(s.path, nil, testOptions())
	wantErr(t, err, ErrEmptyPassphrase)
	again, err := Open(s.path, secret, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	view(t, again, func(tx *Tx) error {
		if v, err := tx.Setting("k"); err != nil || string(v) != "v" {
			t.Errorf("setting after reopening: %q, %v", v, err)
		}
		p, err := tx.Profile()
		if err == nil && (!p.Created.Equal(noon) || !p.Imported.IsZero()) {
			t.Errorf("profile: %+v", p)
		}
		return err
	})
	for _, suffix := range []string{"", "-wal"} {
		if fi, err := os.Stat(s.path + suffix); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%q: %v, %v", suffix, fi, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "none"), secret, testOptions())
	wantErr(t, err, ErrNotFound)
	for name, content := range map[string][]byte{
		"empty": nil, "short": []byte(slotMagic), "text": bytes.Repeat([]byte("no profile\n"), 2000),
		"zeros": make([]byte, 3*headerSize),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path, secret, testOptions())
		wantErr(t, err, ErrNotProfile)
		_, err = Create(path, secret, testOptions())
		wantErr(t, err, ErrExists)
		if after, _ := os.ReadFile(path); !bytes.Equal(after, content) {
			t.Errorf("%s was changed", name)
		}
	}
}

func TestNewerFormatsAreRefused(t *testing.T) {
	s := newStore(t)
	update(t, s, func(tx *Tx) error { return tx.conn.db.Exec(fmt.Sprintf("PRAGMA user_version = %d", Format+1)) })
	s.Close()
	_, err := Open(s.path, secret, testOptions())
	wantErr(t, err, ErrNewerFormat)

	header, err := readHeader(s.path)
	if err != nil {
		t.Fatal(err)
	}
	header[9] = slotVersion + 1
	if err := os.WriteFile(s.path, header, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(s.path, secret, testOptions())
	wantErr(t, err, ErrNewerFormat)
}

func TestDamagedBlocksAreReported(t *testing.T) {
	s := newStore(t)
	update(t, s, func(tx *Tx) error { return addContact(tx, 1, "Blair") })
	s.Close()
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte{1}, headerSize+100)
	f.Close()
	_, err = Open(s.path, secret, testOptions())
	wantErr(t, err, ErrDamaged)
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	s := newStore(t)
	boom := errors.New("boom")
	ctx, cancel := context.WithCancel(t.Context())
	put := func(tx *Tx) error { return tx.SetSetting("half", []byte("x")) }
	var kept *Tx
	cases := map[string]func() error{
		"error":     func() error { return s.Update(ctx, func(tx *Tx) error { put(tx); return boom }) },
		"cancelled": func() error { return s.Update(ctx, func(tx *Tx) error { kept = tx; cancel(); return put(tx) }) },
		"before":    func() error { return s.Update(ctx, put) },
	}
	wantErr(t, cases["error"](), boom)
	wantErr(t, cases["cancelled"](), context.Canceled)
	wantErr(t, cases["before"](), context.Canceled)
	func() {
		defer func() {
			if recover() != "panic" {
				t.Error("the panic was swallowed")
			}
		}()
		s.Update(t.Context(), func(tx *Tx) error { put(tx); panic("panic") })
	}()
	wantErr(t, put(kept), ErrTxDone)
	wantErr(t, s.View(t.Context(), put), ErrReadOnly)
	view(t, s, func(tx *Tx) error {
		_, err := tx.Setting("half")
		wantErr(t, err, ErrNotFound)
		return nil
	})
	update(t, s, put) // and the store goes on
}

func TestBusyIsTypedAndChangesNothing(t *testing.T) {
	s := newStore(t)
	o := testOptions()
	o.BusyTimeout = 20 * time.Millisecond
	other, err := Open(s.path, secret, o)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	update(t, s, func(tx *Tx) error {
		if err := tx.SetSetting("k", []byte("first")); err != nil {
			return err
		}
		wantErr(t, other.Update(t.Context(), func(*Tx) error { t.Error("ran"); return nil }), ErrBusy)
		view(t, other, func(tx *Tx) error { // readers do not wait, and see nothing yet
			_, err := tx.Setting("k")
			wantErr(t, err, ErrNotFound)
			return nil
		})
		return nil
	})
	update(t, other, func(tx *Tx) error { return tx.SetSetting("k", []byte("second")) })
}

func TestConnectionsAreDurableAndErase(t *testing.T) {
	s := newStore(t)
	for name, fn := range map[string]func(*testing.T, *Store, func(*Tx) error){
		"writer": func(t *testing.T, s *Store, fn func(*Tx) error) { update(t, s, fn) },
		"reader": func(t *testing.T, s *Store, fn func(*Tx) error) { view(t, s, fn) },
	} {
		fn(t, s, func(tx *Tx) error {
			// 2 is FULL for synchronous and memory for temp_store.
			for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "secure_delete": "1",
				"foreign_keys": "1", "temp_store": "2", "journal_size_limit": "0", "trusted_schema": "0"} {
				if got, err := one(tx, (*row).text, "PRAGMA "+pragma); err != nil || got != want {
					t.Errorf("%s: %s is %q, want %q (%v)", name, pragma, got, want, err)
				}
			}
			return nil
		})
	}
}

func TestFullDiskIsTypedAndChangesNothing(t *testing.T) {
	s := newStore(t)
	limit := func(pages string) {
		update(t, s, func(tx *Tx) error { return tx.conn.db.Exec("PRAGMA max_page_count = " + pages) })
	}
	limit("1") // SQLite takes it as: no page more than there are
	err := s.Update(t.Context(), func(tx *Tx) error {
		return errors.Join(tx.SetSetting("small", []byte("x")), tx.SetSetting("large", make([]byte, 1<<20)))
	})
	wantErr(t, err, ErrFull)
	limit("1000000")
	update(t, s, func(tx *Tx) error {
		_, err := tx.Setting("small")
		wantErr(t, err, ErrNotFound)
		return tx.SetSetting("large", make([]byte, 1<<20))
	})
}

// TestReadersNeverSeeATornBlock writes and reads values of one repeated byte as
// fast as it can. Without the guard of walFile this fails a few times in ten
// thousand commits; COMMUNICATOR_SOAK=1 makes that many.
func TestReadersNeverSeeATornBlock(t *testing.T) {
	const stores, keys, size = 3, 3, 3500
	s := newStore(t)
	commits := 40
	if os.Getenv("COMMUNICATOR_SOAK") == "1" {
		commits = 5000
	}
	ctx, cancel := context.WithCancel(t.Context())
	var writers, readers errgroup.Group
	for i := range stores {
		own, err := Open(s.path, secret, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		defer own.Close()
		writers.Go(func() error {
			for n := range commits {
				if err := own.Update(t.Context(), func(tx *Tx) error {
					return tx.SetSetting(string(rune('a'+(n+i)%keys)), bytes.Repeat([]byte{byte(n)}, size))
				}); err != nil {
					return err
				}
			}
			return nil
		})
		readers.Go(func() error {
			for ctx.Err() == nil {
				if err := own.View(t.Context(), func(tx *Tx) error { return uniform(tx, keys, size) }); err != nil {
					return err
				}
			}
			return nil
		})
	}
	werr := writers.Wait()
	cancel()
	if err := errors.Join(werr, readers.Wait()); err != nil {
		t.Fatal(err)
	}
	integrity(t, s)
}

func uniform(tx *Tx, keys, size int) error {
	for k := range keys {
		v, err := tx.Setting(string(rune('a' + k)))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if len(v) != size || bytes.Count(v, v[:1]) != size {
			return errors.New("a torn value")
		}
	}
	return nil
}

func TestFailedCommitStopsTheStore(t *testing.T) {
	s := newStore(t)
	err := s.Update(t.Context(), func(tx *Tx) error {
		// A foreign key that is checked at the commit makes it fail.
		return errors.Join(tx.conn.db.Exec("PRAGMA defer_foreign_keys = ON"),
			tx.Enqueue(Outgoing{ID: testID(1), Contact: testID(9), Ciphertext: []byte{1}, NotAfter: noon}))
	})
	wantErr(t, err, ErrStopped)
	wantErr(t, s.Update(t.Context(), func(*Tx) error { return nil }), ErrStopped)
	view(t, s, func(tx *Tx) error {
		_, err := tx.Outgoing(testID(1))
		wantErr(t, err, ErrNotFound)
		return nil
	})
}

func TestChangePassphrase(t *testing.T) {
	s := newStore(t)
	fresh := []byte("battery staple")
	wantErr(t, s.ChangePassphrase(t.Context(), fresh, secret), ErrWrongPassphrase)
	wantErr(t, s.ChangePassphrase(t.Context(), secret, nil), ErrEmptyPassphrase)
	before, _ := readHeader(s.path)
	if err := s.ChangePassphrase(t.Context(), secret, fresh); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *Tx) error { return tx.SetSetting("k", nil) }) // the open store goes on
	_, err := Open(s.path, secret, testOptions())
	wantErr(t, err, ErrWrongPassphrase)
	after, _ := readHeader(s.path)
	if !bytes.Equal(after[:slotBlock], make([]byte, slotBlock)) {
		t.Error("the old slot was not wiped")
	}

	// A crash between the two writes leaves both slots; one torn leaves the other.
	both := append(bytes.Clone(before[:slotBlock]), after[slotBlock:]...)
	for _, pass := range [][]byte{secret, fresh} {
		if _, _, _, err := unlock(both, pass); err != nil {
			t.Errorf("both slots, %q: %v", pass, err)
		}
	}
	both[slotBlock+70] ^= 1
	if _, _, _, err := unlock(both, secret); err != nil {
		t.Errorf("second slot torn: %v", err)
	}
	_, _, _, err = unlock(both, fresh)
	wantErr(t, err, ErrWrongPassphrase)
	if err := s.ChangePassphrase(t.Context(), fresh, secret); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.path, secret, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestChangedSeesEveryCommit(t *testing.T) {
	s := newStore(t)
	other, err := Open(s.path, secret, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	gen, err := s.Changed(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, writer := range []*Store{s, other, s, other} {
		value := []byte{byte(i)}
		if now, err := s.Generation(t.Context()); err != nil || now != gen {
			t.Fatalf("generation moved without a commit: %d, %v", now, err)
		}
		got := make(chan error, 1)
		go func() {
			var err error
			gen, err = s.Changed(t.Context(), gen)
			got <- err
		}()
		update(t, writer, func(tx *Tx) error { return tx.SetSetting("k", value) })
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		view(t, s, func(tx *Tx) error {
			if v, err := tx.Setting("k"); err != nil || !bytes.Equal(v, value) {
				t.Errorf("after Changed: %v, %v", v, err)
			}
			return nil
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Changed(ctx, gen)
	wantErr(t, err, context.Canceled)
	waiting := make(chan error, 1)
	go func() { _, err := s.Changed(t.Context(), gen); waiting <- err }()
	s.Close()
	wantErr(t, <-waiting, ErrClosed)
}

// TestWALBlocksAreGuarded holds the lock of one block as another process would
// and checks that reading it waits while reading the next one does not.
func TestWALBlocksAreGuarded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wal")
	if err := os.WriteFile(path, make([]byte, 2*slotBlock), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func() (*os.File, *walFile) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f, &walFile{osFile{f: f}, f.Fd()}
	}
	_, writer := open()
	_, reader := open()
	if err := writer.lock(unix.F_WRLCK, 0, slotBlock); err != nil {
		t.Fatal(err)
	}
	block := make([]byte, slotBlock)
	if _, err := reader.ReadAt(block, slotBlock); err != nil {
		t.Fatal(err)
	}
	probe, probing := open()
	read := make(chan byte)
	go func() {
		b := make([]byte, slotBlock)
		reader.ReadAt(b, 0)
		read <- b[0]
	}()
	if _, err := writer.File.WriteAt([]byte{7}, 0); err != nil {
		t.Fatal(err)
	}
	held := unix.Flock_t{Type: unix.F_WRLCK, Len: slotBlock}
	if err := unix.FcntlFlock(probe.Fd(), unix.F_OFD_SETLK, &held); err == nil {
		t.Fatal("the block is not locked")
	}
	if err := writer.lock(unix.F_UNLCK, 0, slotBlock); err != nil {
		t.Fatal(err)
	}
	if b := <-read; b != 7 {
		t.Errorf("read %d while the block was being written", b)
	}
	if _, err := probing.WriteAt(block, 0); err != nil { // no lock stays behind
		t.Error(err)
	}
}

// osFile is as much of a vfs.File as a walFile uses.
type osFile struct {
	vfs.File
	f *os.File
}

func (o osFile) ReadAt(p []byte, off int64) (int, error)  { return o.f.ReadAt(p, off) }
func (o osFile) WriteAt(p []byte, off int64) (int, error) { return o.f.WriteAt(p, off) }
