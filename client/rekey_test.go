package client

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"communicator/directory/proof"
	"communicator/particle"
)

// TestRotationsThatTheRulesRefuse: a draft that no directory would take is not made.
func TestRotationsThatTheRulesRefuse(t *testing.T) {
	c := &Client{opts: Options{Rand: rand.Reader}}
	row := ownName{Name: "alice@club", Next: &ownName{}}
	check(t, c.newKeys(&row))
	check(t, c.newKeys(row.Next))
	attesting, _, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	by := proof.By{Attesting: proof.KeyOf(attesting), Issued: time.Unix(1_790_000_000, 0).UTC()}
	doc, err := row.doc()
	check(t, err)
	state := proof.NewName(proof.NSID{1}, "alice")
	apply := func(s proof.Statement) {
		t.Helper()
		state, err = proof.Fold(state, s, proof.DefaultHold, by.Issued)
		check(t, err)
	}
	apply(state.FirstBind(doc, proof.RevokeCommitment([32]byte(row.Revoke)), by))
	check(t, row.draftRotation(state, proof.DefaultHold, by))
	s, err := proof.ParseDraft(row.Next.Draft)
	check(t, err)
	if missing := s.Missing(); len(missing) != 1 || missing[0] != by.Attesting {
		t.Errorf("signatures that are missing: %d", len(missing))
	}
	late := by
	late.Issued = by.Issued.Add(-time.Second)
	if err := row.draftRotation(state, proof.DefaultHold, late); !errors.Is(err, proof.ErrTime) {
		t.Errorf("by a clock that is behind: %v", err)
	}
	bound := state
	code := proof.Revocation(state.NS, state.Name, doc.Key(), [32]byte(row.Revoke), by.Issued)
	apply(code)
	if err := row.draftRotation(state, proof.DefaultHold, by); !errors.Is(err, proof.ErrRevoked) {
		t.Errorf("by a key that was revoked: %v", err)
	}
	state = bound
	for range proof.MaxOpenSteps {
		id, err := particle.NewIdentity(rand.Reader)
		check(t, err)
		apply(state.Rotate(proof.IdDoc(id.Doc()), proof.Hash{}, by))
	}
	if err := row.draftRotation(state, proof.DefaultHold, by); !errors.Is(err, proof.ErrBusy) {
		t.Errorf("while %d are not settled: %v", proof.MaxOpenSteps, err)
	}
}

// TestAPassWithTheOldKeySpoilsNothing: one that read the row before the key was replaced
// brings nothing of the old key under the new one. The new key has a stock of its own.
func TestAPassWithTheOldKeySpoilsNothing(t *testing.T) {
	n := newFakeNet(t)
	p := n.person(n.agent(), n.agent())
	ctx := t.Context()
	before, err := p.vendable(ctx, ownNameOf(t, p), true)
	check(t, err)
	var next ownName
	check(t, p.newKeys(&next))
	after := before.renewed(next, before.Statement, n.now(), n.now())
	check(t, p.st.Update(ctx, after.save))
	if _, err := p.vendable(ctx, before, true); !errors.Is(err, ErrNotHolder) {
		t.Errorf("a package of the old key: %v", err)
	}
	_, err = p.changeHeld(ctx, before, func(now *ownName) { now.Records, now.Stocked = [][]byte{{1}}, n.now() })
	check(t, err)
	saved, err := p.ownRow(ctx, before.setting())
	check(t, err)
	if len(saved.Pending)+len(saved.Records) != 0 || !saved.Stocked.IsZero() {
		t.Errorf("%d packages, %d records, stocked %v", len(saved.Pending), len(saved.Records), saved.Stocked)
	}
	for row, want := range map[*ownName]int{&before: 1, &after: 0} {
		if open, err := p.openVended(ctx, *row); err != nil || open != want {
			t.Errorf("%d are open, not %d, %v", open, want, err)
		}
	}
}

// TestFormerKeysAreForgotten: once they can do nothing any more.
func TestFormerKeysAreForgotten(t *testing.T) {
	c := &Client{opts: Options{Rand: rand.Reader}}
	now := time.Unix(1_790_000_000, 0).UTC()
	row := ownName{}
	check(t, c.newKeys(&row))
	first := row.Identity
	for i, step := range []time.Duration{0, time.Hour, 72*time.Hour + formerFor} {
		now = now.Add(step)
		var next ownName
		check(t, c.newKeys(&next))
		row = row.renewed(next, []byte{byte(i)}, now.Add(72*time.Hour), now)
	}
	if len(row.Former) != 2 || len(row.identities()) != 3 || string(row.Former[0].Identity) == string(first) {
		t.Errorf("%d former keys", len(row.Former))
	}
	row.Next = &ownName{Identity: []byte("another"), Draft: []byte("draft")}
	back := row.renewed(row.as(row.Former[1]), nil, now, now)
	if len(back.Former) != 2 || string(back.Identity) != string(row.Former[1].Identity) || string(back.Former[1].Identity) != string(row.Identity) {
		t.Errorf("back to a former key: %d former keys", len(back.Former))
	}
	if back.Next == nil || string(back.Next.Identity) != "another" || back.Next.Draft != nil || row.Next.Draft == nil {
		t.Errorf("what is to come after: %+v", back.Next)
	}
	if done := row.renewed(*row.Next, nil, now, now); done.Next != nil {
		t.Error("it is still to come")
	}
	for range 2 * maxFormer {
		var next ownName
		check(t, c.newKeys(&next))
		row = row.renewed(next, nil, now, now)
	}
	if len(row.Former) != maxFormer {
		t.Errorf("%d former keys", len(row.Former))
	}
}
