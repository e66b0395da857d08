package store

import (
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkUpdate is the least that sending costs: one durable state change
// over a particle state and an outbox row.
func BenchmarkUpdate(b *testing.B) {
	s := newStore(b)
	update(b, s, func(tx *Tx) error { return addContact(tx, 1, "Blair") })
	state, text := make([]byte, 8<<10), make([]byte, 4<<10)
	var id ID
	for i := 0; b.Loop(); i++ {
		id[0], id[1], id[2] = byte(i), byte(i>>8), byte(i>>16)
		update(b, s, func(tx *Tx) error {
			if err := tx.SetParticle(testID(1), state); err != nil {
				return err
			}
			return tx.Enqueue(Outgoing{ID: id, Contact: testID(1), Ciphertext: text, NotAfter: noon.Add(time.Hour)})
		})
	}
}

func BenchmarkView(b *testing.B) {
	s := newStore(b)
	update(b, s, func(tx *Tx) error { return addContact(tx, 1, "Blair") })
	for b.Loop() {
		view(b, s, func(tx *Tx) error { _, err := tx.Contact(testID(1)); return err })
	}
}

func BenchmarkOpenDefaultKDF(b *testing.B) {
	o := testOptions()
	o.KDF = DefaultKDF
	path := filepath.Join(b.TempDir(), "p")
	s, err := Create(path, secret, o)
	if err != nil {
		b.Fatal(err)
	}
	s.Close()
	for b.Loop() {
		s, err := Open(path, secret, o)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
