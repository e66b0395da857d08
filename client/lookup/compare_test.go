package lookup

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"communicator/directory/proof"
)

// has is whether one of the lines has the words.
func has(lines []string, words string) bool {
	return slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, words) })
}

func TestNextVersionBuildsOnTheSeenOne(t *testing.T) {
	club, w := clubOf(t, "bob", "alice")
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	doc, key := idDoc(t, "mallory")
	_, old := idDoc(t, "alice")
	s := club.state("alice").Rotate(doc, proof.Hash{}, club.by())
	s.Prev[0] ^= 1 // another version 1, which was shown to others
	check(t, s.Sign(key, old, club.attest))
	club.raw("alice", s, doc[:])
	if _, err := w.Lookup(t.Context(), "alice@club"); !errors.Is(err, ErrFrozen) {
		t.Fatalf("got %v", err)
	}
	w.reopen()
	if _, err := w.Lookup(t.Context(), "bob@club"); !errors.Is(err, ErrFrozen) {
		t.Errorf("not frozen afterwards: %v", err)
	}
}

func TestWhatIsSaidOfANewVersion(t *testing.T) {
	club, w := clubOf(t, "bob", "alice")
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.rotate("alice", "alice", "phone 2")
	res := w.look("alice@club")
	if !has(res.Checks, "builds on version 1, seen on") || !has(res.Warnings, "the key is another one than on 2026-09-21 (a rotation)") {
		t.Errorf("next: %q, %q", res.Checks, res.Warnings)
	}
	club.rotate("alice", "phone 2", "phone 3")
	club.rotate("alice", "phone 3", "phone 4")
	res = w.look("alice@club")
	if !has(res.Checks, "version 3 read, each signed and building on the one before: rotation") ||
		!has(res.Checks, "newer than version 2, seen on") || !has(res.Warnings, "the key is another one") {
		t.Errorf("after a gap: %q, %q", res.Checks, res.Warnings)
	}
	if res := w.look("alice@club"); len(res.Warnings) != 0 {
		t.Errorf("again: %q", res.Warnings)
	}
}

func TestUncomparedLogsTeachNothing(t *testing.T) {
	sales := newAuthority(t, "sales", start)
	sales.bind("alice", "alice")
	club, w := clubOf(t, "bob", "alice")
	w.node.spaces[sales.id] = sales
	w.look("alice@club")
	w.at(club, start.Add(time.Hour))
	club.rotate("alice", "alice", "phone 2")
	club.delegate("sales", sales.id)
	for _, name := range []proof.Name{"alice", "bob", "sales"} {
		w.overlay.put(club.record(name, 1))
	}
	w.off = true
	for _, name := range []string{"alice@club", "bob@club"} {
		res := w.look(name)
		if !res.Uncompared || !has(res.Warnings, "could not be compared") {
			t.Errorf("%s: uncompared %v, %q", name, res.Uncompared, res.Warnings)
		}
	}
	for name, want := range map[proof.Name]uint32{"alice": 1, "bob": 0} {
		if v, err := w.known(t.Context(), club.id, name); err != nil || v != want {
			t.Errorf("%s: version %d is remembered, %v", name, v, err)
		}
	}
	if _, err := w.Lookup(t.Context(), "alice@sales@club", peerURI); !errors.Is(err, ErrUncompared) {
		t.Errorf("through a delegation: %v", err)
	}
	w.off = false
	w.look("alice@sales@club")
	if res := w.look("alice@club"); res.Uncompared || res.Statement.Version != 2 {
		t.Errorf("compared: %q", res.Warnings)
	}
}

// replaceLogKey has the roots replace the key of the log.
func (a *authority) replaceLogKey(next string) {
	a.lg = keyOf(next)
	a.amend(func(m *proof.Manifest) { m.Log = pub(a.lg) })
}

func TestForkByAReplacedLogKeyWarns(t *testing.T) {
	club, w := clubOf(t, "alice", "bob")
	w.look("alice@club")
	former := club.checkpoint()
	club.forget(1)
	club.bind("carol", "carol")
	club.replaceLogKey("next log")
	res := w.look("alice@club")
	if !has(res.Warnings, "contradicts") {
		t.Errorf("warnings %q", res.Warnings)
	}
	if n, err := w.Namespace(t.Context(), "club"); err != nil || n.Frozen {
		t.Errorf("frozen %v, %v", n.Frozen, err)
	}
	if res := w.look("alice@club"); len(res.Warnings) != 0 {
		t.Errorf("again: %q", res.Warnings)
	}
	if err := w.Observe(t.Context(), former); !errors.Is(err, ErrFormerKey) {
		t.Errorf("the former face of a contact: %v", err)
	}
}

func TestNotesOfAReplacedLogKeyAreNotRemembered(t *testing.T) {
	club, w := clubOf(t, "alice")
	w.look("alice@club")
	club.bind("bob", "bob")
	former := club.checkpoint()
	club.replaceLogKey("next log")
	_, err := w.Refresh(t.Context(), club.id)
	check(t, err)
	before, err := w.Checkpoints(t.Context())
	check(t, err)
	check(t, w.Observe(t.Context(), former))
	after, err := w.Checkpoints(t.Context())
	check(t, err)
	if string(after[club.id]) != string(before[club.id]) {
		t.Error("a note of a key that is not in force is the newest")
	}
}

// TestWatchBeforeTheWitnesses: a fresh checkpoint has no cosignatures yet, and what is
// new cannot be proved, but is told.
func TestWatchBeforeTheWitnesses(t *testing.T) {
	club, w := clubOf(t, "alice")
	w.look("alice@club")
	club.lg = keyOf("next log") // so that no older manifest, without witnesses, takes its notes
	club.amend(func(m *proof.Manifest) {
		m.Log = pub(club.lg)
		m.Witnesses, m.WitnessThreshold = []proof.Witness{{Name: "w.example", Key: pub(keyOf("witness"))}}, 1
	})
	w.at(club, start.Add(time.Hour))
	club.rotate("alice", "alice", "mallory")
	_, err := w.Refresh(t.Context(), club.id)
	check(t, err)
	seen, err := w.Watch(t.Context(), "alice@club", peerURI)
	check(t, err)
	if !seen.Changed || !slices.Equal(seen.Logged, []uint32{2}) || seen.Result.Full != "" || !has(seen.Warnings, "could not be looked up") {
		t.Errorf("%+v", seen)
	}
	check(t, w.Observe(t.Context(), club.checkpoint()))
}

func TestObserveOfAFrozenNamespace(t *testing.T) {
	club, w := clubOf(t, "alice", "bob")
	w.look("alice@club")
	honest := club.checkpoint()
	club.forget(1)
	club.bind("mallory", "mallory")
	for range 2 {
		if err := w.Observe(t.Context(), club.checkpoint()); !errors.Is(err, ErrFrozen) {
			t.Errorf("got %v", err)
		}
	}
	check(t, w.Forget(t.Context(), club.id))
	check(t, w.Observe(t.Context(), honest))
}

func TestForgetDropsNames(t *testing.T) {
	club, w := clubOf(t, "alice", "bob")
	other := newAuthority(t, "other", start)
	other.bind("alice", "alice")
	w.node.spaces[other.id] = other
	w.look("alice@club")
	w.look("alice@" + other.id.String())
	check(t, w.Forget(t.Context(), club.id))
	w.reopen()
	for id, want := range map[proof.NSID]uint32{club.id: 0, other.id: 1} {
		if v, err := w.known(t.Context(), id, "alice"); err != nil || v != want {
			t.Errorf("version %d, want %d: %v", v, want, err)
		}
	}
	if err := w.Forget(t.Context(), proof.NSID{1}); !errors.Is(err, ErrUnknownNamespace) {
		t.Errorf("an unknown one: %v", err)
	}
}

func TestManifestsAreAskedForOnceADay(t *testing.T) {
	club, w := clubOf(t, "alice")
	w.look("alice@club")
	// The overlay has a staple that cites the first manifest, so nothing else asks.
	w.overlay.put(club.record("alice", 0))
	club.amend(func(m *proof.Manifest) { m.Hold = 2 * proof.DefaultHold })
	for after, want := range map[time.Duration]uint32{0: 1, refreshEvery - 1: 1, refreshEvery: 2} {
		fresh := newWorld(t, club)
		_, err := fresh.AddManifests(t.Context(), club.id, "club", club.manifests[:1], peerURI)
		check(t, err)
		fresh.overlay = w.overlay
		fresh.reopen()
		fresh.now = start.Add(after)
		fresh.look("alice@club")
		n, err := fresh.Namespace(t.Context(), "club")
		check(t, err)
		if n.Manifest.Number != want {
			t.Errorf("after %v: manifest %d", after, n.Manifest.Number)
		}
	}
}

func TestAnotherChainOfManifestsIsRefused(t *testing.T) {
	club, w := clubOf(t, "alice")
	genesis := club.manifests[0]
	club.amend(func(m *proof.Manifest) { m.Hold = 2 * proof.DefaultHold })
	_, err := w.AddManifests(t.Context(), club.id, "", club.manifests)
	check(t, err)
	club.manifests = [][]byte{genesis}
	club.amend(func(m *proof.Manifest) { m.Hold = 3 * proof.DefaultHold })
	for range 2 { // as long as the remembered one, then longer
		if _, err := w.AddManifests(t.Context(), club.id, "", club.manifests); !errors.Is(err, ErrFrozen) {
			t.Errorf("%d manifests: %v", len(club.manifests), err)
		}
		club.amend(func(m *proof.Manifest) { m.Hold = 4 * proof.DefaultHold })
	}
	_, err = w.AddManifests(t.Context(), club.id, "", [][]byte{genesis})
	check(t, err)
	n, err := w.Namespace(t.Context(), "club")
	check(t, err)
	if n.Manifest.Number != 2 || n.Manifest.Hold != 2*proof.DefaultHold {
		t.Errorf("manifest %d, hold %v", n.Manifest.Number, n.Manifest.Hold)
	}
}
