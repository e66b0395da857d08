package particle

import (
	"errors"
	"testing"
	"time"

	"communicator/wire"
)

func mailboxes(list []wire.Address) (ns []byte) {
	for _, a := range list {
		ns = append(ns, a.Mailbox[0])
	}
	return ns
}

func wantMailboxes(t *testing.T, what string, got []wire.Address, want ...byte) {
	t.Helper()
	if string(mailboxes(got)) != string(want) {
		t.Fatalf("%s: %v, want %v", what, mailboxes(got), want)
	}
}

func TestExchangeCarriesUntilAcknowledged(t *testing.T) {
	a, b := established(t)
	a = must[Particle](t)(a.Offer(addresses(5, 6), start))
	a, lost := send(t, a, "lost", start)
	a, again := send(t, a, "carries it again", start)
	b, o := receive(t, b, again.Ciphertext, start)
	if !o.NewAddresses {
		t.Fatal("the set is in the first message only")
	}
	wantMailboxes(t, "route", b.PeerAddresses(start), 5, 6, 1, 2)
	if !b.AnswerDue() || a.Acknowledged() {
		t.Fatal("no acknowledgement due")
	}
	if b, o = receive(t, b, lost.Ciphertext, start); o.NewAddresses {
		t.Fatal("the same number was applied twice")
	}
	b, a = exchangeOne(t, b, a, start)
	if !a.Acknowledged() || b.AnswerDue() {
		t.Fatal("the acknowledgement did not arrive")
	}
	_, s := send(t, a, "", start)
	if b, o = receive(t, b, s.Ciphertext, start); o.NewAddresses || b.AnswerDue() {
		t.Fatal("acknowledgements answer each other")
	}
}

func TestExchangeAppliesOnlyHigherNumbers(t *testing.T) {
	a, b := established(t)
	a = must[Particle](t)(a.Offer(addresses(5), start))
	a, old := send(t, a, "set 2", start)
	a = must[Particle](t)(a.Offer(addresses(7), start))
	_, recent := send(t, a, "set 3", start)
	b, _ = receive(t, b, recent.Ciphertext, start)
	b, o := receive(t, b, old.Ciphertext, start)
	if o.NewAddresses {
		t.Fatal("went back to an older set")
	}
	wantMailboxes(t, "route", b.PeerAddresses(start), 7, 1, 2)
}

func TestExchangeRoute(t *testing.T) {
	lifeline := testAddress(9, wire.CapLifeline)
	lifeline.Expires = start.Add(700 * day)
	soon := testAddress(8, 0)
	soon.Expires = start.Add(time.Hour)
	e, _ := exchange{}.apply(wire.AddressSet{Number: 1, Addresses: []wire.Address{testAddress(1, 0), lifeline}})
	e, _ = e.apply(wire.AddressSet{Number: 4, Addresses: []wire.Address{lifeline, testAddress(2, 0), soon}})
	wantMailboxes(t, "now", e.route(start), 2, 8, 1, 9)
	wantMailboxes(t, "in an hour", e.route(start.Add(time.Hour)), 2, 1, 9)
	wantMailboxes(t, "in a year", e.route(start.Add(365*day)), 9)
	for n := uint64(5); n < 20; n++ {
		e, _ = e.apply(wire.AddressSet{Number: n})
	}
	if len(e.theirs) != maxPeerSets {
		t.Fatalf("%d sets kept", len(e.theirs))
	}
}

func TestExchangeFirstContactRoute(t *testing.T) {
	pkg, _ := testPackage(t, true)
	a := must[Particle](t)(Initiate(nil, must[Identity](t)(NewIdentity(nil)), pkg, addresses(1), start))
	wantMailboxes(t, "before the reply", a.PeerAddresses(start), 200)
	if got := a.PeerAddresses(start.Add(1000 * day)); got != nil {
		t.Fatal("an expired contact address is still offered")
	}
}

func TestRotationReasons(t *testing.T) {
	a, b := established(t)
	want := func(p Particle, now time.Time, want Rotation) {
		t.Helper()
		if got := p.NeedsRotation(now); got != want {
			t.Fatalf("rotation %d, want %d", got, want)
		}
	}
	want(a, start, RotateNot)
	want(a, start.Add(RotateAge-time.Second), RotateNot)
	want(a, start.Add(RotateAge), RotateOld)
	want(a, start.Add(95*day-RotateBeforeExpiry), RotateOld)
	want(a, start.Add(95*day-RotateBeforeExpiry+time.Second), RotateExpiry)
	want(a.MarkSuspect(), start, RotateSuspect)
	want(a.MarkImported(), start.Add(RotateAge), RotateNot)

	used := a
	for i := used.exchange.current().puts; i < RotatePuts; i++ {
		want(used, start, RotateNot)
		b, used = exchangeOne(t, b, used, start)
	}
	want(used, start, RotateUsed)

	offered := must[Particle](t)(a.Offer(addresses(5), start))
	want(offered, start.Add(10*RotateAge), RotateNot) // not acknowledged
	_, fresh := hello(t, true)
	want(fresh, start, RotateFirst)

	for range MaxOpenSets - 1 {
		a = must[Particle](t)(a.Offer(addresses(6), start))
	}
	want(a.MarkSuspect(), start, RotateNot)
	if _, err := a.Offer(addresses(7), start); !errors.Is(err, ErrOpenSets) {
		t.Fatal(err)
	}
}

func TestRotationClosesAfterAcknowledgementAndAWeek(t *testing.T) {
	a, b := established(t)
	first := mailboxes(a.OpenAddresses())
	a = must[Particle](t)(a.Offer([]wire.Address{testAddress(5, 0), testAddress(2, 0)}, start))
	wantMailboxes(t, "open", a.OpenAddresses(), 5, 2, 1)
	if _, closing := a.Close(start.Add(300 * day)); closing != nil {
		t.Fatal("closed a generation whose successor the peer may not have")
	}
	a, b = exchangeOne(t, a, b, start)
	acked := start.Add(day)
	_, a = exchangeOne(t, b, a, acked)
	if _, closing := a.Close(acked.Add(CloseAfter - time.Second)); closing != nil {
		t.Fatal("closed early")
	}
	a, closing := a.Close(acked.Add(CloseAfter))
	wantMailboxes(t, "closing", closing, 1) // 2 is in the current set too
	wantMailboxes(t, "open", a.OpenAddresses(), 5, 2)
	if _, closing := a.Close(acked.Add(2 * CloseAfter)); closing != nil {
		t.Fatal("closed twice")
	}
	if string(first) != "\x01\x02" {
		t.Fatal("the test's first set changed")
	}
}

func TestOfferRefusesTooManyAddresses(t *testing.T) {
	a, _ := established(t)
	if _, err := a.Offer(addresses(1, 2, 3, 4, 5), start); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

func TestExchangeIgnoresInventedAcknowledgement(t *testing.T) {
	a, _ := established(t)
	if e := a.exchange.acknowledge(1000, start); e.acked != a.exchange.acked {
		t.Fatal("acknowledged a set that was never offered")
	}
}
