package client

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"communicator/client/route"
	"communicator/client/store"

	"github.com/libp2p/go-libp2p/core/protocol"
)

func protocolID(s string) protocol.ID { return protocol.ID(s) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// person is a client of a test with what it takes to open it again.
type person struct {
	*Client
	t    *testing.T
	net  *fakeNet
	path string
	opts Options
}

var cheap = store.KDF{Time: 1, Memory: 8, Threads: 1}

// quick is a policy that a test can wait for in virtual time.
var quick = route.Policy{}

func (n *fakeNet) person(agents ...*fakeAgent) *person {
	n.t.Helper()
	p := &person{t: n.t, net: n, path: filepath.Join(n.t.TempDir(), "profile"),
		opts: Options{Host: n.clientHost, Now: n.now, KDF: cheap, AckDelay: -1, Route: quick}}
	var err error
	p.Client, err = Create(n.t.Context(), p.path, []byte("pass"), p.opts)
	check(n.t, err)
	n.t.Cleanup(func() { p.Client.Close() })
	for _, a := range agents {
		_, err := p.AddAgent(n.t.Context(), a.uri.String())
		check(n.t, err)
	}
	return p
}

// reopen closes the profile and opens it again, as after a crash.
func (p *person) reopen() {
	p.t.Helper()
	check(p.t, p.Client.Close())
	var err error
	p.Client, err = Open(p.t.Context(), p.path, []byte("pass"), p.opts)
	check(p.t, err)
}

// receive makes a pass and returns the texts that it brought.
func (p *person) receive() (texts []string) {
	p.t.Helper()
	events, err := p.Receive(p.t.Context())
	check(p.t, err)
	return textsOf(events)
}

func textsOf(events []Event) (texts []string) {
	for _, e := range events {
		if m, ok := e.(MessageReceived); ok {
			texts = append(texts, m.Message.Text)
		}
	}
	return texts
}

func (p *person) send(to, text string) Sent {
	p.t.Helper()
	s, err := p.Send(p.t.Context(), to, text, SendOptions{})
	check(p.t, err)
	return s
}

// meet makes two people contacts of each other: a knows b as "b", b knows a as "a".
func meet(t *testing.T, a, b *person) {
	t.Helper()
	inv, err := a.Invite(t.Context(), "b")
	check(t, err)
	_, err = b.Accept(t.Context(), inv.Link, "a")
	check(t, err)
	for range 3 {
		a.receive()
		b.receive()
	}
	for _, p := range []*person{a, b} {
		contacts, err := p.Contacts(context.Background())
		check(t, err)
		if len(contacts) != 1 || contacts[0].State != ContactEstablished {
			t.Fatalf("not established: %+v", contacts)
		}
	}
}

func (p *person) contact(name string) Contact {
	p.t.Helper()
	c, err := p.Contact(p.t.Context(), name)
	check(p.t, err)
	return c
}

const day = 24 * time.Hour

func (p *person) contactStatus(name string) ContactStatus {
	p.t.Helper()
	s, err := p.Status(p.t.Context())
	check(p.t, err)
	i := slices.IndexFunc(s.Contacts, func(c ContactStatus) bool { return c.Name == name })
	if i < 0 {
		p.t.Fatalf("no contact %q", name)
	}
	return s.Contacts[i]
}

// relation is the decoded row of a contact.
func (p *person) relation(name string) (r relation) {
	p.t.Helper()
	check(p.t, p.st.View(context.Background(), func(tx *store.Tx) (err error) {
		r, err = loadByName(tx, name)
		return err
	}))
	return r
}
