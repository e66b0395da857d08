package directory

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	client "communicator/client/directory"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/internal/budget"
	"communicator/wire"
)

func TestRegisterAndAttest(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	p := w.registered("alice")
	c := w.dial("anybody")

	chain, err := c.Chain(ctx, w.ns, nil)
	if err != nil || chain.Current().Number != 1 {
		t.Fatalf("chain: %v", err)
	}
	staple, v, err := c.Attestation(ctx, chain, "alice", secretOf(w.ns, "alice"), w.clock.now())
	if err != nil {
		t.Fatalf("attestation: %v", err)
	}
	if v.IdDoc != p.doc || v.Change != proof.FirstBind || len(staple) > proof.MaxStaple {
		t.Errorf("attested %v of %d bytes", v.Change, len(staple))
	}
	_, _, err = c.Attestation(ctx, chain, "bob", secretOf(w.ns, "bob"), w.clock.now())
	wantStatus(t, "a name that is not bound", err, wire.StatusNotFound)

	space, err := c.Space(ctx, w.ns)
	if err != nil || space.Size != 1 || !space.Registers || space.Rule != vend.Closed || space.Frozen {
		t.Errorf("space %+v, %v", space, err)
	}
	list, more, err := c.Statements(ctx, w.ns, "alice", 0)
	if err != nil || more || len(list) != 1 || list[0].Leaf != 0 {
		t.Errorf("statements %v, %v", list, err)
	}
	tag, next := proof.Tag(secretOf(w.ns, "alice"), 1), proof.Tag(secretOf(w.ns, "alice"), 2)
	tags, err := c.Tags(ctx, w.ns, []proof.Hash{tag, next})
	if at, ok := tags[tag]; err != nil || !ok || at != 0 || len(tags) != 1 {
		t.Errorf("tags %v, %v", tags, err)
	}
}

func TestRegisterRefuses(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Registrations = budget.Rate{Burst: 100} })
	ctx := t.Context()
	p := w.person("alice", "alice")
	token := w.token(vend.Registration)
	register := func(change func(e *client.Entry), key string, token *vend.Token) error {
		e := p.firstBind()
		if change != nil {
			change(&e)
		}
		_, err := p.Client.Register(ctx, keyNamed(key), e, token)
		return err
	}
	wantStatus(t, "no token", register(nil, "alice", nil), wire.StatusPermission)
	wantStatus(t, "a token that was not issued", register(nil, "alice", &vend.Token{1}), wire.StatusPermission)
	wantStatus(t, "another key", register(nil, "mallory", &token), wire.StatusAuth)
	wantStatus(t, "another secret", register(func(e *client.Entry) { e.Secret[0] ^= 1 }, "alice", &token), wire.StatusMalformed)
	wantStatus(t, "another identity", register(func(e *client.Entry) {
		doc := idDocNamed(t, "mallory")
		e.Identity = doc[:]
	}, "alice", &token), wire.StatusMalformed)
	wantStatus(t, "an old statement", register(func(e *client.Entry) {
		by := w.by()
		by.Issued = by.Issued.Add(-time.Hour + time.Second)
		e.Statement = proof.NewName(w.ns, "alice").FirstBind(p.doc, proof.Hash{}, by)
		if err := e.Statement.Sign(p.Key); err != nil {
			t.Fatal(err)
		}
	}, "alice", &token), wire.StatusExpired)
	w.keys.attests = false
	wantStatus(t, "without an attesting key", register(nil, "alice", &token), wire.StatusPermission)
	w.keys.attests = true
	w.SetDraining(true)
	wantStatus(t, "while leaving", register(nil, "alice", &token), wire.StatusDraining)
	w.SetDraining(false)

	// None of that used the token up; once used it is gone, but for a repeat.
	e := p.firstBind()
	for range 2 {
		if leaf, err := p.Client.Register(ctx, p.Key, e, &token); err != nil || leaf != 0 {
			t.Fatalf("leaf %d, %v", leaf, err)
		}
	}
	b := w.person("bob", "bob")
	_, err := b.Client.Register(ctx, b.Key, b.firstBind(), &token)
	wantStatus(t, "a token used twice", err, wire.StatusPermission)
	other := w.token(vend.Registration)
	m := w.person("alice", "mallory")
	_, err = m.Client.Register(ctx, m.Key, m.firstBind(), &other)
	wantStatus(t, "a name that is taken", err, wire.StatusConflict)
}

// Deriving a secret is dear: whoever has no token does not make the directory do it.
func TestTokenComesBeforeTheSecret(t *testing.T) {
	derived := 0
	w := newWorld(t, func(c *Config) {
		secret := c.Secret
		c.Secret = func(ctx context.Context, ns proof.NSID, name proof.Name) (proof.NameSecret, error) {
			derived++
			return secret(ctx, ns, name)
		}
	})
	p := w.person("alice", "alice")
	e := p.firstBind()
	_, err := p.Client.Register(t.Context(), p.Key, e, &vend.Token{1})
	wantStatus(t, "a token that was not issued", err, wire.StatusPermission)
	if derived != 0 {
		t.Errorf("derived %d secrets for nothing", derived)
	}
	token := w.token(vend.Registration)
	for range 2 {
		if _, err := p.Client.Register(t.Context(), p.Key, e, &token); err != nil {
			t.Fatal(err)
		}
	}
	if derived != 1 {
		t.Errorf("derived %d secrets for one name", derived)
	}
}

func TestRotateUndoAndStock(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	p := w.registered("alice")
	p.rule(vend.Open, 100)
	p.upload(p.pack("old", true, 48*time.Hour))
	first := p.request()
	if w.contact(w.dial("asker"), first) == nil {
		t.Fatal("not granted")
	}

	// The new key takes over with the old key's signature.
	st := w.state("alice")
	next := w.person("alice", "alice 2")
	s := st.Rotate(next.doc, proof.Hash{}, w.by())
	if err := s.Sign(next.Key, p.Key); err != nil {
		t.Fatal(err)
	}
	if _, err := next.Client.Register(ctx, next.Key, next.entry(s), nil); err != nil {
		t.Fatal(err)
	}
	if w.contact(w.dial("asker"), first) != nil {
		t.Error("a package of the former key is still handed out")
	}
	_, err := p.Stock(ctx)
	wantStatus(t, "the former key", err, wire.StatusAuth)
	stock, err := next.Stock(ctx)
	if err != nil || stock.OneTime != 0 || stock.Policy.Rule != vend.Default {
		t.Errorf("the new key begins with %+v, %v", stock, err)
	}
	_, v, err := next.Client.Attestation(ctx, w.chain, "alice", secretOf(w.ns, "alice"), w.clock.now())
	if err != nil || v.IdDoc != next.doc {
		t.Errorf("attested: %v", err)
	}

	// It was a thief: the replaced key takes the name back.
	st = w.state("alice")
	undo := st.UndoTo(st.Undoable(w.clock.now())[0], w.by())
	if err := undo.Sign(p.Key); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Client.Register(ctx, p.Key, p.entry(undo), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Stock(ctx); err != nil {
		t.Errorf("after the undo: %v", err)
	}
	_, err = next.Stock(ctx)
	wantStatus(t, "the thief", err, wire.StatusAuth)
}

// state reads a name's, as a client would by its history.
func (w *world) state(name proof.Name) proof.NameState {
	w.t.Helper()
	c := w.dial("reader")
	list, _, err := c.Statements(context.Background(), w.ns, name, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	st := proof.NewName(w.ns, name)
	for _, l := range list {
		if st, err = proof.Apply(st, l.Statement, w.chain.Current(), w.clock.now()); err != nil {
			w.t.Fatal(err)
		}
	}
	return st
}

func TestHeldResetAndVeto(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	p := w.registered("alice")
	p.rule(vend.Open, 100)
	p.upload(p.pack("kept", true, 20*24*time.Hour))

	reset := func(key string) *person {
		thief := w.person("alice", key)
		s := w.state("alice").Reset(thief.doc, proof.Hash{}, w.chain.Current().Hold, w.by())
		if err := s.Sign(thief.Key); err != nil {
			t.Fatal(err)
		}
		token := w.token(vend.Registration)
		if _, err := thief.Client.Register(ctx, thief.Key, thief.entry(s), &token); err != nil {
			t.Fatal(err)
		}
		return thief
	}
	thief := reset("thief")
	_, _, err := p.Client.Attestation(ctx, w.chain, "alice", secretOf(w.ns, "alice"), w.clock.now())
	if !errors.Is(err, proof.ErrHold) {
		t.Errorf("a reset that waits is attested: %v", err)
	}
	if _, err := p.Stock(ctx); err != nil {
		t.Errorf("the owner, while a reset waits: %v", err)
	}
	veto := w.state("alice").VetoOf(0, w.clock.now())
	if err := veto.Sign(p.Key); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := p.Client.Register(ctx, p.Key, client.Entry{Statement: veto}, nil); err != nil {
			t.Fatalf("veto: %v", err)
		}
	}
	w.clock.move(100 * time.Hour)
	if _, err := p.Stock(ctx); err != nil {
		t.Errorf("the owner after the veto: %v", err)
	}
	_, err = thief.Stock(ctx)
	wantStatus(t, "the thief after the veto", err, wire.StatusAuth)
	list, err := w.dial("reader").Revocations(ctx, w.chain, publicNamed("alice"))
	if err != nil || len(list) != 1 || list[0].Hash() != veto.Hash() {
		t.Errorf("%d revocations, %v", len(list), err)
	}
	if got := w.contact(w.dial("asker"), p.request()); !bytes.Contains(got, []byte("kept")) {
		t.Error("the owner's stock is gone")
	}
}

func TestHeldResetTakesEffectByItself(t *testing.T) {
	w := newWorld(t)
	p := w.registered("alice")
	p.rule(vend.Open, 100)
	p.upload(p.pack("lost key's", true, 20*24*time.Hour))
	found := w.person("alice", "found")
	s := w.state("alice").Reset(found.doc, proof.Hash{}, w.chain.Current().Hold, w.by())
	if err := s.Sign(found.Key); err != nil {
		t.Fatal(err)
	}
	token := w.token(vend.Registration)
	if _, err := found.Client.Register(t.Context(), found.Key, found.entry(s), &token); err != nil {
		t.Fatal(err)
	}
	w.clock.move(w.chain.Current().Hold + time.Hour)
	if w.contact(w.dial("asker"), p.request()) != nil {
		t.Error("the lost key's package is vended after the hold")
	}
	if _, err := found.Stock(t.Context()); err != nil {
		t.Errorf("the new key after the hold: %v", err)
	}
}
