package client_test

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"communicator/client"
	"communicator/client/directory"
	"communicator/client/lookup"
	"communicator/client/registrar"
	"communicator/directory/authority"
	"communicator/directory/proof"
	"communicator/directory/vend"
)

// named is a member who has registered a name, under a rule.
func (c *club) named(at *clock, name string, rule vend.Rule, agents ...*agent) *client.Client {
	c.t.Helper()
	p := c.memberAt(at, agents...)
	if _, err := p.Register(c.t.Context(), name, client.RegisterOptions{Token: c.token()}); err != nil {
		c.t.Fatal(err)
	}
	if err := p.SetRule(c.t.Context(), name, vend.Policy{Rule: rule, PerHour: 60}); err != nil {
		c.t.Fatal(err)
	}
	return p
}

// shown looks a name up at the directory, as anybody would.
func (c *club) shown(by *client.Client, name string) lookup.Result {
	c.t.Helper()
	names, err := by.Names(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	res, err := names.FromDirectories(c.t.Context(), name)
	if err != nil {
		c.t.Fatal(err)
	}
	return res
}

func rekey(t *testing.T, p *client.Client, name string) client.OwnName {
	t.Helper()
	own, err := p.Rekey(t.Context(), name, client.RekeyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return own
}

// TestRekey: a person replaces the key of a name by herself. Who knows her by it is told,
// and not alarmed; conversations go on; who comes later meets the new key.
func TestRekey(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	bobs := &clock{at: time.Now()}
	alice, bob, carol := c.named(nil, "alice@club", vend.Open, c.node, other), c.memberAt(bobs, c.node, other), c.member(c.node, other)
	if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); err != nil {
		t.Fatal(err)
	}
	talk(t, bob, "Alice", alice, "via alice@club")
	first := c.shown(bob, "alice@club").IdDoc

	own := rekey(t, alice, "alice@club")
	if !own.Attested || own.Published.IsZero() || proof.IdDoc(own.Identity) == first {
		t.Errorf("attested %v, published %v, the same identity %v", own.Attested, own.Published, proof.IdDoc(own.Identity) == first)
	}
	if left := time.Until(own.Undo); left < proof.DefaultHold-time.Hour || left > proof.DefaultHold+time.Hour {
		t.Errorf("the old key may take it back for %v", left)
	}
	if res := c.shown(carol, "alice@club"); res.IdDoc != proof.IdDoc(own.Identity) || res.Change != proof.Rotation {
		t.Errorf("a stranger is shown a %s, of another key %v", res.Change, res.IdDoc != proof.IdDoc(own.Identity))
	}
	// The rule and a new stock are the new key's: what carol is given she compares with it.
	if _, err := carol.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); err != nil {
		t.Fatal(err)
	}
	talk(t, carol, "Alice", alice, "via alice@club 2")

	told, claimed := 0, false
	for range 40 {
		bobs.pass(time.Hour)
		receive(t, alice)
		for _, e := range events(t, bob) {
			switch e := e.(type) {
			case client.NameRekeyed:
				told++
				if e.Contact != "Alice" || e.Name != "alice@club" || time.Until(e.Undo) < proof.DefaultHold-time.Hour {
					t.Errorf("%+v", e)
				}
			case client.ClaimChecked:
				claimed = claimed || e.Holds && e.Name == "alice@club"
			case client.Alarm, client.NameWarning:
				t.Errorf("alarmed: %+v", e)
			}
		}
	}
	bobs.pass(-40 * time.Hour) // agents have another clock
	known, err := bob.Contact(ctx, "Alice")
	if err != nil || told != 1 || !claimed || known.Trust != client.TrustAttested || !slices.Contains(known.Names, "alice@club") {
		t.Errorf("told %d times, claimed %v, %s, %v", told, claimed, known.TrustWords(), err)
	}
	talk(t, bob, "Alice", alice, "via alice@club")
}

// TestRekeyGoesOnAfterACrash: at each point the profile has the key that is shown for the
// name, nobody is let in by what the old one has left, and the same call, or a pass, ends
// with one new key.
func TestRekeyGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"rekey-drafted", "rekey-logged", "rekey-adopted", "rekey-ruled", "stocked", "rekey-moved"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			c := newClub(t)
			other := startPeer(t, c.node)
			alice, bob := c.named(nil, "alice@club", vend.Open, c.node, other), c.member(c.node, other)
			first := c.shown(bob, "alice@club").IdDoc
			alice.CrashAt(point)
			if _, err := alice.Rekey(ctx, "alice@club", client.RekeyOptions{}); !errors.Is(err, client.ErrCrash) {
				t.Fatalf("cut off: %v", err)
			}
			alice.CrashAt("")
			now := c.shown(bob, "alice@club")
			if !alice.Holds(ctx, "alice@club", now.IdDoc) || !alice.Holds(ctx, "alice@club", first) {
				t.Error("a key that can act is lost")
			}
			if logged := point != "rekey-drafted"; (now.IdDoc != first) != logged {
				t.Errorf("logged %v", now.IdDoc != first)
			}
			if slices.Contains([]string{"rekey-logged", "rekey-adopted", "rekey-ruled"}, point) {
				if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); !errors.Is(err, client.ErrNotGranted) {
					t.Errorf("let in by a package of the old key: %v", err)
				}
			}
			own := rekey(t, alice, "alice@club")
			res := c.shown(bob, "alice@club")
			if res.Statement.Version != 2 || res.IdDoc != proof.IdDoc(own.Identity) || res.IdDoc == first {
				t.Errorf("version %d, ours %v", res.Statement.Version, res.IdDoc == proof.IdDoc(own.Identity))
			}
			c.asOwner(alice, "alice", func(o directory.Owner) {
				if s, err := o.Stock(ctx); err != nil || s.OneTime == 0 || s.Policy != (vend.Policy{Rule: vend.Open, PerHour: 60}) {
					t.Errorf("%+v, %v", s, err)
				}
			})
			if own := rekey(t, alice, "alice@club"); proof.IdDoc(own.Identity) == res.IdDoc {
				t.Error("asked for once more, it does nothing")
			}
		})
	}
}

// asOwner speaks with the key that a person has for a name.
func (c *club) asOwner(p *client.Client, label proof.Name, do func(directory.Owner)) {
	c.t.Helper()
	key, err := p.NameKey(c.t.Context(), string(label)+"@club")
	if err != nil {
		c.t.Fatal(err)
	}
	d, err := c.network.Directory(c.t.Context(), c.node.URI())
	if err != nil {
		c.t.Fatal(err)
	}
	defer d.Close()
	do(directory.Owner{Client: d, NS: c.authority.ID(), Name: label, Key: ed25519.NewKeyFromSeed(key[:ed25519.SeedSize])})
}

// TestAPassGoesOnWithARekey: nobody calls again.
func TestAPassGoesOnWithARekey(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	at := &clock{at: time.Now()}
	alice, bob := c.named(at, "alice@club", vend.Open, c.node, other), c.member(c.node, other)
	alice.CrashAt("rekey-logged")
	if _, err := alice.Rekey(ctx, "alice@club", client.RekeyOptions{}); !errors.Is(err, client.ErrCrash) {
		t.Fatalf("cut off: %v", err)
	}
	alice.CrashAt("")
	told := 0
	for range 5 {
		at.pass(time.Minute)
		for _, e := range events(t, alice) {
			switch e := e.(type) {
			case client.OwnNameRekeyed:
				told++
			case client.Alarm:
				t.Errorf("alarmed by her own key: %+v", e)
			}
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); err != nil {
		t.Errorf("not stocked: %v", err)
	}
	// Who calls all the same is told that it is done.
	if own := rekey(t, alice, "alice@club"); proof.IdDoc(own.Identity) != c.shown(bob, "alice@club").IdDoc || c.shown(bob, "alice@club").Statement.Version != 2 {
		t.Error("replaced twice")
	}
}

// TestRekeyByHand: the authority attests the draft; a pass, or the same call, goes on.
func TestRekeyByHand(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	alice, bob := c.named(nil, "alice@club", vend.Open, c.node, other), c.member(c.node, other)
	key, away := c.keyFile(authority.Attesting), filepath.Join(t.TempDir(), "away")
	if err := os.Rename(key, away); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := alice.Rekey(ctx, "alice@club", client.RekeyOptions{}); !errors.Is(err, client.ErrNotAttested) {
			t.Fatalf("nobody attests: %v", err)
		}
	}
	draft, err := alice.Draft(ctx, "alice@club")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); err != nil {
		t.Errorf("meanwhile the old key is the name's: %v", err)
	}
	if err := alice.SetRule(ctx, "alice@club", vend.Policy{Rule: vend.Open, PerHour: 30}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, key); err != nil {
		t.Fatal(err)
	}
	d, err := c.network.Directory(ctx, c.node.URI())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := (&registrar.Registrar{Authority: c.authority, Directory: d}).Attest(ctx, draft); err != nil {
		t.Fatal(err)
	}
	own := rekey(t, alice, "alice@club")
	if res := c.shown(bob, "alice@club"); res.Statement.Version != 2 || res.IdDoc != proof.IdDoc(own.Identity) || string(draft.Identity) != string(own.Identity[:]) {
		t.Errorf("version %d", res.Statement.Version)
	}
	c.asOwner(alice, "alice", func(o directory.Owner) {
		if s, err := o.Stock(ctx); err != nil || s.Policy.PerHour != 30 {
			t.Errorf("a rule that was set while the draft was under way: %+v, %v", s.Policy, err)
		}
	})
}

func (c *club) keyFile(role authority.Role) string {
	return filepath.Join(c.dir, "keys", string(role)+".key")
}

// TestRekeyRefusals: each says what is wrong, and changes nothing.
func TestRekeyRefusals(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	at := &clock{at: time.Now()}
	alice := c.named(at, "alice@club", vend.Open, c.node, other)
	refuses := func(name string, want error) {
		t.Helper()
		before, err := alice.OwnNames(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := alice.Rekey(ctx, name, client.RekeyOptions{}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if after, err := alice.OwnNames(ctx); err != nil || !slices.Equal(before, after) {
			t.Errorf("%s: it has changed something: %v", name, err)
		}
	}
	refuses("bob@club", client.ErrNoName)
	refuses("alice@guild", client.ErrNoName)
	refuses("alice", proof.ErrName)
	if _, err := alice.Register(ctx, "ally@club", client.RegisterOptions{}); !errors.Is(err, client.ErrNotAttested) {
		t.Fatal(err)
	}
	refuses("ally@club", client.ErrNoName)
	d, err := c.network.Directory(ctx, c.node.URI())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&registrar.Registrar{Authority: c.authority, Directory: d}).Revoke(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	d.Close()
	refuses("alice@club", client.ErrContested)
	at.pass(proof.DefaultHold + time.Hour)
	refuses("alice@club", client.ErrNotHolder)
	c.node.stop()
	refuses("alice@club", lookup.ErrUnreachable)
}

// TestRekeyTakesRequestsAlong: who asked before is let in after, and is not told that the
// name is another's; the owner can read what they wrote.
func TestRekeyTakesRequestsAlong(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	at := &clock{at: time.Now()}
	alice, bob := c.named(nil, "alice@club", vend.Approved, c.node, other), c.memberAt(at, c.node, other)
	ask := client.AskOptions{As: "Alice", Note: "Bob, from the chess table"}
	if _, err := bob.Ask(ctx, "alice@club", ask); !errors.Is(err, client.ErrNotGranted) {
		t.Fatalf("granted before the owner decided: %v", err)
	}
	rekey(t, alice, "alice@club")
	knocks, err := alice.Knocks(ctx)
	if err != nil || len(knocks) != 1 || knocks[0].Note != ask.Note {
		t.Fatalf("knocks %+v, %v", knocks, err)
	}
	if err := alice.AnswerKnock(ctx, knocks[0].ID, true); err != nil {
		t.Fatal(err)
	}
	met := false
	for range 10 {
		at.pass(time.Minute)
		for _, e := range events(t, bob) {
			if a, ok := e.(client.Alarm); ok {
				t.Errorf("%+v", a)
			}
			met = met || isAdded(e)
		}
	}
	if !met {
		t.Fatal("the request was given up")
	}
	talk(t, bob, "Alice", alice, "via alice@club")
}

// TestRekeyTakesTokensAlong: who was invited before comes after, once.
func TestRekeyTakesTokensAlong(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	alice, bob, mallory := c.named(nil, "alice@club", vend.Invited, c.node, other), c.member(c.node, other), c.member(c.node, other)
	token, err := alice.ContactToken(ctx, "alice@club", 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	rekey(t, alice, "alice@club")
	ask := client.AskOptions{As: "Alice", Token: &token}
	if _, err := bob.Ask(ctx, "alice@club", ask); err != nil {
		t.Fatalf("with a token of before: %v", err)
	}
	if _, err := mallory.Ask(ctx, "alice@club", ask); !errors.Is(err, client.ErrNotGranted) {
		t.Errorf("with the same token again: %v", err)
	}
	talk(t, bob, "Alice", alice, "via alice@club")
}
