package store

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

const canary = "CANARY-meet-me-at-the-old-mill-CANARY"

// spyVFS keeps the decrypting files that SQLite opens through it.
type spyVFS struct{ vfs.VFS }

var spied []vfs.File

func (v spyVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := v.VFS.(vfs.VFSFilename).OpenFilename(name, flags)
	if err == nil {
		spied = append(spied, f)
	}
	return f, flags, err
}

func init() { vfs.Register("store-test-spy", spyVFS{vfs.Find(vfsName)}) }

// plaintext returns all decrypted blocks of the profile's file and of its log.
func plaintext(t *testing.T, s *Store) []byte {
	t.Helper()
	spied = nil
	q := url.Values{"vfs": {"store-test-spy"}, "hexkey": {hex.EncodeToString(s.key.expand(labelDatabase))}}
	u := url.URL{Scheme: "file", Path: s.path, RawQuery: q.Encode()}
	db, err := sqlite3.OpenFlags(u.String(), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Exec("SELECT count(*) FROM profile"); err != nil {
		t.Fatal(err)
	}
	if len(spied) != 2 {
		t.Fatalf("%d files, want the database and its log", len(spied))
	}
	var all []byte
	for _, f := range spied {
		size, err := f.Size()
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, size)
		if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func TestFilesHoldNoPlaintext(t *testing.T) {
	s := newStore(t)
	writeCanaries(t, s)
	if !bytes.Contains(plaintext(t, s), []byte(canary)) {
		t.Fatal("the test cannot see the canary: it proves nothing")
	}
	files, _ := filepath.Glob(s.path + "*")
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, clear := range []string{canary, "Canary Blair", "CREATE TABLE", "SQLite format 3", string(secret)} {
			if bytes.Contains(raw, []byte(clear)) {
				t.Errorf("%s shows %q", filepath.Base(name), clear)
			}
		}
	}
	if _, guarded := vfsutil.UnwrapFile[*walFile](spied[1]); !guarded {
		t.Error("the log's blocks are not guarded")
	}
	if len(files) < 2 {
		t.Errorf("no log was looked at: %v", files)
	}
}

func writeCanaries(t *testing.T, s *Store) {
	t.Helper()
	update(t, s, func(tx *Tx) error { return addContact(tx, 1, "Canary Blair") })
	update(t, s, func(tx *Tx) error { return tx.SetParticle(testID(1), []byte(canary)) })
	update(t, s, func(tx *Tx) error {
		_, err := tx.AddMessage(Message{ID: testID(2), Contact: testID(1), Text: canary})
		return err
	})
}

func TestDeletingErases(t *testing.T) {
	s := newStore(t)
	writeCanaries(t, s)
	update(t, s, func(tx *Tx) error { return tx.SetParticle(testID(1), []byte("next state")) })
	update(t, s, func(tx *Tx) error { _, err := tx.DeleteMessages(testID(1), 1); return err })
	if !bytes.Contains(plaintext(t, s), []byte(canary)) {
		t.Log("the log held no former page") // not a promise either way
	}
	if err := s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := plaintext(t, s)
	if bytes.Contains(all, []byte(canary)) {
		t.Error("the canary survives deleting and scrubbing")
	}
	if !bytes.Contains(all, []byte("next state")) {
		t.Error("what is stored is not there")
	}
	if fi, err := os.Stat(s.path + "-wal"); err != nil || fi.Size() != 0 {
		t.Errorf("log after scrubbing: %v, %v", fi, err)
	}
}

func TestScrubSaysWhenAReaderHoldsTheLog(t *testing.T) {
	o := testOptions()
	o.BusyTimeout = 1
	s, err := Create(filepath.Join(t.TempDir(), "profile"), secret, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	writeCanaries(t, s)
	view(t, s, func(tx *Tx) error {
		_, err := tx.Profile()
		update(t, s, func(tx *Tx) error { return tx.SetSetting("k", nil) })
		wantErr(t, s.Scrub(t.Context()), ErrBusy)
		return err
	})
	if err := s.Scrub(t.Context()); err != nil {
		t.Error(err)
	}
}
