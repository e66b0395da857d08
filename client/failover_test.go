package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"communicator/wire"
)

func TestOneReceivingAgentDiesForGood(t *testing.T) {
	n := newFakeNet(t)
	sender := n.agent()
	home := []*fakeAgent{n.agent(), n.agent(), n.agent()}
	a, b := n.person(sender, n.agent()), n.person(home...)
	meet(t, a, b)
	home[0].kill()
	var sent, got []string
	for i := range 12 {
		text := fmt.Sprint(i)
		a.send("b", text)
		sent = append(sent, text)
		// The first put to the dead agent waits for its patience to end.
		n.pass(2 * time.Minute)
		a.receive()
		got = append(got, b.receive()...)
	}
	if !slices.Equal(got, sent) {
		t.Fatalf("got %q", got)
	}
	// After days of silence b leaves the agent, and a learns the new addresses.
	for range 5 {
		n.pass(day)
		b.receive()
		a.receive()
	}
	agents, err := b.Agents(t.Context())
	check(t, err)
	for _, info := range agents {
		if (info.ID == home[0].id) != (info.State == AgentDead) {
			t.Errorf("agent %v is %v", info.ID, info.State)
		}
	}
	for _, peer := range a.peerAgents("b") {
		if peer == home[0].id {
			t.Error("a still holds an address at the dead agent in the newest set")
		}
	}
	if c := b.contact("a"); !c.Degraded {
		t.Error("two agents left and not degraded")
	}
}

// peerAgents lists where the peer's newest addresses lie.
func (p *person) peerAgents(name string) (out []wire.AgentID) {
	p.t.Helper()
	generation := uint32(0)
	for _, a := range p.relation(name).particle.PeerAddresses(p.net.now()) {
		if a.Caps&wire.CapLifeline == 0 {
			generation = max(generation, a.Generation)
		}
	}
	for _, a := range p.relation(name).particle.PeerAddresses(p.net.now()) {
		if a.Generation == generation {
			out = append(out, a.Agent)
		}
	}
	return out
}

func TestSendingAgentDiesAndAnotherTakesOver(t *testing.T) {
	n := newFakeNet(t)
	first, second := n.agent(), n.agent()
	a, b := n.person(first, second), n.person(n.agent(), n.agent())
	meet(t, a, b)
	first.kill()
	var sent []string
	for i := range 5 {
		a.send("b", fmt.Sprint(i))
		sent = append(sent, fmt.Sprint(i))
	}
	n.pass(time.Minute)
	a.receive()
	n.pass(time.Minute)
	a.receive()
	got := b.receive()
	slices.Sort(got)
	if !slices.Equal(got, sent) {
		t.Fatalf("got %q", got)
	}
}

func TestSenderOffAfterSubmit(t *testing.T) {
	n := newFakeNet(t)
	home := []*fakeAgent{n.agent(), n.agent()}
	a, b := n.person(n.agent()), n.person(home...)
	meet(t, a, b)
	for _, h := range home {
		h.set(func() { h.deaf = true }) // b's agents are away, a's keeps the messages
	}
	s, err := a.Send(t.Context(), "b", "later", SendOptions{Wait: UntilSubmitted})
	check(t, err)
	if s.State != Submitted || len(s.Receipt) == 0 {
		t.Fatalf("sent: %+v", s)
	}
	for _, h := range home {
		h.set(func() { h.deaf = false })
	}
	n.pass(time.Hour)
	a.receive() // an outcome is fetched by its handle
	m, err := a.Message(t.Context(), "b", s.ID)
	check(t, err)
	if m.State != Stored {
		t.Errorf("state %v", m.State)
	}
	if got := b.receive(); !slices.Equal(got, []string{"later"}) {
		t.Errorf("got %q", got)
	}
}

func TestLostAnswerToASubmissionIsRepeatedByteForByte(t *testing.T) {
	n := newFakeNet(t)
	sender := n.agent()
	home := n.agent()
	a, b := n.person(sender), n.person(home)
	meet(t, a, b)
	before := home.puts
	sender.set(func() { sender.mute = 3 })
	s := a.send("b", "once")
	for range 4 {
		n.pass(5 * time.Second)
		a.receive()
	}
	if got := b.receive(); !slices.Equal(got, []string{"once"}) {
		t.Errorf("got %q", got)
	}
	if home.puts-before != 1 {
		t.Errorf("%d puts of one attempt", home.puts-before)
	}
	// The receipt of a repeat has no salt, and is this submission's all the same.
	m, err := a.Message(t.Context(), "b", s.ID)
	check(t, err)
	if m.State != Stored {
		t.Errorf("the sender believes that it is %v", m.State)
	}
}

func TestFullMailboxIsTriedAgainSealedAfresh(t *testing.T) {
	n := newFakeNet(t)
	home := n.agent()
	a, b := n.person(n.agent()), n.person(home)
	meet(t, a, b)
	home.set(func() { home.full = true })
	s := a.send("b", "patience")
	if s.State == Stored {
		t.Fatal("stored in a full mailbox")
	}
	home.set(func() { home.full = false })
	n.pass(10 * time.Second)
	a.receive()
	if got := b.receive(); len(got) != 0 {
		t.Fatal("tried before the time that the mailbox gave")
	}
	n.pass(2 * time.Minute)
	a.receive()
	if got := b.receive(); !slices.Equal(got, []string{"patience"}) {
		t.Errorf("got %q", got)
	}
}

func TestMessageExpiresAndSaysSo(t *testing.T) {
	n := newFakeNet(t)
	home := n.agent()
	a, b := n.person(n.agent()), n.person(home)
	meet(t, a, b)
	home.set(func() { home.deaf = true })
	s, err := a.Send(t.Context(), "b", "too late", SendOptions{Life: 3 * time.Hour})
	check(t, err)
	n.pass(4 * time.Hour)
	events, err := a.Receive(t.Context())
	check(t, err)
	told := slices.ContainsFunc(events, func(e Event) bool {
		d, ok := e.(DeliveryChanged)
		return ok && d.ID == s.ID && d.State == Expired
	})
	m, err := a.Message(t.Context(), "b", s.ID)
	check(t, err)
	if !told || m.State != Expired {
		t.Errorf("told %v, state %v", told, m.State)
	}
}

func TestResendWhatExpired(t *testing.T) {
	n := newFakeNet(t)
	home := n.agent()
	a, b := n.person(n.agent()), n.person(home)
	meet(t, a, b)
	home.set(func() { home.deaf = true })
	var lost []MessageID
	for _, text := range []string{"one", "two"} {
		s, err := a.Send(t.Context(), "b", text, SendOptions{Life: time.Hour})
		check(t, err)
		lost = append(lost, s.ID)
	}
	if _, err := a.Resend(t.Context(), "b", SendOptions{}, lost[0]); !errors.Is(err, ErrNoSuchMessage) {
		t.Fatalf("sent anew what is still under way: %v", err)
	}
	n.pass(2 * time.Hour)
	a.receive()
	if got := a.contactStatus("b"); got.Lost != 2 || got.Queued != 0 {
		t.Fatalf("lost %d, queued %d", got.Lost, got.Queued)
	}
	home.set(func() { home.deaf = false })
	ids, err := a.Resend(t.Context(), "b", SendOptions{}, lost[0], lost[0], lost[1], lost[0])
	check(t, err)
	if len(ids) != 2 {
		t.Fatalf("%d sent anew", len(ids))
	}
	again, err := a.Resend(t.Context(), "b", SendOptions{})
	check(t, err)
	if len(again) != 0 {
		t.Fatalf("%d sent anew twice", len(again))
	}
	n.pass(2 * time.Hour)
	a.receive()
	a.receive()
	got := b.receive() // each goes its own way, so the order may change
	if slices.Sort(got); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("got %q", got)
	}
	m, err := a.Message(t.Context(), "b", lost[1])
	check(t, err)
	if got := a.contactStatus("b"); m.State != Resent || got.Lost != 0 || got.Delivered < 2 {
		t.Errorf("state %v, lost %d, delivered %d", m.State, got.Lost, got.Delivered)
	}
}

func TestRevokedContactHearsItLoudlyOrNot(t *testing.T) {
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprint("silent ", silent), func(t *testing.T) {
			n := newFakeNet(t)
			a, b := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
			meet(t, a, b)
			check(t, b.Revoke(t.Context(), "a", silent))
			s, err := a.Send(t.Context(), "b", "anybody?", SendOptions{})
			if silent {
				check(t, err)
			} else if !errors.Is(err, ErrDeliveryFailed) {
				t.Fatalf("sending to a closed address: %v", err)
			}
			for range 3 {
				n.pass(time.Minute)
				a.receive()
			}
			m, err := a.Message(t.Context(), "b", s.ID)
			check(t, err)
			want := Failed
			if silent {
				want = Stored
			}
			if m.State != want {
				t.Errorf("state %v, want %v", m.State, want)
			}
			if got := b.receive(); len(got) != 0 {
				t.Errorf("b got %q", got)
			}
			if _, err := b.Send(t.Context(), "a", "no", SendOptions{}); !errors.Is(err, ErrRevoked) {
				t.Errorf("sending to a revoked contact: %v", err)
			}
			check(t, b.Remove(t.Context(), "a"))
			if _, err := b.Contact(t.Context(), "a"); !errors.Is(err, ErrNoSuchContact) {
				t.Errorf("after removing: %v", err)
			}
		})
	}
}

func TestDrainingAgentIsLeft(t *testing.T) {
	n := newFakeNet(t)
	home := []*fakeAgent{n.agent(), n.agent(), n.agent(), n.agent()}
	a, b := n.person(n.agent()), n.person(home...)
	meet(t, a, b)
	leaving := n.agents[a.peerAgents("b")[0]]
	leaving.set(func() { leaving.draining = true })
	a.send("b", "x") // what arrives says that the agent drains
	for range 4 {
		n.pass(day)
		b.receive()
		a.receive()
	}
	if slices.Contains(a.peerAgents("b"), leaving.id) {
		t.Error("addresses at the draining agent are still offered")
	}
	n.pass(8 * day)
	b.receive()
	check(t, b.RemoveAgent(t.Context(), leaving.uri.String()))
	agents, err := b.Agents(context.Background())
	check(t, err)
	if len(agents) != 3 {
		t.Errorf("%d agents left", len(agents))
	}
}
