package client

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"communicator/client/store"
)

// move exports a profile and opens the import.
func (p *person) move() *person {
	p.t.Helper()
	var export bytes.Buffer
	check(p.t, p.Export(p.t.Context(), &export, []byte("moving")))
	m := &person{t: p.t, net: p.net, path: filepath.Join(p.t.TempDir(), "moved"), opts: p.opts}
	var err error
	m.Client, err = Import(p.t.Context(), m.path, &export, []byte("moving"), []byte("pass"), p.opts)
	check(p.t, err)
	p.t.Cleanup(func() { check(p.t, m.Close()) })
	return m
}

func (p *person) suspect(name string) {
	p.t.Helper()
	check(p.t, p.st.Update(p.t.Context(), func(tx *store.Tx) error {
		r, err := loadByName(tx, name)
		if err != nil {
			return err
		}
		return r.save(tx, r.particle.MarkSuspect())
	}))
}

// TestRevokedWhileTended: what tends a contact has read its row before the contact was
// revoked, and must not give it addresses again.
func TestRevokedWhileTended(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	meet(t, a, b)
	row := a.relation("b").Contact
	a.suspect("b")
	check(t, a.Revoke(t.Context(), "b", false))
	if _, err := a.tend(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	check(t, a.st.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Mailboxes(store.MailboxFilter{Contact: row.ID})
		for _, m := range rows {
			if m.State == store.MailboxActive {
				t.Error("a revoked contact has an active mailbox")
			}
		}
		return err
	}))
}

// TestPooledMailboxTakenMeanwhile: another process is given a gathered mailbox first.
func TestPooledMailboxTakenMeanwhile(t *testing.T) {
	n := newFakeNet(t)
	a, b, c := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	meet(t, a, b)
	inv, err := a.Invite(t.Context(), "c")
	check(t, err)
	_, err = c.Accept(t.Context(), inv.Link, "a")
	check(t, err)
	for range 3 {
		a.receive()
		c.receive()
	}
	a.suspect("b")
	a.suspect("c")
	id := a.relation("b").ID
	gathered, err := a.gather(t.Context(), id)
	check(t, err)
	_, err = a.Send(t.Context(), "c", "takes from the pool", SendOptions{Wait: NoWait})
	check(t, err)
	err = a.st.Update(t.Context(), func(tx *store.Tx) error {
		r, err := load(tx, id)
		if err != nil {
			return err
		}
		return a.offer(tx, &r, gathered)
	})
	if err != errTaken {
		t.Fatalf("got %v, want errTaken", err)
	}
	a.receive() // gathers anew
}

// TestQueuedTextAfterImportArrivesOnce: the original had sent it after the export.
func TestQueuedTextAfterImportArrivesOnce(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	meet(t, a, b)
	for range 3 { // recovery packages are exchanged
		a.send("b", "hello")
		b.receive()
		b.send("a", "hello")
		a.receive()
	}
	_, err := a.Send(t.Context(), "b", "once", SendOptions{Wait: NoWait})
	check(t, err)
	moved := a.move()
	a.receive()
	got := b.receive()
	for range 3 {
		moved.receive()
		got = append(got, b.receive()...)
	}
	if n := len(slices.DeleteFunc(got, func(s string) bool { return s != "once" })); n != 1 {
		t.Errorf("shown %d times", n)
	}
}

// TestBothSidesImported: each begins anew, and neither is stuck with the other's.
func TestBothSidesImported(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	meet(t, a, b)
	for range 3 {
		a.send("b", "hello")
		b.receive()
		b.send("a", "hello")
		a.receive()
	}
	_, err := a.Send(t.Context(), "b", "queued", SendOptions{Wait: NoWait})
	check(t, err)
	ma, mb := a.move(), b.move()
	mb.receive()
	var got []string
	for range 5 {
		ma.receive()
		got = append(got, mb.receive()...)
	}
	if !slices.Contains(got, "queued") {
		t.Errorf("got %q", got)
	}
}
