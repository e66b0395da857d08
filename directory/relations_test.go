package directory

import (
	"errors"
	"testing"
	"time"

	client "communicator/client/directory"
	"communicator/directory/proof"
	"communicator/wire"
)

// relationOf is a relation of the person's, with one that another key follows or equals.
func (w *world) relationOf(kind proof.RelationKind, a, b string) proof.Relation {
	w.t.Helper()
	at := w.clock.now().Truncate(time.Second)
	r := proof.Follows(idDocNamed(w.t, a), idDocNamed(w.t, b), at)
	if kind == proof.Equivalence {
		r = proof.Equivalent(idDocNamed(w.t, a), idDocNamed(w.t, b), at)
	}
	if err := r.Sign(keyNamed(a), keyNamed(b)); err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) relationsOf(key string) []proof.Relation {
	w.t.Helper()
	list, err := w.dial("reader").Relations(w.t.Context(), w.ns, publicNamed(key))
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func TestRelationIsFoundUnderBothKeys(t *testing.T) {
	w := newWorld(t)
	p := w.registered("alice")
	follows := w.relationOf(proof.Succession, "alice", "alice2")
	for range 2 { // repeating it is harmless
		if err := p.Relate(t.Context(), follows); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"alice", "alice2"} {
		if list := w.relationsOf(key); len(list) != 1 || list[0] != follows {
			t.Errorf("under %s: %+v", key, list)
		}
	}
	if list := w.relationsOf("bob"); len(list) != 0 {
		t.Errorf("bob has %d", len(list))
	}
	// The one that contradicts it is kept too: whoever looks has to see both.
	if err := p.Relate(t.Context(), w.relationOf(proof.Succession, "alice", "alice3")); err != nil {
		t.Fatal(err)
	}
	if list := w.relationsOf("alice"); len(list) != 2 || len(proof.Conflicts(list)) != 1 {
		t.Errorf("%+v", list)
	}
	if err := w.log.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := w.relationsOf("alice"); len(list) != 2 {
		t.Errorf("%d after the tables were made anew", len(list))
	}
}

func TestRelationRefused(t *testing.T) {
	w := newWorld(t)
	p := w.registered("alice")
	unsigned := proof.Follows(idDocNamed(t, "alice"), idDocNamed(t, "next"), w.clock.now().Truncate(time.Second))
	if err := unsigned.Sign(keyNamed("alice")); err != nil {
		t.Fatal(err)
	}
	late := proof.Follows(idDocNamed(t, "alice"), idDocNamed(t, "next"), w.clock.now().Truncate(time.Second).Add(24*time.Hour))
	if err := late.Sign(keyNamed("alice"), keyNamed("next")); err != nil {
		t.Fatal(err)
	}
	good := w.relationOf(proof.Equivalence, "alice", "next")
	stranger := client.Owner{Client: p.Client, NS: w.ns, Name: "alice", Key: keyNamed("mallory")}
	nobody := p.Owner
	nobody.Name = "nobody"
	for what, test := range map[string]struct {
		by   client.Owner
		rel  proof.Relation
		want wire.Status
	}{
		"one signature alone":        {p.Owner, unsigned, wire.StatusAuth},
		"of tomorrow":                {p.Owner, late, wire.StatusExpired},
		"brought by a stranger":      {stranger, good, wire.StatusAuth},
		"of a name that is not here": {nobody, good, wire.StatusAuth},
		"of two who hold nothing": {client.Owner{Client: p.Client, NS: w.ns, Name: "alice", Key: keyNamed("x")},
			w.relationOf(proof.Succession, "x", "y"), wire.StatusAuth},
	} {
		w.clock.move(time.Hour) // the budget of registrations
		wantStatus(t, what, test.by.Relate(t.Context(), test.rel), test.want)
	}
	if list := w.relationsOf("alice"); len(list) != 0 {
		t.Errorf("kept %+v", list)
	}
}

func TestRelationsOfOneKeyAreBounded(t *testing.T) {
	w := newWorld(t)
	p := w.registered("alice")
	var err error
	kept := 0
	for i := range MaxRelations + 1 {
		w.clock.move(time.Hour)
		if err = p.Relate(t.Context(), w.relationOf(proof.Succession, "alice", string(rune('a'+i)))); err == nil {
			kept++
		}
	}
	var refused *wire.StatusError
	if kept != MaxRelations || !errors.As(err, &refused) || refused.Status != wire.StatusConflict {
		t.Errorf("%d kept, %v", kept, err)
	}
}
