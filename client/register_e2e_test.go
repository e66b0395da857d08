package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"communicator/client"
	"communicator/client/directory"
	"communicator/client/registrar"
	"communicator/dht/record"
	"communicator/directory/authority"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/wire"
)

// TestRegisterAgainAfterTheDraftAged: a directory takes fresh statements; whoever comes
// late hands in a new one, for the same identity.
func TestRegisterAgainAfterTheDraftAged(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	at := &clock{at: time.Now().Add(-20 * time.Minute)}
	alice := c.memberAt(at, c.node)
	if _, err := alice.Register(ctx, "alice@club", client.RegisterOptions{}); !errors.Is(err, client.ErrNotAttested) {
		t.Fatalf("without a token: %v", err)
	}
	first, err := alice.Draft(ctx, "alice@club")
	if err != nil {
		t.Fatal(err)
	}
	var refused *wire.StatusError
	if _, err := alice.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()}); !errors.As(err, &refused) {
		t.Fatalf("with a statement of 20 minutes ago: %v", err)
	}
	if _, err := alice.Draft(ctx, "alice@club"); !errors.Is(err, client.ErrNoName) {
		t.Errorf("a refused draft is still given out: %v", err)
	}
	at.pass(20 * time.Minute)
	own, err := alice.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()})
	if err != nil {
		t.Fatal(err)
	}
	if !own.Attested || !bytes.Equal(first.Identity, own.Identity[:]) {
		t.Error("the identity that may have been attested was given up")
	}
}

// TestRegisterByHandLate: the authority attests a draft that we have replaced since.
func TestRegisterByHandLate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	at := &clock{at: time.Now()}
	alice := c.memberAt(at, c.node)
	var drafts [2]directory.Draft
	for i := range drafts {
		if _, err := alice.Register(ctx, "alice@club", client.RegisterOptions{}); !errors.Is(err, client.ErrNotAttested) {
			t.Fatalf("without a token: %v", err)
		}
		draft, err := alice.Draft(ctx, "alice@club")
		if err != nil {
			t.Fatal(err)
		}
		drafts[i] = draft
		at.pass(4 * time.Minute)
	}
	if bytes.Equal(drafts[0].Statement, drafts[1].Statement) {
		t.Error("a draft that no authority takes any more was given out again")
	}
	key, err := c.authority.Key(authority.Attesting)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := drafts[0].Entry(func(ns proof.NSID, name proof.Name) proof.NameSecret {
		return proof.NameSecret(record.Secret(string(name), ns))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := entry.Statement.Sign(key); err != nil {
		t.Fatal(err)
	}
	c.asAuthority(func(ctx context.Context, a directory.Authority) error {
		_, err := a.Submit(ctx, entry)
		return err
	})
	own, err := alice.Register(ctx, "alice@club", client.RegisterOptions{})
	if err != nil || !own.Attested {
		t.Errorf("attested by hand: %v", err)
	}
}

// TestRegisterTwiceAtOnce: two calls for one name agree on one identity.
func TestRegisterTwiceAtOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	alice := c.member(c.node)
	var wg sync.WaitGroup
	var got [2]client.OwnName
	for i := range got {
		token := c.token()
		wg.Go(func() {
			for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); { // who is second may be told to ask again
				var err error
				if got[i], err = alice.Register(ctx, "alice@club", client.RegisterOptions{Token: token}); err == nil {
					return
				}
			}
		})
	}
	wg.Wait()
	names, err := alice.Names(ctx)
	if err != nil {
		t.Fatal(err)
	}
	res, err := names.FromDirectories(ctx, "alice@club")
	if err != nil {
		t.Fatal(err)
	}
	for i, own := range got {
		if !own.Attested || [129]byte(own.Identity) != [129]byte(res.IdDoc) {
			t.Errorf("call %d: attested %v, and not with the identity that is kept", i, own.Attested)
		}
	}
}

// TestSharedPackageWhenTheStockIsDrained: more people come than there are one-time
// packages; the later ones share the last one, and all can talk.
func TestSharedPackageWhenTheStockIsDrained(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	alice := c.member(c.node, other)
	if _, err := alice.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()}); err != nil {
		t.Fatal(err)
	}
	if err := alice.SetRule(ctx, "alice@club", vend.Policy{Rule: vend.Open, PerHour: 60}); err != nil {
		t.Fatal(err)
	}
	const people, oneTime = 6, 4
	var last []*client.Client
	for i := range people {
		p := c.member(c.node, other)
		if _, err := p.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); err != nil {
			t.Fatalf("person %d: %v", i, err)
		}
		if i >= oneTime {
			last = append(last, p)
		}
	}
	// The first message of each again: its handshake was seen before.
	for i, p := range last {
		send(t, p, "Alice", fmt.Sprint("hello ", i))
	}
	var got []string
	var contacts []client.Contact
	until(t, "received from all", func() bool {
		got = append(got, receive(t, alice)...)
		var err error
		if contacts, err = alice.Contacts(ctx); err != nil {
			t.Fatal(err)
		}
		for _, p := range last {
			receive(t, p)
		}
		return len(got) >= len(last) && len(contacts) == people
	})
	if slices.Sort(got); !slices.Equal(got, []string{"hello 0", "hello 1"}) {
		t.Fatalf("alice got %q", got)
	}
	if len(contacts) != people {
		t.Fatalf("%d contacts", len(contacts))
	}
	for _, contact := range contacts {
		send(t, alice, contact.Name, "welcome "+contact.Name)
	}
	for i, p := range last {
		if back := comes(t, p, alice); len(back) != 1 {
			t.Errorf("person %d of the shared package got %q", i, back)
		}
	}
}

// TestRegisterTellsOfWhatIsNotPublished: a name that no node could put into the overlay is
// ours, says so, and gets there by a later pass.
func TestRegisterTellsOfWhatIsNotPublished(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t) // a node without peers
	at := &clock{at: time.Now()}
	alice := c.memberAt(at, c.node)
	own, err := alice.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()})
	if err != nil {
		t.Fatal(err)
	}
	if !own.Attested || !own.Published.IsZero() {
		t.Errorf("attested %v, published %v", own.Attested, own.Published)
	}
	startPeer(t, c.node)
	for range 20 {
		at.pass(2 * time.Minute) // after each failure it waits longer
		receive(t, alice)
		names, err := alice.OwnNames(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !names[0].Published.IsZero() {
			return
		}
	}
	t.Error("never published")
}

// TestRecordsFollowTheManifest: a namespace that has replaced its zone key is read at other
// places of the overlay. Who holds a name has its records made anew and published there.
func TestRecordsFollowTheManifest(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	at := &clock{at: time.Now()}
	alice := c.memberAt(at, c.node, other)
	if own, err := alice.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()}); err != nil || own.Published.IsZero() {
		t.Fatalf("published %v, %v", own.Published, err)
	}
	d, err := c.network.Directory(ctx, c.node.URI())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := c.authority.Rotate(authority.Zone, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := (&registrar.Registrar{Authority: c.authority, Directory: d}).PutManifests(ctx); err != nil {
		t.Fatal(err)
	}
	names, err := c.member(c.node, other).Names(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := names.Lookup(ctx, "alice@club"); err != nil || res.FromOverlay {
		t.Fatalf("before: from the overlay %v, %v", res.FromOverlay, err)
	}
	for range 20 {
		at.pass(13 * time.Hour / 20)
		receive(t, alice)
	}
	if res, err := names.Lookup(ctx, "alice@club"); err != nil || !res.FromOverlay {
		t.Errorf("after: from the overlay %v, %v", res.FromOverlay, err)
	}
}
