package directory

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	client "communicator/client/directory"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/wire"
)

// names makes complete first binds of so many new names.
func (w *world) names(n int) (entries []client.Entry) {
	w.t.Helper()
	for i := range n {
		p := &person{w: w, doc: idDocNamed(w.t, fmt.Sprint("key ", i))}
		p.Name, p.Key = proof.Name(fmt.Sprint("name", i)), keyNamed(fmt.Sprint("key ", i))
		e := p.firstBind()
		if err := e.Statement.Sign(keyNamed("attesting")); err != nil {
			w.t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

func TestSubmitInBatches(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	entries := w.names(300)
	for range 2 { // the second time nothing is new
		if n, err := w.authority().Submit(ctx, entries...); err != nil || n != len(entries) {
			t.Fatalf("%d logged, %v", n, err)
		}
	}
	c := w.dial("anybody")
	note, cp, err := c.Checkpoint(ctx, w.chain)
	if err != nil || cp.Size != 300 {
		t.Fatalf("checkpoint of %d, %v", cp.Size, err)
	}
	for _, i := range []int{0, 1, 127, 128, 255, 299} {
		e := entries[i]
		raw, err := e.Statement.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		leaf := proof.Leaf(e.Secret, 1, proof.Commit(e.Opening, raw))
		if _, err := c.Inclusion(ctx, cp, uint64(i), leaf); err != nil {
			t.Errorf("leaf %d: %v", i, err)
		}
		if _, _, err := c.Attestation(ctx, w.chain, e.Statement.Name, e.Secret, w.clock.now()); err != nil {
			t.Errorf("name %d: %v", i, err)
		}
	}
	w.registered("onemore")
	next, newer, fork, err := c.Continue(ctx, w.chain, note)
	if err != nil || fork != nil || newer.Size != 301 {
		t.Errorf("continued to %d with %q, %v", newer.Size, next, err)
	}
}

func TestSubmitIsAllOrNothing(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	good := w.names(3)
	spoil := map[string]struct {
		change func(e *client.Entry)
		want   wire.Status
	}{
		"a forged signature": {func(e *client.Entry) { e.Statement.Signatures[1][5] ^= 1 }, wire.StatusAuth},
		"another's identity": {func(e *client.Entry) { e.Identity = good[0].Identity }, wire.StatusMalformed},
		"a document of another key": {func(e *client.Entry) {
			e.Statement.Key = publicNamed("mallory")
			e.Statement.Signatures = nil
			if err := e.Statement.Sign(keyNamed("mallory"), keyNamed("attesting")); err != nil {
				t.Fatal(err)
			}
		}, wire.StatusMalformed},
		"without its identity": {func(e *client.Entry) { e.Identity = nil }, wire.StatusMalformed},
		"a version ahead": {func(e *client.Entry) {
			e.Statement.Version, e.Statement.Prev = 2, proof.Hash{1}
			e.Statement.Signatures = nil
			if err := e.Statement.Sign(keyNamed("key 2"), keyNamed("attesting")); err != nil {
				t.Fatal(err)
			}
		}, wire.StatusMalformed},
	}
	for name, s := range spoil {
		entries := w.names(3)
		s.change(&entries[2])
		n, err := w.authority().Submit(ctx, entries...)
		if n != 0 || err == nil {
			t.Errorf("%s: %d logged", name, n)
		}
		if s.want != wire.StatusMalformed {
			wantStatus(t, name, err, s.want)
		}
	}
	wantStatus(t, "a key that has retired", second(client.Authority{Client: w.dial("x"), NS: w.ns, Key: keyNamed("retired")}.Submit(ctx, good...)), wire.StatusAuth)
	wantStatus(t, "any key", second(client.Authority{Client: w.dial("x"), NS: w.ns, Key: keyNamed("mallory")}.Submit(ctx, good...)), wire.StatusAuth)
	if list, err := w.Namespaces(); err != nil || len(list) != 1 || list[0].Size != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	// In the order of a name's versions one batch may have several.
	first := good[0]
	st, err := proof.Apply(proof.NewName(w.ns, first.Statement.Name), first.Statement, w.chain.Current(), w.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	doc := idDocNamed(t, "next key")
	s := st.Rotate(doc, proof.Hash{}, w.by())
	if err := s.Sign(keyNamed("key 0"), keyNamed("next key"), keyNamed("attesting")); err != nil {
		t.Fatal(err)
	}
	rotated := client.Entry{Statement: s, Identity: doc[:], Secret: first.Secret, Opening: opening(t)}
	if n, err := w.authority().Submit(ctx, append(good, rotated)...); err != nil || n != 4 {
		t.Errorf("%d logged, %v", n, err)
	}
}

func second(_ int, err error) error { return err }

func TestAuthoritysTokens(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	a := w.authority()
	tokens := []vend.Token{{1}}
	soon := w.clock.now().Add(24 * time.Hour)
	wantStatus(t, "an owner's kind", a.Issue(ctx, vend.Contact, soon, tokens...), wire.StatusMalformed)
	wantStatus(t, "expired", a.Issue(ctx, vend.Member, w.clock.now(), tokens...), wire.StatusExpired)
	wantStatus(t, "the default is a rule", a.SetSpace(ctx, vend.Space{Policy: vend.Policy{Rule: vend.Default}}), wire.StatusMalformed)
	wantStatus(t, "too much work", a.SetSpace(ctx, vend.Space{Policy: vend.Policy{Rule: vend.Open, PerHour: 1}, WorkBits: 60}), wire.StatusMalformed)
	p := w.registered("alice")
	wantStatus(t, "an owner as authority", client.Authority{Client: p.Client, NS: w.ns, Key: p.Key}.Issue(ctx, vend.Member, soon, tokens...), wire.StatusAuth)
}

// Two namespaces in one directory share nothing but the log.
func TestTwoNamespaces(t *testing.T) {
	w := newWorld(t)
	m := manifest()
	m.Issued = m.Issued.Add(time.Second)
	ns, genesis, err := proof.Genesis(m, keyNamed("root"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AddNamespace(t.Context(), ns, genesis); err != nil {
		t.Fatal(err)
	}
	first := w.registered("alice")
	other := *w
	other.ns = ns
	if other.chain, err = proof.VerifyChain(ns, genesis); err != nil {
		t.Fatal(err)
	}
	second := other.person("alice", "another alice")
	token := other.token(vend.Registration)
	if _, err := second.Client.Register(t.Context(), second.Key, second.firstBind(), &token); err != nil {
		t.Fatal(err)
	}
	first.rule(vend.Open, 10)
	first.upload(first.pack("first", true, 48*time.Hour))
	if other.contact(w.dial("asker"), second.request()) != nil {
		t.Error("one namespace's rule and stock are another's")
	}
	if w.contact(w.dial("asker"), first.request()) == nil {
		t.Error("not granted")
	}
	list, err := w.Namespaces()
	if err != nil || len(list) != 2 || list[0].Size != 1 || list[1].Size != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

// A restart, and a rebuild, serve what was served before.
func TestReopen(t *testing.T) {
	w := newWorld(t)
	w.registered("alice")
	m := w.chain.Current()
	m.Issued = m.Issued.Add(time.Minute)
	m.Hold = 24 * time.Hour
	amended, err := proof.Amend(w.chain.Current(), m, keyNamed("root"))
	if err != nil {
		t.Fatal(err)
	}
	c := w.dial("anybody")
	for range 2 {
		if err := c.PutManifest(t.Context(), w.ns, amended); err != nil {
			t.Fatal(err)
		}
	}
	chain, err := c.Chain(t.Context(), w.ns, &w.chain)
	if err != nil || chain.Current().Number != 2 {
		t.Fatalf("chain %d, %v", chain.Current().Number, err)
	}
	note, _, err := c.Checkpoint(t.Context(), chain)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.log.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Directory.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Directory, err = New(w.cfg); err != nil {
		t.Fatal(err)
	}
	w.registered("bob")
	c = w.dial("anybody")
	if _, cp, fork, err := c.Continue(t.Context(), chain, note); err != nil || fork != nil || cp.Size != 2 {
		t.Errorf("continued to %d, %v", cp.Size, err)
	}
	_, v, err := c.Attestation(t.Context(), chain, "alice", secretOf(w.ns, "alice"), w.clock.now())
	if err != nil || v.Statement.Name != "alice" {
		t.Errorf("attestation: %v", err)
	}
	// The first manifest again, and one that follows another.
	wantStatus(t, "an old manifest", c.PutManifest(t.Context(), w.ns, w.chain.Signed()[0]), wire.StatusConflict)
	wantStatus(t, "not a manifest", c.PutManifest(t.Context(), w.ns, []byte("manifest")), wire.StatusMalformed)
}

// A statement that does not fit a header is logged in parts.
func TestLongStatement(t *testing.T) {
	w := newWorld(t)
	s, err := w.space(w.ns[:])
	if err != nil {
		t.Fatal(err)
	}
	doc := idDocNamed(t, "long")
	name := proof.Name("a-name-that-is-as-long-as-a-name-may-be.a-name-that-is-as-long1")
	st := proof.NewName(w.ns, name).FirstBind(doc, proof.Hash{1}, w.by())
	if err := st.Sign(keyNamed("long"), keyNamed("attesting")); err != nil {
		t.Fatal(err)
	}
	raw, err := st.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	e := entry{statement: st, raw: raw, identity: doc[:]}
	l := logged{decided: begin, hold: time.Hour, identity: doc[:], statement: make([]byte, proof.MaxStatement)}
	if n := len(facts(KindStatementLogged, w.ns, l.marshal(true))); n != 2 {
		t.Errorf("the longest statement takes %d events", n)
	}
	if _, err := w.Directory.log(context.Background(), s, w.chain.Current(), []entry{e}, nil); err != nil {
		t.Fatal(err)
	}
	long := make([]byte, 3*partSize+5)
	for i := range long {
		long[i] = byte(i)
	}
	note := append([]eventlog.Event(nil), facts(KindCheckpointCosigned, w.ns, long)...)
	if _, err := w.log.Append(t.Context(), note...); err != nil {
		t.Fatal(err)
	}
	err = w.log.View(func(tables eventlog.Tables) error {
		row, err := tables.Table(wire.TableDirectory).Get(nsKey(rowCosigned, s.number))
		if string(row) != string(long) {
			t.Errorf("%d bytes came back of %d in %d parts", len(row), len(long), len(note))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The tree of a prefix, from stored hashes, is that of a log that ended there.
func TestTreeIsTlogs(t *testing.T) {
	w := newWorld(t)
	entries := w.names(600) // past two levels of tiles
	if _, err := w.authority().Submit(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (list []tlog.Hash, err error) {
		for _, i := range indexes {
			list = append(list, stored[i])
		}
		return list, nil
	})
	for i, e := range entries {
		raw, err := e.Statement.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		hashes, err := tlog.StoredHashes(int64(i), proof.Leaf(e.Secret, 1, proof.Commit(e.Opening, raw)), reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		want, err := tlog.TreeHash(int64(i+1), reader)
		if err != nil {
			t.Fatal(err)
		}
		err = w.log.View(func(tables eventlog.Tables) error {
			got, err := tlog.TreeHash(int64(i+1), tree(tables.Table(wire.TableDirectory), 0))
			if got != want {
				t.Errorf("tree of %d", i+1)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
