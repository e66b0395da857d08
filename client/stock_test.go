package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"communicator/client/directory"
	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/particle"
	"communicator/wire"

	"github.com/libp2p/go-libp2p/core/peer"
)

type nobodyThere struct{}

func (nobodyThere) Open(context.Context) (io.ReadWriteCloser, peer.ID, error) {
	return nil, "", errNobodyThere
}

var errNobodyThere = errors.New("nobody there")

// ownNameOf gives a person a name that a namespace has attested.
func ownNameOf(t *testing.T, p *person) ownName {
	t.Helper()
	identity, err := particle.NewIdentity(p.Client.opts.Rand)
	check(t, err)
	row := ownName{
		Name: "alice@club", NSID: proof.NSID{1}.String(), Label: "alice",
		Identity: identity.Marshal(), Statement: make([]byte, len(proof.Hash{})),
	}
	check(t, p.st.Update(t.Context(), row.save))
	return row
}

// TestPackagesWaitForTheirUpload: one that no directory has taken is not made again.
func TestPackagesWaitForTheirUpload(t *testing.T) {
	n := newFakeNet(t)
	p := n.person(n.agent(), n.agent())
	ctx := t.Context()
	before := ownNameOf(t, p)
	row, err := p.vendable(ctx, before, true)
	check(t, err)
	at := place{label: "alice", dir: directory.New(wire.AgentID{}, nobodyThere{})}
	for range 3 {
		if row, err = p.stockName(ctx, row, at); err == nil {
			t.Fatal("uploaded to nobody")
		}
	}
	saved, err := p.ownRow(ctx, row.setting())
	check(t, err)
	open, err := p.openVended(ctx, row)
	check(t, err)
	if len(saved.Pending) != 1 || open != 1 {
		t.Errorf("%d wait, %d are open", len(saved.Pending), open)
	}

	// Whoever has read the row before changes single fields of it.
	if _, err := p.changeName(ctx, before.setting(), func(now *ownName) { now.Stocked = n.now() }); err != nil {
		t.Fatal(err)
	}
	if saved, err = p.ownRow(ctx, row.setting()); err != nil || len(saved.Pending) != 1 || saved.Stocked.IsZero() {
		t.Errorf("%d wait after a change of something else, %v", len(saved.Pending), err)
	}
	n.pass(InvitationLife)
	if _, err = p.uploadPending(ctx, saved, directory.Owner{Client: at.dir}); err != nil {
		t.Errorf("what has expired was uploaded: %v", err)
	}
	if saved, err = p.ownRow(ctx, row.setting()); err != nil || len(saved.Pending) != 0 {
		t.Errorf("%d that have expired wait, %v", len(saved.Pending), err)
	}
}

// TestRequestThatEndedStaysEnded: an answer that comes late brings no request back.
func TestRequestThatEndedStaysEnded(t *testing.T) {
	p := newFakeNet(t).person()
	ctx := t.Context()
	row := askedRow{Name: "alice@club"}
	id, err := directory.NewRequestID(p.Client.opts.Rand)
	check(t, err)
	row.ID = id[:]
	check(t, p.st.Update(ctx, row.save))
	check(t, p.askAnew(ctx, row))
	now, err := p.askedBefore(ctx, row.setting())
	check(t, err)
	if string(now.ID) == string(row.ID) || now.Next.IsZero() {
		t.Error("the next request is the same one")
	}
	check(t, p.endAsking(ctx, now))
	check(t, p.askAnew(ctx, now))
	if _, err := p.askedBefore(ctx, row.setting()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("came back: %v", err)
	}
}

// stocked gives a person a name with so many packages, and returns these.
func stocked(t *testing.T, p *person, packages int) (out []particle.KeyPackage) {
	t.Helper()
	row := ownNameOf(t, p)
	for range packages {
		var err error
		row, err = p.vendable(t.Context(), row, true)
		check(t, err)
		pkg, err := particle.ParsePackage(row.Pending[len(row.Pending)-1])
		check(t, err)
		out = append(out, pkg)
	}
	return out
}

// TestStockSharesConnections: the mailboxes of a name's stock are collected together, and
// never over the connection of who came through one of them.
func TestStockSharesConnections(t *testing.T) {
	n := newFakeNet(t)
	home := []*fakeAgent{n.agent(), n.agent()}
	a, b, c := n.person(home...), n.person(n.agent()), n.person(n.agent())
	packages := stocked(t, a, 4)
	stock := map[wire.MailboxID]bool{}
	for i, other := range []*person{b, c} {
		id, err := other.randomID()
		check(t, err)
		check(t, other.begin(t.Context(), id, "alice", packages[i]))
	}
	for _, pkg := range packages {
		stock[pkg.Contact().Mailbox] = true
	}
	forget := func() { // who collected what until here
		for _, h := range home {
			h.set(func() { clear(h.peers) })
		}
	}
	forget()
	for range 4 {
		b.receive()
		c.receive()
		a.receive()
		n.pass(particle.CloseAfter) // until the mailboxes of first messages are closed
	}
	contacts, err := a.Contacts(t.Context())
	check(t, err)
	if len(contacts) != 2 {
		t.Fatalf("%d contacts", len(contacts))
	}
	together := 0
	for _, h := range home {
		h.set(func() {
			for _, boxes := range h.peers {
				of := 0
				for id := range boxes {
					if stock[id] {
						of++
					}
				}
				if of > 0 && of < len(boxes) {
					t.Errorf("one connection served %d mailboxes of the stock and %d others", of, len(boxes)-of)
				}
				together = max(together, of)
			}
		})
	}
	if together < 2 {
		t.Error("each mailbox of the stock had a connection of its own")
	}
}

// TestFirstMessageNeedsNoTurn: the stock and the relationships of who has a name and some
// contacts are all watched at the same time.
func TestFirstMessageNeedsNoTurn(t *testing.T) {
	n := newFakeNet(t)
	n.live() // watching is about real timers
	a := n.person(n.agent(), n.agent())
	a.turns.first = time.Hour // no watcher gives its place to another
	for i := range 2 {
		other := n.person(n.agent())
		inv, err := a.Invite(t.Context(), string(rune('b'+i)))
		check(t, err)
		_, err = other.Accept(t.Context(), inv.Link, "a")
		check(t, err)
		for range 2 {
			a.receive()
			other.receive()
		}
	}
	packages := stocked(t, a, stockSize+1)
	ctx, stop := context.WithCancel(t.Context())
	var following sync.WaitGroup
	came := make(chan struct{}, 1)
	following.Go(func() {
		err := a.Follow(ctx, func(e Event) {
			if _, ok := e.(ContactAdded); ok {
				came <- struct{}{}
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
	defer following.Wait()
	defer stop()
	other := n.person(n.agent())
	id, err := other.randomID()
	check(t, err)
	check(t, other.begin(t.Context(), id, "alice", packages[0]))
	other.receive() // a pass sends
	select {
	case <-came:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody came")
	}
}

// TestVendedPackagesAreBounded: a directory that says again and again that its stock is
// empty gets no more than so many open mailboxes out of us.
func TestVendedPackagesAreBounded(t *testing.T) {
	for what, c := range map[string]struct{ stocked, room, open, want int }{
		"nothing there":            {0, 100, 0, stockSize},
		"one left":                 {1, 100, 0, stockSize - 1},
		"enough left":              {stockLow + 1, 100, 0, 0},
		"no room":                  {0, 0, 0, 0},
		"room for one":             {0, 1, 0, 1},
		"many open":                {0, 100, maxVended - lastResorts - 1, 1},
		"as many open as may be":   {0, 100, maxVended - lastResorts, 0},
		"more open than there may": {0, 100, maxVended, 0},
		"more room than sense":     {0, 1 << 30, 0, stockSize},
		"a stock below nothing":    {0, -1, 0, 0},
	} {
		if got := missingVended(c.stocked, c.room, c.open); got != c.want {
			t.Errorf("%s: %d, not %d", what, got, c.want)
		}
	}
	open := 0
	for range 100 {
		open += missingVended(0, 1<<30, open)
	}
	if open != maxVended-lastResorts {
		t.Errorf("%d mailboxes are open", open)
	}
}

// TestPagesOfRequestsAreBounded: a directory that never ends its list, or repeats itself.
func TestPagesOfRequestsAreBounded(t *testing.T) {
	pages, visits := 0, 0
	endless := func(_ context.Context, after uint64) ([]directory.Waiting, bool, error) {
		pages++
		return []directory.Waiting{{Request: vend.Digest{byte(pages)}, Position: after + 1}, {Request: vend.Digest{200}, Position: after + 2}}, true, nil
	}
	check(t, eachWaiting(t.Context(), endless, func(directory.Waiting) { visits++ }))
	if pages != maxWaitingPages || visits != maxWaitingPages+1 {
		t.Errorf("%d pages, %d requests", pages, visits)
	}
	broken := func(context.Context, uint64) ([]directory.Waiting, bool, error) { return nil, false, errNobodyThere }
	if err := eachWaiting(t.Context(), broken, func(directory.Waiting) { t.Error("visited") }); !errors.Is(err, errNobodyThere) {
		t.Errorf("got %v", err)
	}
}
