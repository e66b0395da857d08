package store

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func aloneOptions() Options {
	o := testOptions()
	o.Alone, o.BusyTimeout = true, 10*time.Millisecond
	return o
}

// A profile that is used alone keeps what was committed, refuses a second user, and is
// an ordinary profile afterwards.
func TestAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "profile")
	s, err := Create(path, secret, aloneOptions())
	if err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *Tx) error { return addContact(tx, 1, "Blair") })
	for _, o := range []Options{aloneOptions(), {KDF: cheap, BusyTimeout: 10 * time.Millisecond}} {
		if other, err := Open(path, secret, o); err == nil {
			other.Close()
			t.Fatal("a second user came in")
		} else {
			wantErr(t, err, ErrBusy)
		}
	}
	for i := range 20 * aloneCheckpoint {
		update(t, s, func(tx *Tx) error { return tx.SetParticle(testID(1), bytes.Repeat([]byte{byte(i)}, 3000)) })
	}
	if wal, err := os.Stat(path + "-wal"); err != nil || wal.Size() > 2*aloneCheckpoint*4096 {
		t.Errorf("the log has %v bytes (%v)", wal.Size(), err)
	}
	var export bytes.Buffer
	if err := s.Export(t.Context(), &export, secret); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *Tx) error { return addContact(tx, 2, "Alex") }) // goes on afterwards
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, secret, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	imported, err := Import(t.Context(), path+"2", &export, secret, secret, aloneOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer imported.Close()
	for store, contacts := range map[*Store]int{again: 2, imported: 1} {
		view(t, store, func(tx *Tx) error {
			c, err := tx.Contacts()
			if len(c) != contacts {
				t.Errorf("%d contacts, want %d", len(c), contacts)
			}
			return err
		})
	}
}

// Alone, Changed wakes for each commit and for nothing else: no timer runs.
func TestAloneChanged(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := Create(filepath.Join(dir, "profile"), secret, aloneOptions())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		generations := make(chan uint64)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer close(generations)
			for gen := uint64(0); ; {
				var err error
				if gen, err = s.Changed(ctx, gen); err != nil {
					return
				}
				generations <- gen
			}
		}()
		last := <-generations // the first look
		for range 3 {
			began := time.Now()
			time.AfterFunc(time.Minute, func() { update(t, s, func(*Tx) error { return nil }) }) // changes nothing
			time.AfterFunc(time.Hour, func() {
				update(t, s, func(tx *Tx) error { return tx.SetSetting("a", []byte{1}) })
			})
			gen := <-generations
			if gen == last || time.Since(began) != time.Hour {
				t.Errorf("woke after %v from %d to %d", time.Since(began), last, gen)
			}
			last = gen
		}
		cancel()
		<-generations
	})
}
