package client

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"communicator/client/store"
	"communicator/directory/proof"
	"communicator/particle"
)

// twoThreads is a person who knows another twice, as b1 and b2, and that other one, who
// knows the person as a1 and a2.
func twoThreads(t *testing.T, more ...string) (a, b *person) {
	t.Helper()
	n := newFakeNet(t)
	a, b = n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	for _, number := range append([]string{"1", "2"}, more...) {
		befriend(t, a, b, "b"+number, "a"+number)
	}
	return a, b
}

func (p *person) relate(kind proof.RelationKind, one, other string) Related {
	p.t.Helper()
	r, err := p.Relate(p.t.Context(), kind, one, other, RelateOptions{})
	check(p.t, err)
	return r
}

func (p *person) events() []Event {
	p.t.Helper()
	events, err := p.Receive(context.Background())
	check(p.t, err)
	return events
}

func TestSuccessionPassesTrustOn(t *testing.T) {
	a, b := twoThreads(t)
	ctx := t.Context()
	check(t, a.SetVerified(ctx, "b1", true))
	b.send("a1", "before")
	a.receive()
	r := b.relate(proof.Succession, "a1", "a2")
	if !slices.Equal(r.Told, []string{"a1", "a2"}) {
		t.Errorf("told %v", r.Told)
	}
	told := 0
	for _, e := range a.events() {
		if e, ok := e.(IdentityRelated); ok && e.Contact == "b2" && slices.Equal(e.Kin.Follows, []string{"b1"}) {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	old, next := a.contact("b1"), a.contact("b2")
	if !slices.Equal(old.Kin.FollowedBy, []string{"b2"}) || !slices.Equal(next.Kin.Follows, []string{"b1"}) {
		t.Errorf("b1 %+v, b2 %+v", old.Kin, next.Kin)
	}
	want := "as b1, by the word of both keys: verified in person (safety number compared); by itself: invited by link"
	if next.TrustWords() != want || next.Verified || next.Trust != TrustLinked || next.Kin.Trust != TrustVerified {
		t.Errorf("%q", next.TrustWords())
	}
	// The conversation goes on: what was said before is in its history.
	b.send("a2", "after")
	a.receive()
	history, err := a.History(ctx, "b2", 0, 10)
	check(t, err)
	if len(history) != 2 || history[0].Text != "before" || history[0].Contact != "b1" || history[1].Text != "after" {
		t.Errorf("%+v", history)
	}
	if history, err = a.History(ctx, "b2", 0, 1); err != nil || len(history) != 1 || history[0].Text != "after" {
		t.Errorf("one entry: %+v, %v", history, err)
	}
	// What is taken back there is gone here, and nothing passes a reset.
	check(t, a.SetVerified(ctx, "b1", false))
	if c := a.contact("b2"); c.Kin.From != "" || c.TrustWords() != "invited by link" {
		t.Errorf("taken back: %q", c.TrustWords())
	}
	check(t, a.SetVerified(ctx, "b1", true))
	check(t, a.ResetVerification(ctx, "b2", ResetDiffers))
	if c := a.contact("b2"); c.Kin.From != "" || c.Trust != TrustReset {
		t.Errorf("a reset was covered: %q", c.TrustWords())
	}
	check(t, a.SetVerified(ctx, "b2", false))
	check(t, a.ResetVerification(ctx, "b1", ResetFork))
	if c := a.contact("b2"); c.Kin.From != "" {
		t.Errorf("from one that is reset: %q", c.TrustWords())
	}
	// It goes one way: who is followed gets nothing.
	check(t, a.SetVerified(ctx, "b1", false))
	check(t, a.SetVerified(ctx, "b2", true))
	if c := a.contact("b1"); c.Kin.From != "" {
		t.Errorf("b1 has %q", c.TrustWords())
	}
	a.reopen()
	if c := a.contact("b2"); !slices.Equal(c.Kin.Follows, []string{"b1"}) {
		t.Errorf("after a restart: %+v", c.Kin)
	}
}

func TestEquivalencePassesTrustBothWays(t *testing.T) {
	a, b := twoThreads(t, "3")
	ctx := t.Context()
	b.relate(proof.Equivalence, "a1", "a2")
	a.receive()
	check(t, a.SetVerified(ctx, "b2", true))
	if c := a.contact("b1"); c.Kin.From != "b2" || !slices.Equal(c.Kin.Same, []string{"b2"}) {
		t.Errorf("b1: %+v", c.Kin)
	}
	if c := a.contact("b3"); len(c.Kin.Lines()) != 0 {
		t.Errorf("b3: %+v", c.Kin)
	}
	b.send("a1", "one thread")
	a.receive()
	if history, err := a.History(ctx, "b2", 0, 10); err != nil || len(history) != 0 {
		t.Errorf("threads are mixed: %+v, %v", history, err)
	}
	// Through a chain of both kinds, too.
	b.relate(proof.Succession, "a1", "a3")
	a.receive()
	if c := a.contact("b3"); c.Kin.From != "b2" || c.Kin.Trust != TrustVerified {
		t.Errorf("b3: %+v", c.Kin)
	}
	check(t, a.Remove(ctx, "b1"))
	if c := a.contact("b3"); c.Kin.From == "b1" || len(c.Kin.Follows) != 1 || !strings.HasPrefix(c.Kin.Follows[0], "the key ") {
		t.Errorf("b3 after b1 was removed: %+v", c.Kin)
	}
}

// TestTwoSuccessorsAreShown: the client refuses to say it, so a thief of the state says it.
func TestTwoSuccessorsAreShown(t *testing.T) {
	a, b := twoThreads(t, "3")
	ctx := t.Context()
	check(t, a.SetVerified(ctx, "b1", true))
	b.relate(proof.Succession, "a1", "a2")
	a.receive()
	if again := b.relate(proof.Succession, "a1", "a2"); again.Relation.Verify() != nil {
		t.Error("said again, it is another one")
	}
	if _, err := b.Relate(ctx, proof.Succession, "a1", "a3", RelateOptions{}); !errors.Is(err, ErrContradiction) {
		t.Errorf("a second successor: %v", err)
	}
	if _, err := b.Relate(ctx, proof.Succession, "a2", "a1", RelateOptions{}); !errors.Is(err, ErrContradiction) {
		t.Errorf("a circle: %v", err)
	}
	b.bring("a3", b.forged("a1", "a3"))
	events := a.events()
	for _, name := range []string{"b1", "b2", "b3"} {
		if !slices.Contains(events, Event(Alarm{Contact: name, Kind: AlarmRelation})) {
			t.Errorf("%s: no alarm in %+v", name, events)
		}
		c := a.contact(name)
		if len(c.Kin.Contradictions) != 1 || c.Kin.From != "" || !strings.HasPrefix(c.Kin.Lines()[0], "CONTRADICTION: 2 keys") {
			t.Errorf("%s: %+v", name, c.Kin)
		}
	}
	if history, err := a.History(ctx, "b2", 0, 10); err != nil || len(history) != 0 {
		t.Errorf("goes on with a conversation that two claim: %+v, %v", history, err)
	}
}

// forged is the signed succession of two identities of ours that Relate would refuse.
func (p *person) forged(one, other string) []byte {
	p.t.Helper()
	a, b := p.relation(one), p.relation(other)
	rel := proof.Follows(proof.IdDoc(a.particle.Identity()), proof.IdDoc(b.particle.Identity()), p.now().UTC().Truncate(1e9))
	message, err := rel.Message()
	check(p.t, err)
	for _, r := range []relation{a, b} {
		check(p.t, rel.AddSignature(proof.IdDoc(r.particle.Identity()).Key(), r.signRelation(message)))
	}
	raw, err := rel.Marshal()
	check(p.t, err)
	return raw
}

// bring sends a relation as it is.
func (p *person) bring(name string, raw []byte) {
	p.t.Helper()
	check(p.t, p.update(p.t.Context(), name, func(tx *store.Tx, r *relation) error {
		_, err := p.enqueueDraft(tx, r, particle.Draft{Relation: raw}, SendOptions{Life: DefaultLife})
		return err
	}))
	p.receive()
}

func TestRelationsThatSayNothing(t *testing.T) {
	a, b := twoThreads(t)
	raw := b.forged("a1", "a2")
	raw[len(raw)-1] ^= 1
	b.bring("a1", raw)
	b.bring("a1", make([]byte, particle.RelationSize))
	for _, e := range a.events() {
		if _, ok := e.(IdentityRelated); ok {
			t.Errorf("believed %+v", e)
		}
	}
	if c := a.contact("b2"); len(c.Kin.Lines()) != 0 {
		t.Errorf("%+v", c.Kin)
	}
	// The rest of such a message counts, and the conversation goes on.
	b.send("a1", "still here")
	if got := a.receive(); len(got) != 1 {
		t.Errorf("%d messages", len(got))
	}
	if _, err := b.Relate(t.Context(), proof.Equivalence, "a1", "a1", RelateOptions{}); !errors.Is(err, ErrSameIdentity) {
		t.Errorf("with itself: %v", err)
	}
	if _, err := b.Relate(t.Context(), proof.Equivalence, "a1", "nobody", RelateOptions{}); !errors.Is(err, ErrNoSuchContact) {
		t.Errorf("with nobody: %v", err)
	}
	if _, err := b.Relate(t.Context(), proof.Equivalence, "a1", "b@club", RelateOptions{}); !errors.Is(err, ErrNoName) {
		t.Errorf("with a name of somebody else: %v", err)
	}
	check(t, b.Revoke(t.Context(), "a2", false))
	if _, err := b.Relate(t.Context(), proof.Equivalence, "a1", "a2", RelateOptions{}); !errors.Is(err, ErrRevoked) {
		t.Errorf("with a revoked contact: %v", err)
	}
}

// TestOnlySoManyRelations: a contact cannot fill the profile.
func TestOnlySoManyRelations(t *testing.T) {
	a, b := twoThreads(t)
	id := a.relation("b1").ID
	check(t, a.st.Update(t.Context(), func(tx *store.Tx) error {
		for i := range 3 * maxRelations {
			rel, err := proof.ParseRelation(b.forged("a1", "a2"))
			if err != nil {
				return err
			}
			rel.Issued = rel.Issued.Add(-1e9 * 3600)
			rel.Issued = rel.Issued.AddDate(0, 0, i)
			if _, err := keepRelation(tx, id, rel); err != nil {
				return err
			}
		}
		list, err := relationsUnder(tx, relationIn)
		if len(list) != maxRelations {
			t.Errorf("%d are kept", len(list))
		}
		return err
	}))
}

// TestRelationIsSaidInEachSession: nobody knows whether it was read before a session was
// lost.
func TestRelationIsSaidInEachSession(t *testing.T) {
	a, b := twoThreads(t)
	for range 3 {
		a.send("b1", "x")
		a.send("b2", "x")
		b.receive()
		b.send("a1", "y")
		b.send("a2", "y")
		a.receive()
	}
	b.relate(proof.Succession, "a1", "a2")
	moved := a.move() // from an export made before it arrived
	for range 4 {
		moved.receive()
		b.receive()
	}
	if c := moved.contact("b2"); !slices.Equal(c.Kin.Follows, []string{"b1"}) {
		t.Errorf("%+v", c.Kin)
	}
}
