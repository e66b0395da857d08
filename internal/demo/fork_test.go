package demo

import (
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"communicator/client/lookup"
	"communicator/directory/authority"
	"communicator/directory/proof"
)

// TestImpostor: what the lying directory attests is a proper first bind, of somebody
// else each time.
func TestImpostor(t *testing.T) {
	club, err := authority.Init(filepath.Join(t.TempDir(), "club"), authority.Options{Now: time.Now().Add(-time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	key, err := club.Key(authority.Attesting)
	if err != nil {
		t.Fatal(err)
	}
	var before proof.IdDoc
	for range 2 {
		d, err := impostor(club, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		e, err := d.Entry(func(proof.NSID, proof.Name) proof.NameSecret { return proof.NameSecret{} })
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Statement.Sign(key); err != nil {
			t.Fatal(err)
		}
		if _, err := proof.Apply(proof.NewName(club.ID(), label), e.Statement, club.Chain().Current(), time.Now()); err != nil {
			t.Errorf("the club cannot attest it: %v", err)
		}
		if proof.IdDoc(e.Identity) == before {
			t.Error("the same identity twice")
		}
		before = proof.IdDoc(e.Identity)
	}
}

// TestOnlookerOfNothing: without nodes and without a namespace there is nothing to find.
func TestOnlookerOfNothing(t *testing.T) {
	o, err := newOnlooker(t.Context(), t.TempDir(), "Erin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Lookup(t.Context(), fullName); !errors.Is(err, lookup.ErrUnknownNamespace) {
		t.Errorf("found %v", err)
	}
	if err := errors.Join(o.leave(), o.leave()); err != nil {
		t.Error(err)
	}
}
