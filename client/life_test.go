package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"communicator/client/invite"
	"communicator/particle"
	"communicator/wire"
)

func TestAddressesRotateDailyAndOldOnesAreClosed(t *testing.T) {
	n := newFakeNet(t)
	home := []*fakeAgent{n.agent(), n.agent(), n.agent()}
	a, b := n.person(n.agent(), n.agent()), n.person(home...)
	meet(t, a, b)
	const days = 12
	for i := range days {
		n.pass(day)
		a.send("b", fmt.Sprint(i))
		if got := b.receive(); !slices.Equal(got, []string{fmt.Sprint(i)}) {
			t.Fatalf("day %d: got %q", i, got)
		}
		b.send("a", fmt.Sprint(i)) // new addresses ride in here
		if got := a.receive(); !slices.Equal(got, []string{fmt.Sprint(i)}) {
			t.Fatalf("day %d: got %q", i, got)
		}
	}
	status, err := b.Status(t.Context())
	check(t, err)
	// Two homes: the current generation, those in grace for a week, and the lifeline.
	if boxes := status.Contacts[0].Mailboxes; boxes < 2*7 || boxes > 2*10+1 {
		t.Errorf("%d mailboxes open after %d days", boxes, days)
	}
	closed := 0
	for _, h := range home {
		h.mu.Lock()
		for _, box := range h.boxes {
			if box.mode != 0 {
				closed++
			}
		}
		h.mu.Unlock()
	}
	if closed < 2*(days-10) {
		t.Errorf("%d mailboxes closed after %d days", closed, days)
	}
	if status.Contacts[0].Problem != "" || !status.Contacts[0].Lifeline {
		t.Errorf("status: %+v", status.Contacts[0])
	}
}

func TestEachRelationshipHasItsOwnIdentityAtAnAgent(t *testing.T) {
	n := newFakeNet(t)
	home := []*fakeAgent{n.agent(), n.agent()}
	a := n.person(home...)
	for i := range 3 {
		other := n.person(n.agent())
		inv, err := a.Invite(t.Context(), fmt.Sprint(i))
		check(t, err)
		_, err = other.Accept(t.Context(), inv.Link, "a")
		check(t, err)
		a.receive()
		other.receive()
		a.receive()
	}
	contacts, err := a.Contacts(t.Context())
	check(t, err)
	owner := map[wire.MailboxID]string{}
	for _, c := range contacts {
		for _, addr := range a.relation(c.Name).particle.OpenAddresses() {
			owner[addr.Mailbox] = c.Name
		}
	}
	seen := 0
	for _, h := range home {
		h.mu.Lock()
		for _, boxes := range h.peers {
			names := map[string]bool{}
			for id := range boxes {
				if owner[id] != "" {
					names[owner[id]] = true
					seen++
				}
			}
			if len(names) > 1 {
				t.Errorf("one connection served the mailboxes of %v", names)
			}
		}
		h.mu.Unlock()
	}
	if len(contacts) != 3 || seen < 6 {
		t.Fatalf("%d contacts, %d mailboxes seen", len(contacts), seen)
	}
}

func TestInvitationWorksOnce(t *testing.T) {
	n := newFakeNet(t)
	a, b, c := n.person(n.agent()), n.person(n.agent()), n.person(n.agent())
	inv, err := a.Invite(t.Context(), "b")
	check(t, err)
	if len(inv.Link) > invite.MaxLink {
		t.Errorf("the link has %d characters", len(inv.Link))
	}
	if _, err := a.Accept(t.Context(), inv.Link, "me"); !errors.Is(err, ErrOwnInvitation) {
		t.Errorf("accepting one's own: %v", err)
	}
	if _, err := b.Accept(t.Context(), inv.Link+"x", "a"); !errors.Is(err, ErrBadLink) {
		t.Errorf("damaged link: %v", err)
	}
	_, err = b.Accept(t.Context(), inv.Link, "a")
	check(t, err)
	if _, err := b.Accept(t.Context(), inv.Link, "a"); !errors.Is(err, ErrContactExists) {
		t.Errorf("the name twice: %v", err)
	}
	if _, err := c.Accept(t.Context(), inv.Link, "a"); !errors.Is(err, ErrInvitationUsed) {
		t.Errorf("the link twice: %v", err)
	}
}

// TestSecondHandshakeAlarms: two people got the link and fetched the package before
// either of them deleted it.
func TestSecondHandshakeAlarms(t *testing.T) {
	n := newFakeNet(t)
	host := n.agent()
	a, b, c := n.person(host), n.person(n.agent()), n.person(n.agent())
	inv, err := a.Invite(t.Context(), "b")
	check(t, err)
	host.mu.Lock()
	copied := map[[32]byte]int{}
	for id := range host.blobs {
		copied[id]++
	}
	saved := host.blobs
	host.blobs = mapsClone(saved)
	host.mu.Unlock()
	_, err = b.Accept(t.Context(), inv.Link, "a")
	check(t, err)
	host.set(func() { host.blobs = saved })
	_, err = c.Accept(t.Context(), inv.Link, "a")
	check(t, err)
	events, err := a.Receive(t.Context())
	check(t, err)
	alarmed := slices.ContainsFunc(events, func(e Event) bool {
		al, ok := e.(Alarm)
		return ok && al.Kind == AlarmInvitationReused
	})
	contacts, err := a.Contacts(t.Context())
	check(t, err)
	if !alarmed || len(contacts) != 1 {
		t.Errorf("alarmed %v, contacts %+v", alarmed, contacts)
	}
}

func mapsClone[K comparable, V any](m map[K]V) map[K]V {
	out := map[K]V{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func TestCancelledAndExpiredInvitations(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent()), n.person(n.agent())
	inv, err := a.Invite(t.Context(), "b")
	check(t, err)
	check(t, a.CancelInvitation(t.Context(), inv.Link))
	if _, err := b.Accept(t.Context(), inv.Link, "a"); !errors.Is(err, ErrInvitationUsed) {
		t.Errorf("cancelled: %v", err)
	}
	inv, err = a.Invite(t.Context(), "b")
	check(t, err)
	n.pass(InvitationLife + time.Hour)
	if _, err := b.Accept(t.Context(), inv.Link, "a"); !errors.Is(err, ErrInvitationUsed) {
		t.Errorf("expired: %v", err)
	}
	n.pass(3 * day)
	a.receive()
	status, err := a.Status(t.Context())
	check(t, err)
	if len(status.Invitations) != 0 {
		t.Errorf("still shown: %+v", status.Invitations)
	}
}

func TestGarbageIsQuarantinedAndTheConversationGoesOn(t *testing.T) {
	n := newFakeNet(t)
	home := n.agent()
	a, b := n.person(n.agent()), n.person(home)
	meet(t, a, b)
	addr := b.relation("a").particle.OpenAddresses()[0]
	home.set(func() {
		home.seq++
		box := home.boxes[addr.Mailbox]
		box.deliveries = append(box.deliveries, delivery(home.seq, bytes.Repeat([]byte{9}, 5000)))
	})
	a.send("b", "fine")
	events, err := b.Receive(t.Context())
	check(t, err)
	if got := textsOf(events); !slices.Equal(got, []string{"fine"}) {
		t.Errorf("got %q", got)
	}
	if !slices.ContainsFunc(events, func(e Event) bool { _, ok := e.(Undecryptable); return ok }) {
		t.Error("no event")
	}
	kept, err := b.Quarantine(t.Context())
	check(t, err)
	if len(kept) != 1 || kept[0].Contact != "a" || kept[0].Size != 5000 {
		t.Errorf("quarantine: %+v", kept)
	}
	if home.stored() != 0 {
		t.Error("it was not acknowledged")
	}
	a.receive()
	b.receive()
	if r := b.relation("a").particle.NeedsRotation(n.now()); r == particle.RotateSuspect {
		t.Error("the suspect address was not replaced")
	}
}

func TestImportedProfileReestablishesBeforeItSends(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	meet(t, a, b)
	for i := range 3 { // recovery packages travel with messages
		a.send("b", fmt.Sprint("a", i))
		b.receive()
		b.send("a", fmt.Sprint("b", i))
		a.receive()
	}
	check(t, a.SetVerified(t.Context(), "b", true))
	check(t, b.SetVerified(t.Context(), "a", true))
	var export bytes.Buffer
	check(t, a.Export(t.Context(), &export, []byte("moving")))
	a.send("b", "after the export")
	b.receive()
	check(t, a.Client.Close())
	moved := &person{t: t, net: n, path: filepath.Join(t.TempDir(), "moved"), opts: a.opts}
	var err error
	moved.Client, err = Import(t.Context(), moved.path, &export, []byte("moving"), []byte("pass"), a.opts)
	check(t, err)
	t.Cleanup(func() { moved.Client.Close() })
	if _, err := moved.Send(t.Context(), "b", "too early", SendOptions{}); !errors.Is(err, ErrNeedsReset) {
		t.Fatalf("sent with old keys: %v", err)
	}
	moved.receive()
	moved.send("b", "it is me again")
	events, err := b.Receive(t.Context())
	check(t, err)
	if got := textsOf(events); !slices.Equal(got, []string{"it is me again"}) {
		t.Fatalf("b got %q", got)
	}
	if !slices.Contains(events, Event(Alarm{Contact: "a", Kind: AlarmReset})) || b.contact("a").Verified || moved.contact("b").Verified {
		t.Error("the reset was not shown, or verification survived it")
	}
	b.send("a", "welcome back")
	if got := moved.receive(); !slices.Equal(got, []string{"welcome back"}) {
		t.Errorf("got %q", got)
	}
}

func TestLimitsAndNames(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent()), n.person(n.agent())
	ctx := t.Context()
	lonely := n.person()
	if _, err := lonely.Invite(ctx, "x"); !errors.Is(err, ErrNoAgents) {
		t.Errorf("inviting without agents: %v", err)
	}
	meet(t, a, b)
	long := strings.Repeat("x", particle.MaxText)
	s, err := a.Send(ctx, "b", long, SendOptions{})
	check(t, err)
	if got := b.receive(); len(got) != 1 || got[0] != long || s.State != Stored {
		t.Errorf("the longest text did not arrive: %v", s.State)
	}
	var tooLong *ErrTooLong
	if _, err := a.Send(ctx, "b", long+"x", SendOptions{}); !errors.As(err, &tooLong) || tooLong.Limit != particle.MaxText {
		t.Errorf("too long: %v", err)
	}
	for _, text := range []string{"", "\xff\xfe"} {
		if s, err := a.Send(ctx, "b", text, SendOptions{}); !errors.Is(err, ErrBadText) || s.ID != (MessageID{}) {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
	if _, err := a.Send(ctx, "nobody", "x", SendOptions{}); !errors.Is(err, ErrNoSuchContact) {
		t.Errorf("nobody: %v", err)
	}
	check(t, a.Rename(ctx, "b", "Blair"))
	if c := a.contact("BLAIR"); c.Name != "Blair" {
		t.Errorf("renamed: %+v", c)
	}
	if err := a.Rename(ctx, "Blair", "\x00"); !errors.Is(err, ErrBadName) {
		t.Errorf("bad name: %v", err)
	}
	x, err := a.SafetyNumber(ctx, "Blair")
	check(t, err)
	y, err := b.SafetyNumber(ctx, "a")
	check(t, err)
	if x != y || len(x) != 71 {
		t.Errorf("safety numbers %q and %q", x, y)
	}
	if _, err := Open(ctx, a.path, []byte("wrong"), a.opts); !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := Open(ctx, a.path+"x", []byte("pass"), a.opts); !errors.Is(err, ErrNoProfile) {
		t.Errorf("no profile: %v", err)
	}
	if _, err := Create(ctx, a.path, []byte("pass"), a.opts); !errors.Is(err, ErrProfileExists) {
		t.Errorf("create twice: %v", err)
	}
}

// TestFollowTakesTurns: five relationships at two agents each, with four connections.
func TestFollowTakesTurns(t *testing.T) {
	n := newFakeNet(t)
	n.live() // watching is about real timers
	a := n.person(n.agent(), n.agent())
	a.opts.MaxOpen = 4
	a.reopen()
	a.turns.first, a.turns.most = 200*time.Millisecond, 400*time.Millisecond
	var others []*person
	for i := range 5 {
		b := n.person(n.agent())
		inv, err := a.Invite(t.Context(), fmt.Sprint("other ", i))
		check(t, err)
		_, err = b.Accept(t.Context(), inv.Link, "a")
		check(t, err)
		for range 2 {
			a.receive()
			b.receive()
		}
		others = append(others, b)
	}
	ctx, stop := context.WithCancel(t.Context())
	var following sync.WaitGroup
	got := make(chan string, 100)
	following.Go(func() {
		err := a.Follow(ctx, func(e Event) {
			if m, ok := e.(MessageReceived); ok {
				got <- m.Message.Text
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
	defer following.Wait()
	defer stop()
	for i, b := range others {
		b.send("a", fmt.Sprint("from ", i))
		s, err := a.Send(ctx, fmt.Sprint("other ", i), "to you", SendOptions{Wait: UntilStored})
		check(t, err)
		if s.State != Stored {
			t.Errorf("state %v", s.State)
		}
	}
	want := map[string]bool{}
	for i := range others {
		want[fmt.Sprint("from ", i)] = true
	}
	timeout := time.After(30 * time.Second)
	for len(want) > 0 {
		select {
		case text := <-got:
			delete(want, text)
		case <-timeout:
			t.Fatalf("did not arrive: %v", want)
		}
		if open := a.pool.Open(); open > 4 {
			t.Errorf("%d connections open", open)
		}
	}
}
