package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

var (
	cheap  = KDF{Time: 1, Memory: 64, Threads: 1}
	secret = []byte("correct horse")
	noon   = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
)

func testOptions() Options {
	return Options{KDF: cheap, Now: func() time.Time { return noon }, Poll: 5 * time.Millisecond}
}

// newStore makes a profile in a fresh folder and closes it with the test.
func newStore(t testing.TB) *Store {
	t.Helper()
	s, err := Create(filepath.Join(t.TempDir(), "profile"), secret, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func update(t testing.TB, s *Store, fn func(*Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, s *Store, fn func(*Tx) error) {
	t.Helper()
	if err := s.View(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

func testID(b byte) (id ID) { id[0], id[15] = b, ^b; return id }

func bytes32(b byte) (v [32]byte) { v[0], v[31] = b, ^b; return v }

// addContact stores a contact with an agent to go with it.
func addContact(tx *Tx, b byte, name string) error {
	return tx.AddContact(Contact{ID: testID(b), Name: name, State: ContactEstablished, Particle: []byte{b}})
}
