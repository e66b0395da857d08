package proof

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"
)

// story follows one name and keeps its state.
type story struct {
	t  *testing.T
	w  world
	st NameState
}

func newStory(t *testing.T) *story {
	w := newWorld(t)
	st, _ := w.bound(t)
	return &story{t, w, st}
}

func (y *story) do(when time.Duration, s Statement, signers ...string) {
	y.t.Helper()
	y.st = mustApply(y.t, y.w, y.st, signed(y.t, s, signers...), when)
	again, err := ParseNameState(y.st.Marshal())
	if err != nil || !reflect.DeepEqual(again, y.st) || !bytes.Equal(again.Marshal(), y.st.Marshal()) {
		y.t.Fatalf("the state does not survive storing: %v", err)
	}
}

func (y *story) refuses(when time.Duration, want error, s Statement, signers ...string) {
	y.t.Helper()
	before := y.st.Marshal()
	next, err := Apply(y.st, signed(y.t, s, signers...), y.w.m, t0.Add(when))
	if !errors.Is(err, want) {
		y.t.Errorf("%v, want %v", err, want)
	}
	if !bytes.Equal(next.Marshal(), before) || !bytes.Equal(y.st.Marshal(), before) {
		y.t.Error("a refused statement changed the state")
	}
}

// holds checks whose the name is.
func (y *story) holds(when time.Duration, name string, settled bool) {
	y.t.Helper()
	holder, isSettled := y.st.Current(t0.Add(when))
	want := Key{}
	if name != "" {
		want = publicNamed(name)
	}
	if holder.Key != want || isSettled != settled {
		y.t.Errorf("held by %x (settled %v), want %q (%v)", holder.Key[:4], isSettled, name, settled)
	}
}

const day = 24 * time.Hour

func TestRotationIsAtOnceAndCanBeUndone(t *testing.T) {
	y := newStory(t)
	y.do(day, y.st.Rotate(idDocNamed("thief"), Hash{}, at(day)), "thief", "alice", "attesting")
	y.holds(day, "thief", false)
	undo := y.st.UndoTo(y.st.Undoable(t0.Add(2 * day))[0], at(2*day))
	y.do(2*day, undo, "alice", "attesting")
	y.holds(2*day, "alice", true)
	y.refuses(3*day, ErrReplaced, y.st.Rotate(idDocNamed("thief 2"), Hash{}, at(3*day)).with(func(s *Statement) { s.Replaced = publicNamed("thief") }), "thief", "thief 2", "attesting")
}

// with changes a statement before it is signed.
func (s Statement) with(change func(*Statement)) Statement {
	change(&s)
	return s
}

func TestRotationSettles(t *testing.T) {
	y := newStory(t)
	y.do(day, y.st.Rotate(idDocNamed("alice 2"), Hash{}, at(day)), "alice 2", "alice", "attesting")
	last := day + DefaultHold - time.Second
	y.holds(last, "alice 2", false)
	y.holds(last+time.Second, "alice 2", true)
	undo := y.st.UndoTo(y.st.Base, at(last+time.Second))
	y.refuses(last+time.Second, ErrSettled, undo, "alice", "attesting")
	veto := y.st.VetoOf(0, t0.Add(last+time.Second))
	y.refuses(last+time.Second, ErrSettled, veto, "alice")
	// One second earlier either is in time.
	if _, err := Apply(y.st, signed(t, y.st.UndoTo(y.st.Base, at(last)), "alice", "attesting"), y.w.m, t0.Add(last)); err != nil {
		t.Error(err)
	}
	if _, err := Apply(y.st, signed(t, y.st.VetoOf(0, t0.Add(last)), "alice"), y.w.m, t0.Add(last)); err != nil {
		t.Error(err)
	}
}

func TestAChainOfRotationsFallsWithItsFirst(t *testing.T) {
	y := newStory(t)
	names := []string{"alice", "thief 1", "thief 2", "thief 3", "thief 4"}
	for i := 1; i < len(names); i++ {
		y.do(day, y.st.Rotate(idDocNamed(names[i]), Hash{}, at(day)), names[i], names[i-1], "attesting")
	}
	y.refuses(day, ErrBusy, y.st.Rotate(idDocNamed("thief 5"), Hash{}, at(day)), "thief 5", "thief 4", "attesting")
	// A key that was undone or stands in the chain does not come back by rotation.
	y.refuses(day, ErrBusy, y.st.Rotate(idDocNamed("alice"), Hash{}, at(day)), "thief 4", "alice", "attesting")
	y.do(2*day, y.st.VetoOf(0, t0.Add(2*day)), "alice")
	y.holds(2*day, "alice", true)
	// The log goes on from the statement that was vetoed.
	y.do(3*day, y.st.Rotate(idDocNamed("alice 2"), Hash{}, at(3*day)), "alice 2", "alice", "attesting")
	y.holds(3*day, "alice 2", false)
	y.refuses(3*day, ErrConflict, y.st.Rotate(idDocNamed("alice"), Hash{}, at(3*day)), "alice 2", "alice", "attesting")
}

func TestResetWaits(t *testing.T) {
	y := newStory(t)
	y.do(day, y.st.Reset(idDocNamed("alice 2"), Hash{}, DefaultHold, at(day)), "alice 2", "attesting")
	y.holds(day, "alice", true)
	if step, pending := y.st.Pending(t0.Add(day)); !pending || step.Holder.Key != publicNamed("alice 2") {
		t.Error("nobody would be warned")
	}
	y.holds(day+DefaultHold, "alice 2", true)
	if _, pending := y.st.Pending(t0.Add(day + DefaultHold)); pending {
		t.Error("still pending")
	}
}

func TestABackdatedResetWaitsAllTheSame(t *testing.T) {
	y := newStory(t)
	y.do(30*day, y.st.Reset(idDocNamed("thief"), Hash{}, MinHold, at(time.Hour)), "thief", "attesting")
	y.holds(30*day, "alice", true)
	y.holds(33*day-time.Second, "alice", true)
	y.holds(33*day, "thief", true)
}

func TestVetoOfAReset(t *testing.T) {
	y := newStory(t)
	y.do(day, y.st.Reset(idDocNamed("thief"), Hash{}, DefaultHold, at(day)), "thief", "attesting")
	veto := y.st.VetoOf(0, t0.Add(2*day))
	y.refuses(2*day, ErrSigner, veto.with(func(s *Statement) { s.Key = publicNamed("thief") }), "thief")
	y.refuses(2*day, ErrSigner, veto.with(func(s *Statement) { s.Key = publicNamed("stranger") }), "stranger")
	y.refuses(2*day, ErrSettled, veto.with(func(s *Statement) { s.Prev = Hash{1} }), "alice")
	y.refuses(2*day, ErrReplaced, y.st.Rotate(idDocNamed("alice 2"), Hash{}, at(2*day)).with(func(s *Statement) { s.Replaced = publicNamed("alice") }), "alice", "alice 2", "attesting")
	early := veto.with(func(s *Statement) { s.Version = 7 })
	y.refuses(2*day, ErrEarly, early, "alice")
	y.do(2*day, veto, "alice")
	y.holds(10*day, "alice", true)
	if y.st.Dispute.IsZero() {
		t.Error("no dispute begun")
	}
}

func TestRootsDecideAfterAVetoHasRested(t *testing.T) {
	y := newStory(t)
	decide := func(when time.Duration) Statement {
		return y.st.RootReset(idDocNamed("owner"), Hash{}, roots("root 1", "root 2"), t0.Add(when))
	}
	signers := []string{"owner", "root 1", "root 2"}
	y.refuses(day, ErrNoDispute, decide(day), signers...)
	// The owner lost the key to a thief: the thief vetoes what the owner asks for.
	y.do(day, y.st.Reset(idDocNamed("owner 1"), Hash{}, DefaultHold, at(day)), "owner 1", "attesting")
	y.do(2*day, y.st.VetoOf(0, t0.Add(2*day)), "alice")
	y.do(3*day, y.st.Reset(idDocNamed("owner 2"), Hash{}, DefaultHold, at(3*day)), "owner 2", "attesting")
	y.do(5*day, y.st.VetoOf(0, t0.Add(5*day)), "alice")
	y.refuses(2*day+VetoRest-time.Second, ErrNoDispute, decide(2*day+VetoRest-time.Second), signers...)
	when := 2*day + VetoRest // of the first veto, not of the second
	y.refuses(when, ErrReplaced, decide(when).with(func(s *Statement) { s.Replaced = publicNamed("owner 1") }), signers...)
	y.do(when, decide(when), signers...)
	y.holds(when, "owner", true)
	if len(y.st.Undoable(t0.Add(when))) != 0 || !y.st.Dispute.IsZero() {
		t.Error("not final")
	}
	y.refuses(when, ErrSettled, y.st.UndoTo(Holder{Identity: idDocNamed("alice").Hash(), Key: publicNamed("alice")}, at(when)), "alice", "attesting")
}

func TestADisputeSurvivesRotationsAndEnds(t *testing.T) {
	y := newStory(t)
	y.do(day, y.st.Reset(idDocNamed("owner"), Hash{}, DefaultHold, at(day)), "owner", "attesting")
	y.do(2*day, y.st.VetoOf(0, t0.Add(2*day)), "alice")
	y.do(3*day, y.st.Rotate(idDocNamed("thief 2"), Hash{}, at(3*day)), "thief 2", "alice", "attesting")
	y.holds(10*day, "thief 2", true)
	decided := y.st
	y.do(16*day, y.st.RootReset(idDocNamed("owner"), Hash{}, roots("root 1", "root 2"), t0.Add(16*day)), "owner", "root 1", "root 2")
	y.holds(16*day, "owner", true)
	y.st = decided
	late := 2*day + VetoLife
	y.refuses(late, ErrNoDispute, y.st.RootReset(idDocNamed("owner"), Hash{}, roots("root 1", "root 2"), t0.Add(late)), "owner", "root 1", "root 2")
}

func TestRevocation(t *testing.T) {
	y := newStory(t)
	revoke := Revocation(y.w.ns, "alice", publicNamed("alice"), codeNamed("alice"), t0)
	// A thief has the key, but not the code.
	y.refuses(day, ErrSigner, Revocation(y.w.ns, "alice", publicNamed("alice"), codeNamed("thief"), t0), "alice")
	y.refuses(day, ErrSigner, Revocation(y.w.ns, "alice", publicNamed("stranger"), codeNamed("alice"), t0), "stranger")
	y.do(day, revoke, "alice")
	y.do(day, revoke, "alice") // twice is once
	if holder, _ := y.st.Current(t0.Add(day)); !holder.Revoked {
		t.Error("not shown as revoked")
	}
	y.refuses(day, ErrRevoked, y.st.Rotate(idDocNamed("thief"), Hash{}, at(day)), "alice", "thief", "attesting")
	y.refuses(day, ErrRevoked, y.st.Release(at(day)), "alice", "attesting")
	y.do(day, y.st.Reset(idDocNamed("owner"), commitmentNamed("owner"), DefaultHold, at(day)), "owner", "attesting")
	y.refuses(2*day, ErrRevoked, y.st.VetoOf(0, t0.Add(2*day)), "alice")
	y.holds(4*day, "owner", true)
}

func TestARevokedKeyMayStillUndo(t *testing.T) {
	y := newStory(t)
	y.do(day, y.st.Rotate(idDocNamed("thief"), Hash{}, at(day)), "thief", "alice", "attesting")
	y.do(day, Revocation(y.w.ns, "alice", publicNamed("alice"), codeNamed("alice"), t0), "alice")
	y.do(2*day, y.st.VetoOf(0, t0.Add(2*day)), "alice")
	y.holds(2*day, "alice", true)
}

func TestReleases(t *testing.T) {
	y := newStory(t)
	y.do(day, y.st.Release(at(day)), "alice", "attesting")
	y.holds(day, "", false)
	y.refuses(2*day, ErrBound, y.st.FirstBind(idDocNamed("bob"), Hash{}, at(2*day)), "bob", "attesting")
	y.refuses(2*day, ErrBound, y.st.DelegateTo(NSID{1}, 0, at(2*day)), "attesting")
	released := y.st
	y.do(2*day, y.st.UndoTo(y.st.Undoable(t0.Add(2 * day))[0], at(2*day)), "alice", "attesting")
	y.holds(2*day, "alice", true)
	y.st = released
	y.do(4*day, y.st.FirstBind(idDocNamed("bob"), Hash{}, at(4*day)), "bob", "attesting")
	y.holds(4*day, "bob", true)
	y.refuses(4*day, ErrBound, y.st.FirstBind(idDocNamed("carol"), Hash{}, at(4*day)), "carol", "attesting")

	y = newStory(t)
	y.do(day, y.st.HeldRelease(DefaultHold, at(day)), "attesting")
	y.holds(2*day, "alice", true)
	y.do(2*day, y.st.VetoOf(0, t0.Add(2*day)), "alice")
	y.holds(10*day, "alice", true)
	y.do(17*day, y.st.RootRelease(roots("root 1", "root 2"), t0.Add(17*day)), "root 1", "root 2")
	y.holds(17*day, "", true)
	y.refuses(17*day, ErrUnbound, y.st.HeldRelease(DefaultHold, at(17*day)), "attesting")
}

func TestDelegations(t *testing.T) {
	w := newWorld(t)
	y := &story{t, w, NewName(w.ns, "sales")}
	y.do(0, y.st.DelegateTo(NSID{1}, 0, at(0)), "attesting")
	if holder, settled := y.st.Current(t0); holder.Kind != Namespace || holder.Delegate != (NSID{1}) || !settled {
		t.Errorf("%+v", holder)
	}
	y.refuses(day, ErrHold, y.st.DelegateTo(NSID{2}, 0, at(day)), "attesting")
	y.refuses(day, ErrBound, y.st.FirstBind(idDocNamed("bob"), Hash{}, at(day)), "bob", "attesting")
	y.do(day, y.st.DelegateTo(NSID{2}, DefaultHold, at(day)), "attesting")
	if holder, _ := y.st.Current(t0.Add(2 * day)); holder.Delegate != (NSID{1}) {
		t.Error("changed before the hold")
	}
	if holder, _ := y.st.Current(t0.Add(4 * day)); holder.Delegate != (NSID{2}) {
		t.Error("not changed after the hold")
	}
	y.do(5*day, y.st.HeldRelease(DefaultHold, at(5*day)), "attesting")
	y.do(8*day, y.st.FirstBind(idDocNamed("bob"), Hash{}, at(8*day)), "bob", "attesting")
	y.holds(8*day, "bob", true)
}

func TestTheChainHolds(t *testing.T) {
	y := newStory(t)
	first := y.st
	rotate := y.st.Rotate(idDocNamed("alice 2"), Hash{}, at(day))
	y.do(day, rotate, "alice", "alice 2", "attesting")
	y.do(2*day, rotate, "alice", "alice 2", "attesting") // the same again changes nothing
	if y.st.Version != 2 {
		t.Errorf("version %d", y.st.Version)
	}
	other := first.Rotate(idDocNamed("alice 3"), Hash{}, at(day))
	y.refuses(day, ErrConflict, other, "alice", "alice 3", "attesting")
	next := y.st.Rotate(idDocNamed("alice 3"), Hash{}, at(2*day))
	y.refuses(2*day, ErrConflict, next.with(func(s *Statement) { s.Prev = Hash{1} }), "alice 2", "alice 3", "attesting")
	y.refuses(2*day, ErrGap, next.with(func(s *Statement) { s.Version++ }), "alice 2", "alice 3", "attesting")
	y.refuses(2*day, ErrTime, next.with(func(s *Statement) { s.Issued, s.NotBefore = t0, t0 }), "alice 2", "alice 3", "attesting")
	y.refuses(2*day, ErrNamespace, next.with(func(s *Statement) { s.Name = "bob" }), "alice 2", "alice 3", "attesting")
	y.refuses(2*day, ErrNamespace, next.with(func(s *Statement) { s.NS = NSID{1} }), "alice 2", "alice 3", "attesting")
	y.refuses(day, ErrTime, next, "alice 2", "alice 3", "attesting") // issued tomorrow
	y.do(2*day, next, "alice 2", "alice 3", "attesting")
	y.refuses(2*day, ErrStale, rotate, "alice", "alice 2", "attesting")
	undo := y.st.UndoTo(first.Base, at(2*day)).with(func(s *Statement) { s.Identity = Hash{1} })
	y.refuses(2*day, ErrIdentity, undo, "alice", "attesting")
	if Contradict(signed(t, rotate), signed(t, next)) || !Contradict(rotate, other) || Contradict(rotate, rotate) {
		t.Error("Contradict")
	}
}

func TestASecondSignatureIsNoSecondStatement(t *testing.T) {
	w := newWorld(t)
	_, s := w.bound(t)
	again := s
	again.Signatures = append([]Signature(nil), s.Signatures...)
	again.Signatures[0][0] ^= 1
	if Contradict(s, again) {
		t.Error("a namespace is accused of what a signer can do alone")
	}
}

func TestApplyVerifies(t *testing.T) {
	y := newStory(t)
	rotate := signed(t, y.st.Rotate(idDocNamed("thief"), Hash{}, at(day)), "thief", "attesting")
	if _, err := Apply(y.st, rotate, y.w.m, t0.Add(day)); !errors.Is(err, ErrSignature) {
		t.Errorf("without the old key: %v", err)
	}
	rotate = signed(t, rotate, "alice")
	rotate.Signatures[0][9] ^= 1
	if _, err := Apply(y.st, rotate, y.w.m, t0.Add(day)); !errors.Is(err, ErrSignature) {
		t.Errorf("a changed signature: %v", err)
	}
	by := By{Attesting: publicNamed("retired"), Issued: t0.Add(day)}
	y.refuses(day, ErrExpiredKey, y.st.Rotate(idDocNamed("thief"), Hash{}, by), "thief", "alice", "retired")
	y.refuses(day, ErrThreshold, y.st.RootRelease(roots("root 1"), t0.Add(day)), "root 1")
}

func TestTheRootsBindNoKeyTwice(t *testing.T) {
	y := newStory(t)
	y.do(day, y.st.Reset(idDocNamed("owner"), Hash{}, DefaultHold, at(day)), "owner", "attesting")
	y.do(day, y.st.VetoOf(0, t0.Add(day)), "alice")
	y.do(14*day, y.st.Reset(idDocNamed("owner"), Hash{}, DefaultHold, at(14*day)), "owner", "attesting")
	decide := func(name string) Statement {
		return y.st.RootReset(idDocNamed(name), Hash{}, roots("root 1", "root 2"), t0.Add(15*day))
	}
	y.refuses(15*day, ErrConflict, decide("alice"), "alice", "root 1", "root 2")
	y.do(15*day, decide("owner 2"), "owner 2", "root 1", "root 2")
	y.holds(15*day, "owner 2", true)
}

func TestStateParserRefuses(t *testing.T) {
	y := newStory(t)
	y.do(day, y.st.Rotate(idDocNamed("alice 2"), Hash{}, at(day)), "alice 2", "alice", "attesting")
	b := y.st.Marshal()
	for what, bad := range map[string][]byte{
		"nothing": nil, "cut": b[:len(b)-1], "trailing byte": append(bytes.Clone(b), 0), "another magic": flip(b, 3),
		"another version": flip(b, 17), "unknown flags": flip(b, len(b)-9),
	} {
		if _, err := ParseNameState(bad); err == nil {
			t.Errorf("%s: parsed", what)
		}
	}
}
