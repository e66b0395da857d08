package lookup

import (
	"errors"
	"testing"
	"time"

	"communicator/directory/proof"
)

// TestTakenAndPassedOnBetweenTwoLooks: what was taken waits, also if the newest statement
// is one that does not.
func TestTakenAndPassedOnBetweenTwoLooks(t *testing.T) {
	club, w := clubOf(t, "bob", "alice")
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.reset("alice", "mallory")
	club.rotate("alice", "mallory", "mallory 2")
	club.rotate("alice", "mallory 2", "mallory 3")
	settles := w.now.Add(proof.DefaultHold)
	res := w.look("alice@club")
	if !res.Held || !res.Settles.Equal(settles) {
		t.Errorf("held %v, settles %v, not %v; %q", res.Held, res.Settles, settles, res.Warnings)
	}
	if !has(res.Checks, "versions 2 to 3 read, each signed and building on the one before: reset, rotation") {
		t.Errorf("checks %q", res.Checks)
	}
	w.reopen()
	if res := w.look("alice@club"); !res.Held || !res.Settles.Equal(settles) {
		t.Errorf("again: held %v, settles %v", res.Held, res.Settles)
	}
}

// TestVetoedBetweenTwoLooks: what was built on a change that its victim objected to.
func TestVetoedBetweenTwoLooks(t *testing.T) {
	club, w := clubOf(t, "bob", "alice")
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.reset("alice", "mallory")
	before := club.states["alice"]
	club.veto("alice", "alice")
	club.states["alice"] = before // the namespace does not care
	club.rotate("alice", "mallory", "mallory 2")
	if _, err := w.Lookup(t.Context(), "alice@club"); !errors.Is(err, ErrVetoed) {
		t.Fatalf("got %v", err)
	}
}

// TestAnotherPast: the newest statement leads back to another one than was seen.
func TestAnotherPast(t *testing.T) {
	club, w := clubOf(t, "bob", "alice")
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	doc, key := idDoc(t, "mallory")
	_, old := idDoc(t, "alice")
	s := club.state("alice").Rotate(doc, proof.Hash{}, club.by())
	s.Prev[0] ^= 1 // another version 1, which was shown to others
	check(t, s.Sign(key, old, club.attest))
	club.raw("alice", s, doc[:])
	doc, next := idDoc(t, "mallory 2")
	s.Prev, s.Version, s.Replaced, s.Key, s.Identity = s.Hash(), 3, s.Key, doc.Key(), doc.Hash()
	s.Signatures = nil
	check(t, s.Sign(key, next, club.attest))
	club.raw("alice", s, doc[:])
	if _, err := w.Lookup(t.Context(), "alice@club"); !errors.Is(err, ErrFrozen) {
		t.Fatalf("got %v", err)
	}
	w.reopen()
	if _, err := w.Lookup(t.Context(), "bob@club"); !errors.Is(err, ErrFrozen) {
		t.Errorf("not frozen afterwards: %v", err)
	}
}

// TestPastThatIsNotShown: without it nothing is built on the newest statement, and it is
// read as soon as somebody has it.
func TestPastThatIsNotShown(t *testing.T) {
	club, w := clubOf(t, "bob", "alice")
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.reset("alice", "mallory")
	club.rotate("alice", "mallory", "mallory 2")
	w.node.silent = true
	res := w.look("alice@club")
	if !res.Uncompared || !has(res.Warnings, "version 2 of the name could not be read") {
		t.Errorf("uncompared %v, %q", res.Uncompared, res.Warnings)
	}
	if v, err := w.known(t.Context(), club.id, "alice"); err != nil || v != 1 {
		t.Errorf("version %d is remembered, %v", v, err)
	}
	w.node.silent = false
	if res := w.look("alice@club"); res.Uncompared || !res.Held {
		t.Errorf("uncompared %v, held %v, %q", res.Uncompared, res.Held, res.Warnings)
	}
}
