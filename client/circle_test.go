package client

import (
	"context"
	"slices"
	"testing"
)

// befriend makes two people contacts of each other under these names.
func befriend(t *testing.T, a, b *person, bName, aName string) {
	t.Helper()
	inv, err := a.Invite(t.Context(), bName)
	check(t, err)
	_, err = b.Accept(t.Context(), inv.Link, aName)
	check(t, err)
	for range 3 {
		a.receive()
		b.receive()
	}
	if a.contact(bName).State != ContactEstablished || b.contact(aName).State != ContactEstablished {
		t.Fatal("not established")
	}
}

// circle is Sam with two contacts, Ira and Reed, who do not know each other.
type circle struct{ sam, ira, reed *person }

func newCircle(t *testing.T) circle {
	n := newFakeNet(t)
	w := circle{n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())}
	befriend(t, w.sam, w.ira, "Ira", "Sam")
	befriend(t, w.sam, w.reed, "Reed", "Sam")
	return w
}

// rounds lets everybody make passes.
func (w circle) rounds(n int) (events []Event) {
	for range n {
		for _, p := range []*person{w.sam, w.ira, w.reed} {
			p.t.Helper()
			es, err := p.Receive(context.Background())
			check(p.t, err)
			events = append(events, es...)
		}
	}
	return events
}

func (w circle) introduce() Request {
	w.sam.t.Helper()
	q, err := w.sam.Introduce(w.sam.t.Context(), "Ira", "Reed", IntroduceOptions{Note: "you both like boats"})
	check(w.sam.t, err)
	return q
}

// only returns a person's one request.
func (p *person) only() Request {
	p.t.Helper()
	all, err := p.Requests(context.Background(), true)
	check(p.t, err)
	if len(all) != 1 {
		p.t.Fatalf("%d requests: %+v", len(all), all)
	}
	return all[0]
}

func (p *person) approve() Request {
	p.t.Helper()
	q, err := p.Approve(p.t.Context(), p.only().ID, "")
	check(p.t, err)
	return q
}

func (p *person) state(want RequestState) {
	p.t.Helper()
	if got := p.only().State; got != want {
		p.t.Errorf("state %v, want %v", got, want)
	}
}

// acquainted checks that Ira and Reed have exactly each other, by Sam's word, and talk.
func (w circle) acquainted(t *testing.T) {
	t.Helper()
	for p, name := range map[*person]string{w.ira: "Reed", w.reed: "Ira"} {
		contacts, err := p.Contacts(t.Context())
		check(t, err)
		if len(contacts) != 2 {
			t.Fatalf("contacts: %+v", contacts)
		}
		c := p.contact(name)
		if c.State != ContactEstablished || c.Trust != TrustIntroduced ||
			c.TrustWords() != "introduced by Sam, who could be in the middle" {
			t.Errorf("%+v: %s", c, c.TrustWords())
		}
		if q := p.only(); q.State != RequestDone || q.Contact != name || q.Waiting {
			t.Errorf("request: %+v", q)
		}
	}
	w.ira.send("Reed", "hello Reed")
	if got := w.reed.receive(); !slices.Equal(got, []string{"hello Reed"}) {
		t.Errorf("Reed got %q", got)
	}
	w.reed.send("Ira", "hello Ira")
	if got := w.ira.receive(); !slices.Equal(got, []string{"hello Ira"}) {
		t.Errorf("Ira got %q", got)
	}
}
