package client_test

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"communicator/client"
	"communicator/client/directory"
	"communicator/client/registrar"
	"communicator/dht/record"
	"communicator/directory/proof"
	"communicator/directory/vend"
)

// TestRekeyIsTakenBack: the old key, which is kept, takes the name back, and the name can be
// given a new key again. A contact is warned, and nobody is taken for a stranger.
func TestRekeyIsTakenBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	bobs := &clock{at: time.Now()}
	alice, bob := c.named(nil, "alice@club", vend.Open, c.node, other), c.memberAt(bobs, c.node, other)
	if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); err != nil {
		t.Fatal(err)
	}
	talk(t, bob, "Alice", alice, "via alice@club")
	first := c.shown(bob, "alice@club").IdDoc
	rekey(t, alice, "alice@club")
	c.shown(bob, "alice@club")
	o, err := alice.Object(ctx, "alice@club")
	if err != nil || o.Change != proof.Rotation || o.Version != 2 || o.Sent != 1 || !slices.Equal(o.Told, []string{"via alice@club"}) {
		t.Fatalf("%+v, %v", o, err)
	}
	if again, err := alice.Object(ctx, "alice@club"); err != nil || again.Version != 2 {
		t.Errorf("once more: %+v, %v", again, err)
	}
	if names, err := alice.OwnNames(ctx); err != nil || len(names) != 1 || proof.IdDoc(names[0].Identity) != first {
		t.Errorf("%+v, %v", names, err)
	}
	warned := false
	pass := func(hours int) {
		t.Helper()
		for range hours {
			bobs.pass(time.Hour)
			for _, e := range events(t, alice) {
				if a, ok := e.(client.Alarm); ok {
					t.Errorf("%+v", a)
				}
			}
			for _, e := range events(t, bob) {
				switch e := e.(type) {
				case client.NameWarning:
					warned = warned || strings.HasPrefix(e.Warning, "its key objects")
				case client.Alarm:
					t.Errorf("%+v", e)
				}
			}
		}
	}
	pass(30)
	c.asOwner(alice, "alice", func(o directory.Owner) {
		if s, err := o.Stock(ctx); err != nil || s.OneTime != 4 || s.Policy.Rule != vend.Open {
			t.Errorf("under the old key again: %+v, %v", s, err)
		}
	})
	own := rekey(t, alice, "alice@club")
	if res := c.shown(bob, "alice@club"); res.Statement.Version != 3 || res.IdDoc != proof.IdDoc(own.Identity) {
		t.Errorf("version %d", res.Statement.Version)
	}
	pass(30)
	if known, err := bob.Contact(ctx, "Alice"); err != nil || !warned || known.Trust != client.TrustAttested || !slices.Contains(known.Names, "alice@club") {
		t.Errorf("warned %v, %s, %v", warned, known.TrustWords(), err)
	}
	bobs.pass(-60 * time.Hour)
	talk(t, bob, "Alice", alice, "via alice@club")
}

// TestRekeyAfterAThief: somebody who copied the key rotated first. Its owner takes that
// back, and then replaces the key.
func TestRekeyAfterAThief(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	alice, bob := c.named(nil, "alice@club", vend.Open, c.node, other), c.member(c.node, other)
	stolen, err := alice.NameKey(ctx, "alice@club")
	if err != nil {
		t.Fatal(err)
	}
	c.steal("alice", stolen)
	before, err := alice.OwnNames(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Rekey(ctx, "alice@club", client.RekeyOptions{}); !errors.Is(err, client.ErrNotHolder) {
		t.Fatalf("of a name that is another's: %v", err)
	}
	if after, err := alice.OwnNames(ctx); err != nil || after[0] != before[0] {
		t.Errorf("a refusal has changed something: %+v, %v", after, err)
	}
	if o, err := alice.Object(ctx, "alice@club"); err != nil || o.Version != 2 {
		t.Fatalf("%+v, %v", o, err)
	}
	own := rekey(t, alice, "alice@club")
	if res := c.shown(bob, "alice@club"); res.Statement.Version != 3 || res.IdDoc != proof.IdDoc(own.Identity) {
		t.Errorf("version %d", res.Statement.Version)
	}
	// The name that the thief has passed it to, and the key that was stolen, have no say.
	if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); err != nil {
		t.Error(err)
	}
}

// TestRekeyIsUndoneByAThief: whoever else has the old key takes the name back with it, by a
// veto or in the log. Its owner is told, and replaces the key again.
func TestRekeyIsUndoneByAThief(t *testing.T) {
	t.Parallel()
	for _, inLog := range []bool{false, true} {
		ctx := t.Context()
		c := newClub(t)
		other := startPeer(t, c.node)
		at := &clock{at: time.Now()}
		alice, bob := c.named(at, "alice@club", vend.Open, c.node, other), c.member(c.node, other)
		stolen, err := alice.NameKey(ctx, "alice@club")
		if err != nil {
			t.Fatal(err)
		}
		first := c.shown(bob, "alice@club").IdDoc
		rekey(t, alice, "alice@club")
		c.undo("alice", stolen, first, inLog)
		told := 0
		for range 3 {
			at.pass(7 * time.Hour)
			for _, e := range events(t, alice) {
				if e == client.Event(client.Alarm{Contact: "alice@club", Kind: client.AlarmOwnName}) {
					told++
				}
			}
		}
		at.pass(-21 * time.Hour)
		if told != 1 {
			t.Errorf("in the log %v: told %d times", inLog, told)
		}
		own := rekey(t, alice, "alice@club")
		if res := c.shown(bob, "alice@club"); res.IdDoc != proof.IdDoc(own.Identity) || res.Change != proof.Rotation {
			t.Errorf("in the log %v: a %s", inLog, res.Change)
		}
		if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); err != nil {
			t.Errorf("in the log %v: the rule is lost: %v", inLog, err)
		}
	}
}

// undo takes a name back with a copy of the key that was replaced.
func (c *club) undo(label proof.Name, stolen []byte, doc proof.IdDoc, inLog bool) {
	c.t.Helper()
	ctx := c.t.Context()
	key := ed25519.NewKeyFromSeed(stolen[:ed25519.SeedSize])
	d, err := c.network.Directory(ctx, c.node.URI())
	if err != nil {
		c.t.Fatal(err)
	}
	defer d.Close()
	state, _, err := d.History(ctx, c.authority.Chain(), label)
	if err != nil {
		c.t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	e := directory.Entry{Statement: state.VetoOf(0, now)}
	if inLog {
		by := proof.By{Attesting: c.authority.Chain().Current().Attesting[0].Key, Issued: now}
		e = directory.Entry{Statement: state.UndoTo(state.Undoable(now)[0], by), Identity: doc[:],
			Secret: proof.NameSecret(record.Secret(string(label), c.authority.ID()))}
	}
	if err := e.Statement.Sign(key); err != nil {
		c.t.Fatal(err)
	}
	if _, err := d.Register(ctx, key, e, nil); err != nil {
		c.t.Fatal(err)
	}
}

// steal rotates a name to a new key with a copy of the one that it has.
func (c *club) steal(label proof.Name, stolen []byte) {
	c.t.Helper()
	ctx := c.t.Context()
	thief, manifest := newHolder(c.t), c.authority.Chain().Current()
	owner := holder{key: ed25519.NewKeyFromSeed(stolen[:ed25519.SeedSize])}
	d, err := c.network.Directory(ctx, c.node.URI())
	if err != nil {
		c.t.Fatal(err)
	}
	defer d.Close()
	state, _, err := (&registrar.Registrar{Authority: c.authority, Directory: d}).State(ctx, label)
	if err != nil {
		c.t.Fatal(err)
	}
	by := proof.By{Attesting: manifest.Attesting[0].Key, Issued: time.Now().UTC().Truncate(time.Second)}
	c.bind(label, state.Rotate(thief.doc(), proof.Hash{}, by), thief, owner)
}
