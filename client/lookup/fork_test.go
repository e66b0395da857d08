package lookup

import (
	"errors"
	"testing"
	"time"

	"communicator/directory/proof"
)

// wantFork demands that the namespace is frozen, and that the proof convinces somebody
// who knows the namespace's id alone.
func (w *world) wantFork(err error, id proof.NSID) {
	w.t.Helper()
	if !errors.Is(err, ErrFrozen) {
		w.t.Fatalf("got %v, want ErrFrozen", err)
	}
	w.reopen()
	if _, err := w.Lookup(w.t.Context(), "alice@club"); !errors.Is(err, ErrFrozen) {
		w.t.Errorf("not frozen afterwards: %v", err)
	}
	n, err := w.Namespace(w.t.Context(), "club")
	check(w.t, err)
	f, err := proof.ParseFork(n.Fork)
	check(w.t, err)
	if _, err := f.VerifyAlone(); err != nil || f.NS != id {
		w.t.Errorf("the proof does not convince: %v", err)
	}
}

func clubOf(t *testing.T, names ...proof.Name) (*authority, *world) {
	t.Helper()
	club := newAuthority(t, "club", start)
	for _, n := range names {
		club.bind(n, string(n))
	}
	w := newWorld(t, club)
	_, err := w.Add(t.Context(), club.id, "club", peerURI)
	check(t, err)
	return club, w
}

func TestForkOfEqualSize(t *testing.T) {
	club, w := clubOf(t, "alice", "bob")
	w.look("alice@club")
	club.forget(1)
	club.bind("mallory", "mallory")
	_, err := w.Lookup(t.Context(), "alice@club")
	w.wantFork(err, club.id)
	check(t, w.Forget(t.Context(), club.id))
	w.look("alice@club")
}

func TestForkOfAnotherSize(t *testing.T) {
	for _, grows := range []bool{true, false} {
		club, w := clubOf(t, "alice", "bob", "carol")
		w.look("alice@club")
		club.forget(1)
		club.bind("mallory", "mallory")
		if grows {
			club.bind("dave", "dave")
			club.bind("erin", "erin")
		}
		_, err := w.Lookup(t.Context(), "alice@club")
		if !grows {
			// The smaller tree is no part of the larger one, which only the liar could
			// prove; it has forgotten it, so the person is warned.
			check(t, err)
			continue
		}
		w.wantFork(err, club.id)
	}
}

func TestForkSeenByAContact(t *testing.T) {
	club, alex := clubOf(t, "alice", "bob")
	alex.look("alice@club")
	blair := newWorld(t, club)
	club.forget(1)
	club.bind("mallory", "mallory")
	_, err := blair.Add(t.Context(), club.id, "club", peerURI)
	check(t, err)
	blair.look("alice@club")
	seen, err := blair.Checkpoints(t.Context())
	check(t, err)
	alex.off = true // nothing but talking to each other
	alex.wantFork(alex.Observe(t.Context(), seen[club.id]), club.id)
}

func TestCheckpointsOfContactsThatAgree(t *testing.T) {
	club, alex := clubOf(t, "alice", "bob")
	alex.look("alice@club")
	before, err := alex.Checkpoints(t.Context())
	check(t, err)
	club.bind("carol", "carol")
	check(t, alex.Observe(t.Context(), club.checkpoint()))
	after, err := alex.Checkpoints(t.Context())
	check(t, err)
	if string(after[club.id]) == string(before[club.id]) {
		t.Error("the newer checkpoint is not remembered")
	}
	check(t, alex.Observe(t.Context(), before[club.id]))
	again, err := alex.Checkpoints(t.Context())
	check(t, err)
	if string(again[club.id]) != string(after[club.id]) {
		t.Error("an older checkpoint took the newer one's place")
	}
	stranger := newAuthority(t, "unknown", start)
	check(t, alex.Observe(t.Context(), stranger.checkpoint()))
	for _, bad := range []string{"", "ns1x\n", string(club.checkpoint()) + "— x AAAA\n"} {
		if err := alex.Observe(t.Context(), []byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestNobodyToCompareWith(t *testing.T) {
	club, w := clubOf(t, "alice")
	w.look("alice@club")
	remembered, err := w.Checkpoints(t.Context())
	check(t, err)
	club.now = club.now.Add(time.Minute)
	club.bind("bob", "bob")
	w.overlay.put(club.record("alice", 1))
	w.off = true
	res, err := w.Lookup(t.Context(), "alice@club")
	check(t, err)
	if len(res.Warnings) != 1 {
		t.Errorf("warnings %q", res.Warnings)
	}
	now, err := w.Checkpoints(t.Context())
	check(t, err)
	if string(now[club.id]) != string(remembered[club.id]) {
		t.Error("a checkpoint is believed that was compared with nothing")
	}
}

func TestTwoStatementsOfOneVersion(t *testing.T) {
	club, w := clubOf(t, "bob")
	club.bind("alice", "alice")
	w.look("alice@club")
	// The same entry's place, another statement: the log grew consistently, so only
	// the name's own history shows the lie.
	club.states = map[proof.Name]proof.NameState{}
	club.bind("alice", "mallory")
	_, err := w.Lookup(t.Context(), "alice@club")
	if !errors.Is(err, ErrFrozen) {
		t.Fatalf("got %v", err)
	}
	w.reopen()
	if _, err := w.Lookup(t.Context(), "bob@club"); !errors.Is(err, ErrFrozen) {
		t.Errorf("not frozen afterwards: %v", err)
	}
}
