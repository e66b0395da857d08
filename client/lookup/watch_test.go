package lookup

import (
	"errors"
	"slices"
	"testing"
	"time"

	"communicator/directory/proof"
)

func TestWatchTellsOfAChange(t *testing.T) {
	club, w := clubOf(t, "alice", "bob")
	first, err := w.Watch(t.Context(), "alice@club", peerURI)
	check(t, err)
	if !first.Changed || first.Known != 0 || !slices.Equal(first.Logged, []uint32{1}) || first.Size != 2 {
		t.Errorf("first: %+v", first)
	}
	again, err := w.Watch(t.Context(), "alice@club", peerURI)
	check(t, err)
	if again.Changed || again.Known != 1 {
		t.Errorf("nothing happened: changed %v, known %d", again.Changed, again.Known)
	}
	club.now = club.now.Add(time.Hour)
	w.now = club.now
	club.rotate("alice", "alice", "somebody else")
	changed, err := w.Watch(t.Context(), "alice@club", peerURI)
	check(t, err)
	want, _ := idDoc(t, "somebody else")
	if !changed.Changed || changed.Result.IdDoc != want || len(changed.Warnings) > 0 {
		t.Errorf("after a rotation: %+v", changed)
	}
	if _, err := w.Watch(t.Context(), "x@alice@club", peerURI); !errors.Is(err, proof.ErrName) {
		t.Errorf("through a delegation: %v", err)
	}
	w.off = true
	if _, err := w.Watch(t.Context(), "alice@club"); !errors.Is(err, ErrUnreachable) {
		t.Errorf("nobody to ask: %v", err)
	}
}

// TestWatchLooksBeyondTheOverlay: it has the record of a name's holder, from whom the
// namespace has taken it.
func TestWatchLooksBeyondTheOverlay(t *testing.T) {
	club, w := clubOf(t, "alice", "bob")
	w.overlay.put(club.record("alice", 0))
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.reset("alice", "mallory")
	seen, err := w.Watch(t.Context(), "alice@club", peerURI)
	check(t, err)
	if !seen.Changed || len(seen.Warnings) != 0 || seen.Result.Statement.Version != 2 || !seen.Result.Held {
		t.Errorf("version %d, %q", seen.Result.Statement.Version, seen.Warnings)
	}
}

// TestWatchSeesWhatIsHidden: the overlay and the directory show the old statement, the
// log has a newer one.
func TestWatchSeesWhatIsHidden(t *testing.T) {
	club, w := clubOf(t, "alice", "bob")
	w.overlay.put(club.record("alice", 0))
	w.node.shows = map[proof.Name][]byte{"alice": club.staple("alice")}
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.rotate("alice", "alice", "mallory")
	seen, err := w.Watch(t.Context(), "alice@club", peerURI)
	check(t, err)
	if !seen.Changed || len(seen.Warnings) != 1 || seen.Result.Statement.Version != 1 {
		t.Errorf("%+v", seen.Warnings)
	}
}
