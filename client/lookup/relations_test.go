package lookup

import (
	"crypto/ed25519"
	"testing"
	"time"

	"communicator/directory/proof"
)

// says has two keys say what they are to each other; the directories have it.
func (a *authority) says(kind proof.RelationKind, one, other string) proof.Relation {
	a.t.Helper()
	docA, keyA := idDoc(a.t, one)
	docB, keyB := idDoc(a.t, other)
	rel := proof.Follows(docA, docB, a.now)
	if kind == proof.Equivalence {
		rel = proof.Equivalent(docA, docB, a.now)
	}
	check(a.t, rel.Sign(keyA, keyB))
	a.relations = append(a.relations, rel)
	return rel
}

func TestSuccessionExplainsANewKey(t *testing.T) {
	for _, explained := range []bool{true, false} {
		club, w := clubOf(t, "alice")
		w.look("alice@club")
		w.at(club, start.Add(time.Hour))
		club.rotate("alice", "alice", "phone 2")
		if explained {
			club.says(proof.Succession, "alice", "phone 2")
		}
		res := w.look("alice@club")
		if has(res.Checks, "follows the former one") != explained || has(res.Checks, "has passed the name on to this one") == explained ||
			has(res.Warnings, "no succession from the former key") {
			t.Errorf("explained %v: %q, %q", explained, res.Checks, res.Warnings)
		}
		if (len(res.Relations) == 1) != explained {
			t.Errorf("%d relations", len(res.Relations))
		}
	}
}

// TestNobodyExplainsAReset: what the namespace does without the former key.
func TestNobodyExplainsAReset(t *testing.T) {
	club, w := clubOf(t, "alice")
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.reset("alice", "mallory")
	w.look("alice@club")
	w.at(club, start.Add(2*time.Hour+proof.DefaultHold))
	club.rotate("alice", "mallory", "mallory 2")
	_, key := idDoc(t, "alice")
	alice := proof.KeyOf(key.Public().(ed25519.PublicKey))
	if res := w.look("alice@club"); res.Held || res.PassedOn(alice) {
		t.Errorf("held %v, passed on by alice %v", res.Held, res.PassedOn(alice))
	}
}

// TestPassedOnStepByStep: who looks again after several rotations reads them all; one that
// the former key did not sign ends it.
func TestPassedOnStepByStep(t *testing.T) {
	_, key := idDoc(t, "alice")
	alice := proof.KeyOf(key.Public().(ed25519.PublicKey))
	club, w := clubOf(t, "bob", "alice")
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.rotate("alice", "alice", "phone 2")
	club.rotate("alice", "phone 2", "phone 3")
	if res := w.look("alice@club"); !res.PassedOn(alice) || res.Hold() != proof.DefaultHold {
		t.Errorf("not passed on: %q", res.Warnings)
	}
	club, w = clubOf(t, "bob", "alice")
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.rotate("alice", "alice", "phone 2")
	club.reset("alice", "mallory")
	club.rotate("alice", "mallory", "mallory 2")
	if res := w.look("alice@club"); !res.Held || res.PassedOn(alice) {
		t.Errorf("held %v, passed on %v", res.Held, res.PassedOn(alice))
	}
}

// TestTakenBackIsPassedOn: a key that has passed a name on, and takes that back, is the
// same person's; an undo by a key that may not is not.
func TestTakenBackIsPassedOn(t *testing.T) {
	club, w := clubOf(t, "bob", "alice")
	_, key := idDoc(t, "alice")
	_, next := idDoc(t, "phone 2")
	alice, phone := proof.KeyOf(key.Public().(ed25519.PublicKey)), proof.KeyOf(next.Public().(ed25519.PublicKey))
	w.at(club, start.Add(time.Hour))
	club.rotate("alice", "alice", "phone 2")
	w.look("alice@club")
	state := club.state("alice")
	s := state.UndoTo(state.Undoable(w.now)[0], club.by())
	check(t, s.Sign(key, club.attest))
	doc, _ := idDoc(t, "alice")
	club.raw("alice", s, doc[:])
	if res := w.look("alice@club"); !res.PassedOn(phone, alice) || res.PassedOn(phone) {
		t.Errorf("by who may %v, by who may not any more %v", res.PassedOn(phone, alice), res.PassedOn(phone))
	}
}

func TestContradictionsAreShown(t *testing.T) {
	club, w := clubOf(t, "alice")
	club.says(proof.Succession, "alice", "phone 2")
	club.says(proof.Succession, "alice", "phone 3")
	res := w.look("alice@club")
	if len(res.Relations) != 2 || !has(res.Warnings, "CONTRADICTION: 2 keys are said to follow the key") {
		t.Errorf("%d relations, %q", len(res.Relations), res.Warnings)
	}
	// A new key is not explained by one of two that claim to follow.
	w.at(club, start.Add(time.Hour))
	club.rotate("alice", "alice", "phone 2")
	if res := w.look("alice@club"); has(res.Checks, "follows the former one") || !has(res.Warnings, "CONTRADICTION: 2 keys") {
		t.Errorf("%q, %q", res.Checks, res.Warnings)
	}
}

func TestRelationsAreAskedForSparingly(t *testing.T) {
	club, w := clubOf(t, "alice")
	said := club.says(proof.Equivalence, "alice", "bob")
	forged := club.says(proof.Succession, "alice", "mallory")
	forged.SigA[0] ^= 1
	club.relations[1] = forged
	w.overlay.put(club.record("alice", 0))
	res := w.look("alice@club")
	if !res.FromOverlay || res.Relations != nil {
		t.Errorf("a directory was told whose key is meant: %+v", res.Relations)
	}
	res, err := w.Relations(t.Context(), res, peerURI)
	check(t, err)
	if len(res.Relations) != 1 || res.Relations[0] != said {
		t.Errorf("%+v", res.Relations)
	}
	w.off = true
	res.Relations = nil
	if res, err = w.Relations(t.Context(), res, peerURI); err != nil || len(res.Relations) != 0 || !has(res.Warnings, "relations were not asked for") {
		t.Errorf("nobody there: %+v, %q, %v", res.Relations, res.Warnings, err)
	}
}
