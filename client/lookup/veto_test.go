package lookup

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"communicator/directory/proof"
)

// hashOf is that of the newest logged statement about a name.
func (a *authority) hashOf(name proof.Name) proof.Hash {
	a.t.Helper()
	for i := len(a.entries) - 1; i >= 0; i-- {
		if a.entries[i].name == name {
			s, err := proof.ParseStatement(a.entries[i].statement)
			check(a.t, err)
			return s.Hash()
		}
	}
	a.t.Fatal("never logged")
	return proof.Hash{}
}

// claimable is whether a claim may rest on a statement now.
func (w *world) claimable(hash proof.Hash) error {
	w.t.Helper()
	return w.o.Memory.Update(w.t.Context(), func(rows Rows) error {
		_, err := ByStatement(rows, hash, w.now)
		return err
	})
}

// at sets both clocks.
func (w *world) at(a *authority, now time.Time) { a.now, w.now = now, now }

func TestStatementAboutAnotherName(t *testing.T) {
	club, w := clubOf(t, "bob", "mallory")
	// The namespace logs mallory's own statement behind the tag of alice.
	club.entries = append(club.entries, club.entries[1])
	club.entries[2].name = "alice"
	club.hash(2)
	if _, err := w.Lookup(t.Context(), "alice@club"); !errors.Is(err, proof.ErrName) {
		t.Errorf("looked up: %v", err)
	}
	w.overlay.put(club.record("alice", 0))
	if _, err := w.Lookup(t.Context(), "alice@club"); !errors.Is(err, proof.ErrName) {
		t.Errorf("from the overlay: %v", err)
	}
	full := proof.FullName{Labels: []proof.Name{"alice"}, NS: club.id.String()}
	file, err := marshalFile(full, []step{{club.chain(), "alice", club.staple("alice")}})
	check(t, err)
	if _, err := VerifyFile(file, start); !errors.Is(err, proof.ErrName) {
		t.Errorf("from a file: %v", err)
	}
}

func TestVetoedChangesAreRefused(t *testing.T) {
	for what, change := range map[string]func(*authority){
		"rotation": func(a *authority) { a.rotate("alice", "alice", "thief") },
		"reset":    func(a *authority) { a.reset("alice", "thief") },
	} {
		club, w := clubOf(t, "bob", "alice")
		w.look("alice@club")
		first := club.hashOf("alice")
		w.at(club, start.Add(time.Hour))
		change(club)
		club.veto("alice", "alice")
		if _, err := w.Lookup(t.Context(), "alice@club", peerURI); !errors.Is(err, ErrVetoed) {
			t.Errorf("%s: %v", what, err)
		}
		if err := w.claimable(first); err != nil {
			t.Errorf("%s: what was seen before is gone: %v", what, err)
		}
		stranger := newWorld(t, club)
		stranger.now = w.now
		if _, err := stranger.Lookup(t.Context(), "alice@"+club.id.String(), peerURI); !errors.Is(err, ErrVetoed) {
			t.Errorf("%s, seen for the first time: %v", what, err)
		}
	}
}

func TestVetoAfterTheChangeWasSeen(t *testing.T) {
	club, w := clubOf(t, "bob", "alice")
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.rotate("alice", "alice", "thief")
	w.look("alice@club")
	stolen := club.hashOf("alice")
	check(t, w.claimable(stolen))
	club.veto("alice", "alice")
	if _, err := w.Lookup(t.Context(), "alice@club", peerURI); !errors.Is(err, ErrVetoed) {
		t.Errorf("looked up: %v", err)
	}
	if err := w.claimable(stolen); !errors.Is(err, ErrNotFound) {
		t.Errorf("claimed: %v", err)
	}
	w.off = true // the veto is remembered
	w.overlay.put(club.record("alice", 0))
	if _, err := w.Lookup(t.Context(), "alice@club"); !errors.Is(err, ErrVetoed) {
		t.Errorf("with nobody to ask: %v", err)
	}
}

func TestVetoesThatDoNotCount(t *testing.T) {
	club, w := clubOf(t, "bob", "alice")
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.rotate("alice", "alice", "alice's new phone")
	target := club.hashOf("alice")
	_, alice := idDoc(t, "alice")
	for what, change := range map[string]func(*proof.Statement){
		"of another name":      func(v *proof.Statement) { v.Name = "bob" },
		"of another version":   func(v *proof.Statement) { v.Version = 3 },
		"of another statement": func(v *proof.Statement) { v.Prev[0] ^= 1 },
		"too late": func(v *proof.Statement) {
			v.Issued = start.Add(2 * proof.DefaultHold)
			v.NotBefore = v.Issued
		},
	} {
		v := proof.Statement{Kind: proof.Veto, NS: club.id, Name: "alice", Version: 2, Prev: target,
			Issued: w.now, NotBefore: w.now, Key: pub(alice), Signers: proof.ByIdentity}
		change(&v)
		check(t, v.Sign(alice))
		club.revocations = []proof.Statement{v}
		if res, err := w.Lookup(t.Context(), "alice@club", peerURI); err != nil || res.Statement.Version != 2 {
			t.Errorf("%s: %v", what, err)
		}
	}
	forged := club.revocations[0]
	forged.Name, forged.Version, forged.Prev, forged.Issued, forged.NotBefore = "alice", 2, target, w.now, w.now
	club.revocations[0] = forged // with the signature of something else
	w.look("alice@club")
}

func TestVetoesWithNobodyToAsk(t *testing.T) {
	club, w := clubOf(t, "bob", "alice")
	w.at(club, start.Add(time.Hour))
	club.rotate("alice", "alice", "alice's new phone")
	w.overlay.put(club.record("alice", 0))
	w.off = true
	res := w.look("alice@club")
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "vetoes were not asked for") {
		t.Errorf("%q", res.Warnings)
	}
}

// TestHoldsRunByOurClock: a namespace dates a reset back by a month, so that its own
// hold is over when it is first shown.
func TestHoldsRunByOurClock(t *testing.T) {
	club, w := clubOf(t, "bob", "alice")
	w.look("alice@club")
	club.now = start.Add(time.Hour)
	club.reset("alice", "mallory")
	stolen := club.hashOf("alice")
	w.now = start.AddDate(0, 1, 0)
	settles := w.now.Add(proof.DefaultHold)
	res := w.look("alice@club")
	if !res.Held || !res.Settles.Equal(settles) || len(res.Warnings) == 0 {
		t.Errorf("first seen: held %v, settles %v, %q", res.Held, res.Settles, res.Warnings)
	}
	w.reopen()
	w.now = settles.Add(-time.Second)
	if res := w.look("alice@club"); !res.Held || !res.Settles.Equal(settles) {
		t.Errorf("later: held %v, settles %v", res.Held, res.Settles)
	}
	if err := w.claimable(stolen); !errors.Is(err, ErrNotFound) {
		t.Errorf("claimed: %v", err)
	}
	w.now = settles
	if res := w.look("alice@club"); res.Held {
		t.Errorf("not in force at %v", settles)
	}
	check(t, w.claimable(stolen))
}

// TestWhatBuildsOnAHeldChangeIsHeld: the thief rotates at once, the owner's rotation is
// not the thief's.
func TestWhatBuildsOnAHeldChangeIsHeld(t *testing.T) {
	club, w := clubOf(t, "bob", "alice")
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.reset("alice", "mallory")
	held := w.look("alice@club")
	club.rotate("alice", "mallory", "mallory 2")
	if res := w.look("alice@club"); !res.Held || !res.Settles.Equal(held.Settles) {
		t.Errorf("held %v, settles %v", res.Held, res.Settles)
	}
}

func TestHeldByItsOwnTimes(t *testing.T) {
	club := newAuthority(t, "club", start)
	club.bind("alice", "alice")
	club.reset("alice", "mallory")
	w := newWorld(t, club)
	if res := w.look("alice@" + club.id.String()); !res.Held {
		t.Error("in force")
	}
	if err := w.claimable(club.hashOf("alice")); !errors.Is(err, ErrNotFound) {
		t.Errorf("claimed: %v", err)
	}
	w.now = start.Add(proof.DefaultHold)
	check(t, w.claimable(club.hashOf("alice")))
}

// TestNamesAreNotTakenPastTheirHolder: the namespace gives the name to somebody else as
// if it were free, or "rotates" it from a key of its own.
func TestNamesAreNotTakenPastTheirHolder(t *testing.T) {
	for what, want := range map[string]error{"a first bind": proof.ErrBound, "a rotation of another key": proof.ErrReplaced} {
		club, w := clubOf(t, "bob", "alice")
		w.look("alice@club")
		w.at(club, start.Add(time.Hour))
		doc, key := idDoc(t, "mallory")
		_, straw := idDoc(t, "mallory's straw man")
		s, keys := club.state("alice").FirstBind(doc, proof.Hash{}, club.by()), []ed25519.PrivateKey{key, club.attest}
		if want == proof.ErrReplaced {
			s = club.state("alice").Rotate(doc, proof.Hash{}, club.by())
			s.Replaced, keys = pub(straw), append(keys, straw)
		}
		check(t, s.Sign(keys...))
		club.raw("alice", s, doc[:])
		if _, err := w.Lookup(t.Context(), "alice@club", peerURI); !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
		if v, err := w.known(t.Context(), club.id, "alice"); err != nil || v != 1 {
			t.Errorf("%s: version %d is remembered, %v", what, v, err)
		}
	}
}

// TestTheLogGoesOnAfterAVeto: what the owner does next replaces the owner's key.
func TestTheLogGoesOnAfterAVeto(t *testing.T) {
	for _, noticed := range []bool{true, false} {
		club, w := clubOf(t, "bob", "alice")
		w.look("alice@club")
		w.at(club, start.Add(time.Hour))
		club.reset("alice", "mallory")
		w.look("alice@club")
		club.veto("alice", "alice")
		if noticed {
			if _, err := w.Lookup(t.Context(), "alice@club", peerURI); !errors.Is(err, ErrVetoed) {
				t.Errorf("vetoed: %v", err)
			}
		}
		club.rotate("alice", "alice", "alice's new phone")
		want, _ := idDoc(t, "alice's new phone")
		if res := w.look("alice@club"); res.Held || res.IdDoc != want {
			t.Errorf("noticed %v: held %v, version %d", noticed, res.Held, res.Statement.Version)
		}
	}
}
