package client_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"communicator/client"
	"communicator/client/lookup"
	"communicator/client/registrar"
	"communicator/directory/proof"
	"communicator/directory/vend"
)

// waitingFor has bob ask for a name whose owner decides, and returns who owns it.
func waitingFor(t *testing.T, c *club, bob *client.Client, other *agent) (alice *client.Client) {
	t.Helper()
	alice = c.member(c.node, other)
	if _, err := alice.Register(t.Context(), "alice@club", client.RegisterOptions{Token: c.token()}); err != nil {
		t.Fatal(err)
	}
	if err := alice.SetRule(t.Context(), "alice@club", vend.Policy{Rule: vend.Approved, PerHour: 60}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Ask(t.Context(), "alice@club", client.AskOptions{As: "Alice"}); !errors.Is(err, client.ErrNotGranted) {
		t.Fatalf("granted before the owner decided: %v", err)
	}
	return alice
}

func events(t *testing.T, c *client.Client) []client.Event {
	t.Helper()
	got, err := c.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func isAdded(e client.Event) bool { _, ok := e.(client.ContactAdded); return ok }

// TestRefusedRequestsAreAskedAgain: a pass asks soon after, and gets what the owner has
// agreed to meanwhile.
func TestRefusedRequestsAreAskedAgain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	at := &clock{at: time.Now()}
	bob := c.memberAt(at, c.node, other)
	alice := waitingFor(t, c, bob, other)
	knocks, err := alice.Knocks(ctx)
	if err != nil || len(knocks) != 1 {
		t.Fatalf("%d knocks, %v", len(knocks), err)
	}
	at.pass(time.Minute)
	if slices.ContainsFunc(events(t, bob), isAdded) {
		t.Fatal("granted without the owner")
	}
	if asking, err := bob.Asking(ctx); err != nil || len(asking) != 1 || asking[0].Next.Sub(at.now()) > 2*time.Minute {
		t.Fatalf("after a refusal: %+v, %v", asking, err)
	}
	if err := alice.AnswerKnock(ctx, knocks[0].ID, true); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(events(t, bob), isAdded) {
		t.Error("asked before its time")
	}
	at.pass(2 * time.Minute)
	if !slices.ContainsFunc(events(t, bob), isAdded) {
		t.Error("not asked again")
	}
	talk(t, bob, "Alice", alice, "via alice@club")
}

// TestRequestForANameThatChangedHands: whoever has the name now is not asked for whom we
// meant, and we are told.
func TestRequestForANameThatChangedHands(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	at := &clock{at: time.Now()}
	bob := c.memberAt(at, c.node, other)
	waitingFor(t, c, bob, other)
	d, err := c.network.Directory(ctx, c.node.URI())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := (&registrar.Registrar{Authority: c.authority, Directory: d}).Revoke(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	names, err := bob.Names(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := names.FromDirectories(ctx, "alice@club"); err != nil || !res.Held {
		t.Fatalf("the change does not wait: %v", err)
	}
	isAlarm := func(e client.Event) bool {
		a, ok := e.(client.Alarm)
		return ok && a.Kind == client.AlarmName && a.Contact == "alice@club"
	}
	at.pass(time.Hour) // its holder may object, and the request waits
	if slices.ContainsFunc(events(t, bob), isAlarm) {
		t.Error("alarmed before the change is in force")
	}
	at.pass(80 * time.Hour)
	if !slices.ContainsFunc(events(t, bob), isAlarm) {
		t.Error("no alarm")
	}
	if asking, err := bob.Asking(ctx); err != nil || len(asking) != 0 {
		t.Errorf("still asking: %+v, %v", asking, err)
	}
}

// TestContactWhoseNameChangedHands: a contact who is known by a name is not any more once
// a lookup shows that it is another's, and not before that is in force.
func TestContactWhoseNameChangedHands(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	at := &clock{at: time.Now()}
	bob := c.memberAt(at, c.node, other)
	alice := c.member(c.node, other)
	if _, err := alice.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()}); err != nil {
		t.Fatal(err)
	}
	if err := alice.SetRule(ctx, "alice@club", vend.Policy{Rule: vend.Open, PerHour: 60}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); err != nil {
		t.Fatal(err)
	}
	d, err := c.network.Directory(ctx, c.node.URI())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := (&registrar.Registrar{Authority: c.authority, Directory: d}).Revoke(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	names, err := bob.Names(ctx)
	if err != nil {
		t.Fatal(err)
	}
	known := func() client.Contact {
		t.Helper()
		if _, err := names.FromDirectories(ctx, "alice@club"); err != nil {
			t.Fatal(err)
		}
		got, err := bob.Contact(ctx, "Alice")
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := known(); got.Trust != client.TrustAttested {
		t.Errorf("while the change waits: %s", got.TrustWords())
	}
	at.pass(80 * time.Hour)
	if got := known(); got.Trust != client.TrustReset || got.Why != client.ResetName || len(got.Names) != 0 {
		t.Errorf("once it is in force: %s", got.TrustWords())
	}
	if err := bob.SetVerified(ctx, "Alice", true); err != nil {
		t.Fatal(err)
	}
	if got := known(); got.Trust != client.TrustVerified {
		t.Errorf("after a person has looked: %s", got.TrustWords())
	}
}

// TestOwnerObjects: whoever has a name is told when the namespace takes it, and keeps it by
// objecting; those who look it up do not believe the change.
func TestOwnerObjects(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	at, bobs := &clock{at: time.Now()}, &clock{at: time.Now()}
	alice, bob := c.memberAt(at, c.node, other), c.memberAt(bobs, c.node, other)
	if _, err := alice.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()}); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Object(ctx, "alice@club"); !errors.Is(err, client.ErrNothingToObject) {
		t.Errorf("to nothing: %v", err)
	}
	if _, err := alice.Object(ctx, "bob@club"); !errors.Is(err, client.ErrNoName) {
		t.Errorf("somebody else's: %v", err)
	}
	names, err := bob.Names(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := names.FromDirectories(ctx, "alice@club"); err != nil {
		t.Fatal(err)
	}
	d, err := c.network.Directory(ctx, c.node.URI())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := (&registrar.Registrar{Authority: c.authority, Directory: d}).Revoke(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	told := 0
	for range 3 {
		at.pass(7 * time.Hour)
		for _, e := range events(t, alice) {
			if a, ok := e.(client.Alarm); ok && a.Kind == client.AlarmOwnName && a.Contact == "alice@club" {
				told++
			}
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	at.pass(-21 * time.Hour) // the directory takes what was said just now
	for range 2 {
		o, err := alice.Object(ctx, "alice@club")
		at.pass(time.Minute)
		if err != nil || o.Version != 2 || o.Change != proof.HeldRelease || o.Sent != 1 {
			t.Fatalf("%+v, %v", o, err)
		}
	}
	bobs.pass(time.Hour)
	if _, err := names.FromDirectories(ctx, "alice@club"); !errors.Is(err, lookup.ErrVetoed) {
		t.Errorf("after the objection: %v", err)
	}
}
