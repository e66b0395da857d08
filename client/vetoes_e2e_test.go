package client_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"communicator/client"
	"communicator/client/registrar"
	"communicator/dht"
	"communicator/dht/record"
	"communicator/directory/proof"
	"communicator/directory/vend"
)

// TestVetoTakesOtherWays: a veto reaches contacts in their conversations and lies in the
// overlay, whatever the namespace's directories make of it.
func TestVetoTakesOtherWays(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	at := &clock{at: time.Now()}
	bobs := &clock{at: time.Now()}
	alice, bob := c.memberAt(at, other, c.node), c.memberAt(bobs, c.node, other)
	own, err := alice.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()})
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.SetRule(ctx, "alice@club", vend.Policy{Rule: vend.Open, PerHour: 60}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); err != nil {
		t.Fatal(err)
	}
	talk(t, bob, "Alice", alice, "via alice@club")
	d, err := c.network.Directory(ctx, c.node.URI())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := (&registrar.Registrar{Authority: c.authority, Directory: d}).Revoke(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	o, err := alice.Object(ctx, "alice@club")
	if err != nil || o.Sent != 1 || !o.InOverlay || !slices.Equal(o.Told, []string{"via alice@club"}) {
		t.Fatalf("%+v, %v", o, err)
	}
	told := 0
	for range 3 {
		for _, e := range events(t, bob) {
			if e == client.Event(client.NameVetoed{Contact: "Alice", Name: "alice@club", Version: 2}) {
				told++
			}
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}

	key := proof.IdDoc(own.Identity).Key()
	secret := record.NameSecret(proof.RevocationID(key))
	found := func() proof.Hash {
		t.Helper()
		blind, err := record.Blind(key[:], secret, record.EpochAt(time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		places := blind.Locations()
		answer, err := c.network.Overlay().LookupAll(ctx, places[:], nil)
		if err != nil {
			t.Fatal(err)
		}
		payload, header, err := record.Open(key[:], secret, record.EpochAt(time.Now()), answer.Record)
		if err != nil || header.Version != 2 {
			t.Fatalf("version %d, %v", header.Version, err)
		}
		said, err := proof.ParseSaid(payload)
		if err != nil || len(said) != 1 || said[0].Kind != proof.Veto || said[0].Name != "alice" {
			t.Fatalf("%+v, %v", said, err)
		}
		return said[0].Hash()
	}
	first := found()
	// Peers forget it, so it is published again.
	at.pass(dht.RepublishEvery + time.Hour)
	events(t, alice)
	if names, err := alice.OwnNames(ctx); err != nil || len(names) != 1 || at.now().Sub(names[0].Objected) > time.Minute {
		t.Errorf("published last at %v, %v", names, err)
	}
	at.pass(-dht.RepublishEvery - time.Hour)
	// Said again it is the same veto, and nobody is told twice of it.
	if _, err := alice.Object(ctx, "alice@club"); err != nil {
		t.Fatal(err)
	}
	if again := found(); again != first {
		t.Error("another veto")
	}
	for range 2 {
		for _, e := range events(t, bob) {
			if _, ok := e.(client.NameVetoed); ok {
				t.Error("told again")
			}
		}
	}
	// Bob's client looks the name up by itself, and says once what it makes of it.
	warned := 0
	for range 40 {
		bobs.pass(time.Hour)
		for _, e := range events(t, bob) {
			if w, ok := e.(client.NameWarning); ok && w.Contact == "Alice" && strings.HasPrefix(w.Warning, "its key objects") {
				warned++
			}
		}
	}
	if known, err := bob.Contact(ctx, "Alice"); err != nil || warned != 1 || known.Trust != client.TrustAttested {
		t.Errorf("warned %d times, %s, %v", warned, known.TrustWords(), err)
	}
}
