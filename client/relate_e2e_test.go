package client_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"communicator/client"
	"communicator/client/directory"
	"communicator/client/lookup"
	"communicator/dht/record"
	"communicator/directory/authority"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/particle"
)

// TestNamesThatFollow: who has two names says that one follows the other; a contact is
// told in the conversation, and anybody finds it by looking one up.
func TestNamesThatFollow(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	alice, bob := c.member(c.node, other), c.member(c.node, other)
	for _, name := range []string{"alice@club", "ally@club"} {
		if _, err := alice.Register(ctx, name, client.RegisterOptions{Token: c.token()}); err != nil {
			t.Fatal(err)
		}
		if err := alice.SetRule(ctx, name, vend.Policy{Rule: vend.Open, PerHour: 60}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); err != nil {
		t.Fatal(err)
	}
	talk(t, bob, "Alice", alice, "via alice@club")
	r, err := alice.Relate(ctx, proof.Succession, "alice@club", "ally@club", client.RelateOptions{})
	if err != nil || !slices.Equal(r.Told, []string{"via alice@club"}) || r.Sent != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	names, err := bob.Names(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice@club", "ally@club"} {
		res, err := names.FromDirectories(ctx, name)
		if err != nil || len(res.Relations) != 1 || res.Relations[0] != r.Relation {
			t.Errorf("%s: %+v, %v", name, res.Relations, err)
		}
	}
	receive(t, bob)
	known := func(name string) client.Contact {
		t.Helper()
		got, err := bob.Contact(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := known("Alice"); !slices.Equal(got.Kin.FollowedBy, []string{"ally@club"}) {
		t.Errorf("%+v", got.Kin)
	}
	if err := bob.SetVerified(ctx, "Alice", true); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Ask(ctx, "ally@club", client.AskOptions{As: "Ally"}); err != nil {
		t.Fatal(err)
	}
	if got := known("Ally"); got.Kin.From != "Alice" || got.Kin.Trust != client.TrustVerified || got.Trust != client.TrustAttested {
		t.Errorf("%+v, %s", got.Kin, got.TrustWords())
	}
	// What is said in private reaches no directory.
	if r, err := alice.Relate(ctx, proof.Equivalence, "alice@club", "via alice@club", client.RelateOptions{}); err == nil {
		t.Errorf("one identity twice: %+v", r)
	}
	if r, err := alice.Relate(ctx, proof.Equivalence, "alice@club", "ally@club", client.RelateOptions{Private: true}); err != nil || r.Sent != 0 {
		t.Errorf("in private: %+v, %v", r, err)
	}
}

// holder is an identity that a name is bound to by hand.
type holder struct {
	id  particle.Identity
	key ed25519.PrivateKey
	dh  *particle.DHPrivate
}

func newHolder(t *testing.T) holder {
	t.Helper()
	id, err := particle.NewIdentity(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := id.Marshal()
	dh, err := particle.ParseDHPrivate(b[ed25519.SeedSize:])
	if err != nil {
		t.Fatal(err)
	}
	return holder{id, ed25519.NewKeyFromSeed(b[:ed25519.SeedSize]), dh}
}

func (h holder) doc() proof.IdDoc { return proof.IdDoc(h.id.Doc()) }

// bind registers the next statement of a name, signed by these and the authority.
func (c *club) bind(label proof.Name, s proof.Statement, h holder, signers ...holder) {
	c.t.Helper()
	attesting, err := c.authority.Key(authority.Attesting)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := s.Sign(attesting); err != nil {
		c.t.Fatal(err)
	}
	for _, signer := range append(signers, h) {
		if err := s.Sign(signer.key); err != nil {
			c.t.Fatal(err)
		}
	}
	doc := h.doc()
	e := directory.Entry{Statement: s, Identity: doc[:], Secret: proof.NameSecret(record.Secret(string(label), c.authority.ID()))}
	c.asAuthority(func(ctx context.Context, a directory.Authority) error {
		_, err := a.Submit(ctx, e)
		return err
	})
}

// TestWhoKeepsAName: a name passes to another key. A contact who is known by it stays known
// if the former key has said so, by signing a rotation or that the new one follows, and
// else, after the namespace's reset, does not.
func TestWhoKeepsAName(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"rotation", "reset and succession", "reset"} {
		ctx := t.Context()
		c := newClub(t)
		other := startPeer(t, c.node)
		bobs := &clock{at: time.Now()}
		zoe, bob := c.member(c.node, other), c.memberAt(bobs, c.node, other)
		inv, err := zoe.Invite(ctx, "Bob")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bob.Accept(ctx, inv.Link, "Zoe"); err != nil {
			t.Fatal(err)
		}
		talk(t, bob, "Zoe", zoe, "Bob")

		first, next := newHolder(t), newHolder(t)
		manifest := c.authority.Chain().Current()
		by := proof.By{Attesting: manifest.Attesting[0].Key, Issued: time.Now().UTC().Truncate(time.Second)}
		state := proof.NewName(c.authority.ID(), "zoe")
		s := state.FirstBind(first.doc(), proof.Hash{}, by)
		c.bind("zoe", s, first)
		bobs.pass(time.Minute) // what is dated after now is not in force
		if err := zoe.Claim(ctx, "Bob", first.dh, s.Hash()); err != nil {
			t.Fatal(err)
		}
		knowClaim(t, zoe, bob, "Zoe", "zoe@club")

		if state, err = proof.Fold(state, s, manifest.Hold, by.Issued); err != nil {
			t.Fatal(err)
		}
		if how == "rotation" {
			c.bind("zoe", state.Rotate(next.doc(), proof.Hash{}, by), next, first)
		} else {
			c.bind("zoe", state.Reset(next.doc(), proof.Hash{}, manifest.Hold, by), next)
		}
		if how == "reset and succession" {
			rel := proof.Follows(first.doc(), next.doc(), by.Issued)
			if err := rel.Sign(first.key, next.key); err != nil {
				t.Fatal(err)
			}
			c.asAuthority(func(ctx context.Context, a directory.Authority) error {
				return directory.Owner{Client: a.Client, NS: c.authority.ID(), Name: "zoe", Key: first.key}.Relate(ctx, rel)
			})
		}
		names, err := bob.Names(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var res lookup.Result
		for range 2 {
			if how != "rotation" {
				bobs.pass(manifest.Hold + time.Hour)
			}
			if res, err = names.FromDirectories(ctx, "zoe@club"); err != nil {
				t.Fatal(err)
			}
		}
		got, err := bob.Contact(ctx, "Zoe")
		if err != nil {
			t.Fatal(err)
		}
		kept, want := how != "reset", client.TrustReset
		if kept {
			want = client.TrustAttested
		}
		if got.Trust != want || slices.Contains(got.Names, "zoe@club") != kept || res.Statement.Version != 2 {
			t.Errorf("%s: %s", how, got.TrustWords())
		}
	}
}
