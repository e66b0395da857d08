package client

import (
	"errors"
	"slices"
	"testing"
	"time"

	"communicator/particle"
)

// twoNearby are two people who have exchanged packages, and who of them begins.
func twoNearby(t *testing.T) (a, b *person, da, db Direct) {
	n := newFakeNet(t)
	a, b = n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	da, db = must(a.OfferDirect(t.Context())), must(b.OfferDirect(t.Context()))
	x, y := must(particle.ParsePackage(da.Package)), must(particle.ParsePackage(db.Package))
	if !must(particle.Begins(x.Identity(), y.Identity())) {
		return b, a, db, da
	}
	return a, b, da, db
}

func TestDirectExchange(t *testing.T) {
	for _, first := range []string{"who begins", "who waits"} {
		t.Run(first, func(t *testing.T) {
			ctx := t.Context()
			a, b, da, db := twoNearby(t)
			check(t, a.ConfirmDirect(ctx, da, "b", db.Package))
			check(t, b.ConfirmDirect(ctx, db, "a", da.Package))
			if c, _ := a.Contacts(ctx); len(c) != 0 {
				t.Errorf("before both have agreed: %+v", c)
			}
			finish := []func(){
				func() { must(a.FinishDirect(ctx, da, true)) },
				func() {
					q := must(b.FinishDirect(ctx, db, true))
					if !q.Nearby || q.Name != "a" {
						t.Errorf("request %+v", q)
					}
				},
			}
			if first == "who waits" {
				slices.Reverse(finish)
			}
			finish[0]()
			b.receive() // the handshake may be faster than the other's last step
			finish[1]()
			for range 3 {
				a.receive()
				b.receive()
			}
			for p, name := range map[*person]string{a: "b", b: "a"} {
				c := p.contact(name)
				if c.State != ContactEstablished || !c.Verified || c.TrustWords() != "verified in person (four words compared)" {
					t.Errorf("%+v: %s", c, c.TrustWords())
				}
			}
			a.send("b", "hello")
			if got := b.receive(); !slices.Equal(got, []string{"hello"}) {
				t.Errorf("got %q", got)
			}
			if _, err := a.FinishDirect(ctx, da, false); !errors.Is(err, ErrNotWaiting) {
				t.Errorf("taken back when done: %v", err)
			}
		})
	}
}

// TestDirectExchangeRefused: the words were different, so somebody else has our package.
func TestDirectExchangeRefused(t *testing.T) {
	ctx := t.Context()
	a, b, da, db := twoNearby(t)
	// Somebody in the middle uses b's package before and after b says no.
	attack := func(name string) {
		id, err := a.randomID()
		check(t, err)
		check(t, a.begin(ctx, id, name, must(particle.ParsePackage(db.Package))))
		a.receive()
	}
	attack("early")
	events, err := b.Receive(ctx)
	check(t, err)
	if !slices.Contains(events, Event(Alarm{Kind: AlarmIntroduction})) {
		t.Error("no alarm")
	}
	q := must(b.FinishDirect(ctx, db, false))
	if q.State != RequestDeclined || b.contactMailboxes() != 0 {
		t.Errorf("%+v, and %d mailboxes are open", q, b.contactMailboxes())
	}
	attack("late")
	b.receive()
	if c, _ := b.Contacts(ctx); len(c) != 0 {
		t.Errorf("contacts %+v", c)
	}
	if err := b.ConfirmDirect(ctx, db, "x", da.Package); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("confirmed what was refused: %v", err)
	}
}

func TestDirectExchangeRefusals(t *testing.T) {
	ctx := t.Context()
	a, b, da, db := twoNearby(t)
	befriend(t, a, b, "taken", "other")
	for name, test := range map[string]struct {
		name string
		pkg  []byte
		want error
	}{
		"nonsense":    {"b", []byte("nonsense"), ErrBadPackage},
		"own package": {"b", da.Package, ErrBadPackage},
		"no name":     {"", db.Package, ErrBadName},
		"taken name":  {"Taken", db.Package, ErrContactExists},
	} {
		if err := a.ConfirmDirect(ctx, da, test.name, test.pkg); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.FinishDirect(ctx, da, true); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("agreed without a package: %v", err)
	}
	lonely := a.net.person()
	if _, err := lonely.OfferDirect(ctx); !errors.Is(err, ErrNoAgents) {
		t.Errorf("without agents: %v", err)
	}
	// What is never completed is closed.
	a.net.pass(directLife + time.Minute)
	a.receive()
	if q := a.only(); q.State != RequestExpired || a.contactMailboxes() > 1 { // befriend's is in grace
		t.Errorf("%+v, and %d mailboxes are open", q, a.contactMailboxes())
	}
}

// TestDirectExchangeSurvivesACrash: between the two verdicts, and before the handshake.
func TestDirectExchangeSurvivesACrash(t *testing.T) {
	ctx := t.Context()
	a, b, da, db := twoNearby(t)
	check(t, a.ConfirmDirect(ctx, da, "b", db.Package))
	check(t, b.ConfirmDirect(ctx, db, "a", da.Package))
	b.reopen() // b's last step never comes
	a.crashAt("decided", 0)
	if _, err := a.FinishDirect(ctx, da, true); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	a.reopen()
	for range 4 {
		a.receive()
		b.receive()
	}
	if c := b.contact("a"); c.State != ContactEstablished || !c.Verified {
		t.Errorf("%+v", c)
	}
	if c := a.contact("b"); c.State != ContactEstablished || !c.Verified {
		t.Errorf("%+v", c)
	}
}
