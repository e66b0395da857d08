package lookup

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"communicator/directory/proof"
	"communicator/wire"
)

var start = time.Unix(1_790_000_000, 0).UTC()

func TestLookupByPetname(t *testing.T) {
	club := newAuthority(t, "club", start)
	club.bind("alice", "alice")
	w := newWorld(t, club)
	n, err := w.Add(t.Context(), club.id, "club", peerURI)
	check(t, err)
	if n.ID != club.id || n.Petname != "club" || n.Frozen {
		t.Errorf("added %+v", n)
	}
	want, _ := idDoc(t, "alice")
	for _, from := range []string{"directory", "overlay"} {
		if from == "overlay" {
			w.overlay.put(club.record("alice", 0))
		}
		res := w.look("Alice@club")
		if res.IdDoc != want || res.Full != "alice@club" || res.Held || len(res.Warnings) > 0 {
			t.Errorf("%s: %q, warnings %q", from, res.Full, res.Warnings)
		}
		if res.FromOverlay != (from == "overlay") || len(res.Checks) < 5 {
			t.Errorf("%s: from the overlay %v, %d checks", from, res.FromOverlay, len(res.Checks))
		}
	}
	if _, err := w.Lookup(t.Context(), "bob@club"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown name: %v", err)
	}
	if _, err := w.Lookup(t.Context(), "alice@pub"); !errors.Is(err, ErrUnknownNamespace) {
		t.Errorf("unknown namespace: %v", err)
	}
	if _, err := w.Lookup(t.Context(), "alice"); !errors.Is(err, proof.ErrName) {
		t.Errorf("no namespace: %v", err)
	}
	other := newAuthority(t, "other", start)
	w.node.spaces[other.id] = other
	if _, err := w.Add(t.Context(), other.id, "club", peerURI); !errors.Is(err, ErrPetname) {
		t.Errorf("petname given twice: %v", err)
	}
}

func TestLookupByIDWithoutMemory(t *testing.T) {
	club := newAuthority(t, "club", start)
	club.bind("alice", "alice")
	w := newWorld(t, club)
	if res := w.look("alice@" + club.id.String()); res.Namespace != club.id {
		t.Errorf("in %v", res.Namespace)
	}
	w.off = true
	w.overlay.put(club.record("alice", 0))
	w.look("alice@" + club.id.String()) // manifests are remembered now
	stranger := newWorld(t, club)
	stranger.off = true
	if _, err := stranger.Lookup(t.Context(), "alice@"+club.id.String(), peerURI); !errors.Is(err, ErrUnknownNamespace) {
		t.Errorf("nobody to ask for manifests: %v", err)
	}
}

func TestDelegations(t *testing.T) {
	club, sales := newAuthority(t, "club", start), newAuthority(t, "sales", start)
	sales.bind("alice", "alice")
	club.delegate("sales", sales.id)
	club.bind("bob", "bob")
	w := newWorld(t, club, sales)
	_, err := w.Add(t.Context(), club.id, "club", peerURI)
	check(t, err)
	res := w.look("alice@sales@club")
	if res.Namespace != sales.id || res.Name != "alice" {
		t.Errorf("found %v in %v", res.Name, res.Namespace)
	}
	again, err := VerifyFile(res.Proof, start)
	check(t, err)
	if again.Full != "alice@sales@"+club.id.String() || again.IdDoc != res.IdDoc {
		t.Errorf("the file shows %q", again.Full)
	}
	if _, err := w.Lookup(t.Context(), "alice@bob@club"); !errors.Is(err, ErrNotDelegated) {
		t.Errorf("through a person: %v", err)
	}
}

func TestProofFile(t *testing.T) {
	club := newAuthority(t, "club", start)
	club.bind("alice", "alice")
	w := newWorld(t, club)
	_, err := w.Add(t.Context(), club.id, "club", peerURI)
	check(t, err)
	file := w.look("alice@club").Proof
	known := newSecrets() // deriving one takes 32 MiB
	if res, err := VerifyFile(file, start.AddDate(1, 0, 0)); err != nil || res.Name != "alice" {
		t.Fatalf("a year later: %v", err)
	}
	if _, err := VerifyFile(file, start.AddDate(0, -1, 0)); err == nil {
		t.Error("valid before it was made")
	}
	stapleAt := strings.Index(string(file), string(wire.LabelStaple))
	for i := range file {
		if i > 60 && i < stapleAt && i%7 != 0 {
			continue // manifests are signed; a sample will do
		}
		bad := slices.Clone(file)
		bad[i] ^= 1
		if _, err := verifyFile(bad, start, known); err == nil {
			t.Fatalf("byte %d changed and still valid", i)
		}
	}
	for _, bad := range [][]byte{nil, file[:len(file)-1], append(slices.Clone(file), 0), make([]byte, maxProofFile+1)} {
		if _, err := VerifyFile(bad, start); err == nil {
			t.Errorf("%d bytes accepted", len(bad))
		}
	}
}

func TestOlderVersionIsRefused(t *testing.T) {
	club := newAuthority(t, "club", start)
	club.bind("alice", "alice")
	w := newWorld(t, club)
	_, err := w.Add(t.Context(), club.id, "club", peerURI)
	check(t, err)
	w.overlay.put(club.record("alice", 0))
	first, staple := club.record("alice", 0), club.staple("alice")
	club.now = club.now.Add(time.Hour)
	w.now = club.now
	club.rotate("alice", "alice", "alice's new phone")
	w.overlay.put(club.record("alice", 0))
	want, _ := idDoc(t, "alice's new phone")
	if res := w.look("alice@club"); res.IdDoc != want || res.Statement.Version != 2 {
		t.Errorf("version %d", res.Statement.Version)
	}
	// Peers may have an old record for days: the directories are asked, and if they have
	// nothing newer it is refused.
	w.overlay.put(first)
	w.reopen()
	if res := w.look("alice@club"); res.IdDoc != want || res.FromOverlay || !has(res.Warnings, "the overlay had a record that does not hold: lookup: an older attestation") {
		t.Errorf("version %d, from the overlay %v, %q", res.Statement.Version, res.FromOverlay, res.Warnings)
	}
	w.node.shows = map[proof.Name][]byte{"alice": staple}
	if _, err := w.Lookup(t.Context(), "alice@club", peerURI); !errors.Is(err, ErrRolledBack) {
		t.Errorf("the first version again: %v", err)
	}
	w.off = true
	if _, err := w.Lookup(t.Context(), "alice@club", peerURI); !errors.Is(err, ErrRolledBack) {
		t.Errorf("with nobody to ask for a newer one: %v", err)
	}
}
