package client_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"communicator/client"
	"communicator/client/directory"
	"communicator/client/lookup"
	"communicator/client/transport"
	"communicator/dht"
	"communicator/directory/authority"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/node"
	"communicator/node/config"
)

// quick is an overlay of one machine, with little work.
var quick = dht.Config{Private: true, AnyGroup: true, WorkBits: 4}

// startDirectory runs a node that serves a namespace and is an agent, too.
func startDirectory(t testing.TB, a *authority.Authority) *agent {
	t.Helper()
	settings := config.Default()
	settings.Listen, settings.AllowPrivate = []string{"/ip4/127.0.0.1/tcp/0"}, true
	settings.Admin.Listen, settings.DHT.WorkBits = "", quick.WorkBits
	settings.Roles = []string{config.RoleSending, config.RoleReceiving, config.RoleDirectory}
	return runNode(t, node.Config{Settings: settings, Namespaces: []*authority.Authority{a}})
}

func startPeer(t testing.TB, through *agent) *agent {
	t.Helper()
	settings := config.Default()
	settings.Listen, settings.AllowPrivate = []string{"/ip4/127.0.0.1/tcp/0"}, true
	settings.Admin.Listen, settings.DHT.WorkBits = "", quick.WorkBits
	settings.DHT.Bootstrap = []string{through.URI()}
	return runNode(t, node.Config{Settings: settings})
}

func runNode(t testing.TB, c node.Config) *agent {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.Key, c.Memory = key, &eventlog.Memory{}
	return serve(t, c)
}

// club is a namespace with the node that serves it.
type club struct {
	t         *testing.T
	authority *authority.Authority
	dir       string // the authority's
	node      *agent
	network   *lookup.Joined
}

func newClub(t *testing.T) *club {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "club")
	a, err := authority.Init(dir, authority.Options{Now: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	c := &club{t: t, authority: a, dir: dir, node: startDirectory(t, a)}
	host, err := transport.NewHost("")
	if err != nil {
		t.Fatal(err)
	}
	if c.network, err = lookup.Join(t.Context(), lookup.HostFunc(host), quick, []string{c.node.URI()}, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.network.Close() })
	return c
}

// token issues one that registers a name.
func (c *club) token() *vend.Token {
	c.t.Helper()
	token, err := directory.NewToken(rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	c.asAuthority(func(ctx context.Context, a directory.Authority) error {
		return a.Issue(ctx, vend.Registration, time.Now().Add(time.Hour), token)
	})
	return &token
}

func (c *club) asAuthority(do func(context.Context, directory.Authority) error) {
	c.t.Helper()
	key, err := c.authority.Key(authority.Attesting)
	if err != nil {
		c.t.Fatal(err)
	}
	d, err := c.network.Directory(c.t.Context(), c.node.URI())
	if err != nil {
		c.t.Fatal(err)
	}
	defer d.Close()
	if err := do(c.t.Context(), directory.Authority{Client: d, NS: c.authority.ID(), Key: key}); err != nil {
		c.t.Fatal(err)
	}
}

// member is a person who knows the club.
func (c *club) member(agents ...*agent) *client.Client { return c.memberAt(nil, agents...) }

// memberAt is a member with a clock of their own, unless that is nil.
func (c *club) memberAt(at *clock, agents ...*agent) *client.Client {
	c.t.Helper()
	o := options(at)
	o.Overlay = quick
	p, err := client.Create(c.t.Context(), filepath.Join(c.t.TempDir(), "profile"), []byte("pass"), o)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { p.Close() })
	for _, a := range agents {
		if _, err := p.AddAgent(c.t.Context(), a.uri(c.t)); err != nil {
			c.t.Fatal(err)
		}
	}
	names, err := p.Names(c.t.Context(), c.node.URI())
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := names.Add(c.t.Context(), c.authority.ID(), "club", c.node.URI()); err != nil {
		c.t.Fatal(err)
	}
	return p
}

// TestFirstContactByName: from a name in a namespace to a conversation, over real nodes.
func TestFirstContactByName(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	alice, bob := c.member(c.node, other), c.member(c.node, other)

	if _, err := alice.Register(ctx, "alice@club", client.RegisterOptions{}); !errors.Is(err, client.ErrNotAttested) {
		t.Fatalf("without a token: %v", err)
	}
	own, err := alice.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()})
	if err != nil {
		t.Fatal(err)
	}
	if !own.Attested || own.Label != "alice" {
		t.Errorf("registered %+v", own)
	}
	if again, err := alice.Register(ctx, "alice@club", client.RegisterOptions{}); err != nil || again.Identity != own.Identity {
		t.Errorf("registered again: %v", err)
	}
	if _, err := bob.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()}); !errors.Is(err, client.ErrNameTaken) {
		t.Errorf("somebody else's name: %v", err)
	}

	// Found through the overlay, which the registration has filled.
	names, err := bob.Names(ctx)
	if err != nil {
		t.Fatal(err)
	}
	res, err := names.Lookup(ctx, "alice@club")
	if err != nil {
		t.Fatal(err)
	}
	if !res.FromOverlay || [129]byte(res.IdDoc) != [129]byte(own.Identity) {
		t.Errorf("found from the overlay: %v", res.FromOverlay)
	}

	lateInTheOverlay(t, c, "alice@club")

	// Closed until alice says otherwise.
	if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); !errors.Is(err, client.ErrNotGranted) {
		t.Fatalf("asked without permission: %v", err)
	}
	if err := alice.SetRule(ctx, "alice@club", vend.Policy{Rule: vend.Open, PerHour: 60}); err != nil {
		t.Fatal(err)
	}
	contact, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"})
	if err != nil {
		t.Fatal(err)
	}
	if contact.Trust != client.TrustAttested || !slices.Contains(contact.Names, "alice@club") {
		t.Errorf("trust %v, names %v", contact.Trust, contact.Names)
	}
	if asking, err := bob.Asking(ctx); err != nil || len(asking) != 0 {
		t.Errorf("still asking %v, %v", asking, err)
	}
	talk(t, bob, "Alice", alice, "via alice@club")
}

// lateInTheOverlay: whoever could not enter the overlay at first reads it all the same
// once they know somebody.
func lateInTheOverlay(t *testing.T, c *club, name string) {
	t.Helper()
	ctx := t.Context()
	at := &clock{at: time.Now()}
	o := options(at)
	o.Overlay = quick
	carol, err := client.Create(ctx, filepath.Join(t.TempDir(), "profile"), []byte("pass"), o)
	if err != nil {
		t.Fatal(err)
	}
	defer carol.Close()
	for range 2 {
		names, err := carol.Names(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := names.Add(ctx, c.authority.ID(), "club", c.node.URI()); err != nil {
			t.Fatal(err)
		}
		at.pass(2 * time.Minute)
	}
	names, err := carol.Names(ctx)
	if err != nil {
		t.Fatal(err)
	}
	res, err := names.Lookup(ctx, name)
	if err != nil || !res.FromOverlay {
		t.Errorf("found in the overlay: %v, %v", res.FromOverlay, err)
	}
}

// TestOwnerApproves: the owner reads a sealed note and decides.
func TestOwnerApproves(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	alice, bob := c.member(c.node, other), c.member(c.node, other)
	for person, name := range map[*client.Client]string{alice: "alice@club", bob: "bob@club"} {
		if _, err := person.Register(ctx, name, client.RegisterOptions{Token: c.token()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := alice.SetRule(ctx, "alice@club", vend.Policy{Rule: vend.Approved, PerHour: 60}); err != nil {
		t.Fatal(err)
	}
	ask := client.AskOptions{As: "Alice", Claim: "bob@club", Note: "Bob, from the chess table"}
	if _, err := bob.Ask(ctx, "alice@club", ask); !errors.Is(err, client.ErrNotGranted) {
		t.Fatalf("granted before the owner decided: %v", err)
	}
	knocks, err := alice.Knocks(ctx)
	if err != nil || len(knocks) != 1 || knocks[0].Note != ask.Note || knocks[0].Name != "alice@club" {
		t.Fatalf("knocks %+v, %v", knocks, err)
	}
	if err := alice.AnswerKnock(ctx, "00", true); !errors.Is(err, client.ErrNoSuchRequest) {
		t.Errorf("an unknown request: %v", err)
	}
	if err := alice.AnswerKnock(ctx, knocks[0].ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Ask(ctx, "alice@club", ask); err != nil {
		t.Fatal(err)
	}
	talk(t, bob, "Alice", alice, "via alice@club")

	// Bob has claimed his name in the conversation: once alice has looked it up she
	// knows that it is him.
	knowClaim(t, bob, alice, "via alice@club", "bob@club")
}

// TestContactsCatchAForkedLog: a directory shows two people different logs, who merely
// talk.
func TestContactsCatchAForkedLog(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	alice, bob := c.member(c.node, other), c.member(c.node, other)
	if _, err := alice.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()}); err != nil {
		t.Fatal(err)
	}
	if err := alice.SetRule(ctx, "alice@club", vend.Policy{Rule: vend.Open, PerHour: 60}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Register(ctx, "bob@club", client.RegisterOptions{Token: c.token()}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice", Claim: "bob@club"}); err != nil {
		t.Fatal(err)
	}
	talk(t, bob, "Alice", alice, "via alice@club")
	knowClaim(t, bob, alice, "via alice@club", "bob@club")

	// Bob, and nobody else, is shown a log of the same size with another history.
	c.lieTo(bob)
	until(t, "alarmed", func() bool {
		send(t, bob, "Alice", "hm")
		receive(t, bob)
		events, err := alice.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(events, func(e client.Event) bool {
			a, ok := e.(client.Alarm)
			return ok && a.Kind == client.AlarmNamespace
		})
	})
	hers, err := alice.Names(ctx)
	if err != nil {
		t.Fatal(err)
	}
	space, err := hers.Namespace(ctx, "club")
	if err != nil {
		t.Fatal(err)
	}
	if !space.Frozen {
		t.Fatal("alarmed and not frozen")
	}
	fork, err := proof.ParseFork(space.Fork)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fork.VerifyAlone(); err != nil {
		t.Errorf("the proof convinces nobody else: %v", err)
	}
	if contact, err := alice.Contact(ctx, "via alice@club"); err != nil || contact.Trust != client.TrustReset {
		t.Errorf("known by a name of that namespace, and still %v, %v", contact.Trust, err)
	}
}

// knowClaim has a look a contact's name up, until the contact is known by it.
func knowClaim(t *testing.T, by, a *client.Client, contact, name string) {
	t.Helper()
	names, err := a.Names(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := names.FromDirectories(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	until(t, contact+" known as "+name, func() bool {
		receive(t, by)
		receive(t, a)
		known, err := a.Contact(t.Context(), contact)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(known.Names, name) && known.Trust == client.TrustAttested
	})
}

// talk has two people who just met write to each other.
func talk(t *testing.T, a *client.Client, peerOfA string, b *client.Client, peerOfB string) {
	t.Helper()
	send(t, a, peerOfA, "hello by name")
	if got := comes(t, b, a); !slices.Equal(got, []string{"hello by name"}) {
		t.Fatalf("b got %q", got)
	}
	send(t, b, peerOfB, "hello back")
	if got := comes(t, a, b); !slices.Equal(got, []string{"hello back"}) {
		t.Fatalf("a got %q", got)
	}
}

// comes is the first that somebody receives. The sender goes on too: an agent that failed
// is replaced.
func comes(t *testing.T, to, from *client.Client) (got []string) {
	t.Helper()
	until(t, "received", func() bool {
		if got = receive(t, to); len(got) == 0 {
			receive(t, from)
		}
		return len(got) > 0
	})
	return got
}

// lieTo has somebody forget what the log showed, and shows them another one.
func (c *club) lieTo(p *client.Client) {
	c.t.Helper()
	ctx := c.t.Context()
	fail := func(err error) {
		if err != nil {
			c.t.Fatal(err)
		}
	}
	names, err := p.Names(ctx)
	fail(err)
	seen, err := names.Checkpoints(ctx)
	fail(err)
	lie, err := proof.OpenCheckpoint(seen[c.authority.ID()], c.authority.ID(), c.authority.Chain().Current())
	fail(err)
	lie.Root[0] ^= 1
	key, err := c.authority.Key(authority.Log)
	fail(err)
	note, err := proof.SignCheckpoint(lie, key)
	fail(err)
	fail(names.Forget(ctx, c.authority.ID()))
	fail(names.Observe(ctx, note))
}

// TestLookupThatCatchesALogTakesTrustAway: at once, without a word from any contact.
func TestLookupThatCatchesALogTakesTrustAway(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	alice, bob := c.member(c.node, other), c.member(c.node, other)
	if _, err := alice.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()}); err != nil {
		t.Fatal(err)
	}
	if err := alice.SetRule(ctx, "alice@club", vend.Policy{Rule: vend.Open, PerHour: 60}); err != nil {
		t.Fatal(err)
	}
	if known, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); err != nil || known.Trust != client.TrustAttested {
		t.Fatalf("%v, %v", known.Trust, err)
	}
	c.lieTo(bob)
	names, err := bob.Names(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := names.FromDirectories(ctx, "alice@club"); !errors.Is(err, lookup.ErrFrozen) {
		t.Fatalf("looked up: %v", err)
	}
	if known, err := bob.Contact(ctx, "Alice"); err != nil || known.Trust != client.TrustReset || known.Why != client.ResetConflict {
		t.Errorf("known as %s, %v", known.TrustWords(), err)
	}
	told := 0
	for range 2 {
		for _, e := range events(t, bob) {
			if a, ok := e.(client.Alarm); ok && a.Kind == client.AlarmNamespace {
				told++
			}
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}
