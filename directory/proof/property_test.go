package proof

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"communicator/internal/testenv"

	"pgregory.net/rapid"
)

// check is rapid.Check, for longer in a soak.
func check(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	for range testenv.Times(1, 200) {
		rapid.Check(t, property)
	}
}

// attacker makes whatever statements its keys can sign, in any order and at any time,
// dated back as it likes. The properties below use Fold: signatures are modelled by
// what the attacker holds.
type attacker struct {
	keys map[Key]bool
	ids  []IdDoc // identities of its own, and stolen ones
	may  func(Change) bool
}

// cast is drawn once: identities cost a signature each.
var cast = func() map[string]IdDoc {
	all := map[string]IdDoc{}
	for _, name := range []string{"alice", "owner", "owner 2", "thief 1", "thief 2", "thief 3"} {
		all[name] = idDocNamed(name)
	}
	return all
}()

func newAttacker(names ...string) attacker {
	a := attacker{keys: map[Key]bool{}}
	for _, name := range names {
		if id, is := cast[name]; is {
			a.ids = append(a.ids, id)
			a.keys[id.Key()] = true
		} else {
			a.keys[publicNamed(name)] = true
		}
	}
	return a
}

// draw makes a statement; ok is whether the attacker can sign it.
func (a attacker) draw(t *rapid.T, st NameState, now time.Time) (s Statement, ok bool) {
	age := time.Duration(rapid.Int64Range(0, max(0, int64(now.Sub(st.Issued)/time.Second))).Draw(t, "age")) * time.Second
	by := By{Attesting: publicNamed("attesting"), Issued: now.Add(-age)}
	id := rapid.SampledFrom(a.ids).Draw(t, "identity")
	hold := rapid.SampledFrom([]time.Duration{MinHold, DefaultHold, MaxHold}).Draw(t, "hold")
	step := rapid.IntRange(0, max(0, len(st.Open)-1)).Draw(t, "step")
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0, 1:
		s = st.Rotate(id, commitmentNamed("thief"), by)
	case 2:
		s = st.Reset(id, commitmentNamed("thief"), hold, by)
	case 3:
		s = st.Release(by)
	case 4:
		s = st.HeldRelease(hold, by)
	case 5:
		s = st.FirstBind(id, commitmentNamed("thief"), by)
	case 6:
		s = st.UndoTo(Holder{Identity: id.Hash(), Key: id.Key(), Revocation: st.before(min(step, len(st.Open))).Revocation}, by)
	case 7:
		if len(st.Open) == 0 {
			return s, false
		}
		s = st.VetoOf(step, by.Issued)
	case 8:
		s = Revocation(st.NS, st.Name, id.Key(), codeNamed("thief"), by.Issued)
	case 9:
		s = st.DelegateTo(NSID{9}, rapid.SampledFrom([]time.Duration{0, hold}).Draw(t, "delegated"), by)
	}
	if rapid.IntRange(0, 4).Draw(t, "twist") == 0 && s.Replaced != (Key{}) {
		s.Replaced = rapid.SampledFrom(a.ids).Draw(t, "replaced").Key()
	}
	change, err := s.Change()
	if err != nil || a.may != nil && !a.may(change) {
		return s, false
	}
	for _, key := range s.Keys() {
		if !a.keys[key] {
			return s, false
		}
	}
	return s, s.validate() == nil
}

// checkState is what holds after every statement, accepted or not.
func checkState(t *rapid.T, before, after NameState, err error) {
	if err != nil && !bytes.Equal(before.Marshal(), after.Marshal()) {
		t.Fatal("a refused statement changed the state")
	}
	if len(after.Open) > MaxOpenSteps || after.Version < before.Version {
		t.Fatalf("%d steps, version %d after %d", len(after.Open), after.Version, before.Version)
	}
	if back, err := ParseNameState(after.Marshal()); err != nil || !bytes.Equal(back.Marshal(), after.Marshal()) {
		t.Fatalf("state does not survive storing: %v", err)
	}
	var keys []Key
	for i := range len(after.Open) + 1 {
		holder := after.Base
		if i > 0 {
			holder = after.Open[i-1].Holder
		}
		if holder.Kind == Person && slices.Contains(keys, holder.Key) {
			t.Fatal("one key holds the name twice")
		}
		keys = append(keys, holder.Key)
	}
}

func boundTo(t testing.TB, name string) NameState {
	t.Helper()
	ns := NSID{1}
	s := NewName(ns, "alice").FirstBind(cast[name], commitmentNamed(name), at(0))
	st, err := Fold(NewName(ns, "alice"), s, DefaultHold, t0)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// TestAThiefsKeyIsNeverFinal gives a thief the owner's key and the attesting key, all
// but the roots and the revocation code. The owner, who still has the key, looks at the
// name at least once in each hold time and vetoes, alone, what is not theirs.
func TestAThiefsKeyIsNeverFinal(t *testing.T) {
	for who, names := range map[string][]string{
		"the owner's key and the attesting key": {"alice", "attesting", "thief 1", "thief 2", "thief 3"},
		"the attesting key":                     {"attesting", "thief 1", "thief 2", "thief 3"},
	} {
		t.Run(who, func(t *testing.T) {
			start := boundTo(t, "alice")
			thief := newAttacker(names...)
			accepted := 0
			check(t, func(t *rapid.T) {
				st, now := start, t0
				for range rapid.IntRange(1, 12).Draw(t, "rounds") {
					left := DefaultHold - time.Second
					for range rapid.IntRange(1, 6).Draw(t, "moves") {
						s, ok := thief.draw(t, st, now)
						if ok {
							next, err := Fold(st, s, DefaultHold, now)
							checkState(t, st, next, err)
							if err == nil {
								accepted++
							}
							st = next
						}
						wait := time.Duration(rapid.Int64Range(0, int64(left/time.Second)).Draw(t, "wait")) * time.Second
						left, now = left-wait, now.Add(wait)
						if base := st.Settle(now).Base; base.Key != cast["alice"].Key() {
							t.Fatalf("the thief's key is final at %v", now.Sub(t0))
						}
					}
					st = ownerVetoes(t, st, now)
				}
			})
			if accepted < 100 {
				t.Errorf("only %d of the thief's statements were accepted: this tests little", accepted)
			}
		})
	}
}

func ownerVetoes(t *rapid.T, st NameState, now time.Time) NameState {
	if st = st.Settle(now); len(st.Open) > 0 {
		next, err := Fold(st, st.VetoOf(0, now), DefaultHold, now)
		if err != nil {
			t.Fatalf("the owner's veto is refused: %v", err)
		}
		st = next
	}
	if holder, settled := st.Current(now); holder.Key != cast["alice"].Key() || !settled {
		t.Fatal("the owner does not have the name back")
	}
	return st
}

// TestAThiefsVetoesDoNotLast gives a thief the key, and takes it from its owner. The
// thief may rotate, veto and undo as it likes, since attesting is automatic there; the
// namespace resets only for the owner. Fourteen days after the first veto
// the roots decide, and nothing of the thief's is accepted from then on.
func TestAThiefsVetoesDoNotLast(t *testing.T) {
	start := boundTo(t, "alice")
	thief := newAttacker("alice", "attesting", "thief 1", "thief 2", "thief 3")
	thief.may = func(c Change) bool { return c != HeldReset && c != HeldRelease && c != Release && c != Delegating }
	decided := 0
	check(t, func(t *rapid.T) {
		st, now, final := start, t0, false
		var vetoed time.Time
		for range 60 {
			st = thief.moves(t, st, now, true)
			if vetoed.IsZero() {
				vetoed = st.Dispute
			}
			st = ownerAsks(st, now)
			now = now.Add(time.Duration(rapid.Int64Range(3600, int64(70*time.Hour/time.Second)).Draw(t, "wait")) * time.Second)
			settled := st.Settle(now)
			if settled.top().Kind != Person || settled.Base.Key == cast["owner"].Key() {
				return // the owner's already
			}
			if vetoed.IsZero() || now.Before(vetoed.Add(VetoRest)) {
				continue
			}
			next, err := Fold(st, settled.RootReset(cast["owner 2"], Hash{}, roots("root 1", "root 2"), now), DefaultHold, now)
			if err != nil {
				t.Fatalf("the roots may not decide, %v after the veto: %v", now.Sub(vetoed), err)
			}
			st, final = next, true
			break
		}
		if !final {
			return // no veto, or not long enough ago
		}
		decided++
		for range 20 {
			next := thief.moves(t, st, now, false)
			if !bytes.Equal(next.Marshal(), st.Marshal()) {
				t.Fatal("the thief still has a say")
			}
		}
	})
	if decided < 10 {
		t.Errorf("the roots decided %d times: this tests little", decided)
	}
}

// moves makes one of the thief's moves; eager vetoes whatever can be vetoed.
func (a attacker) moves(t *rapid.T, st NameState, now time.Time, eager bool) NameState {
	s, ok := a.draw(t, st, now)
	for i, step := range st.Open {
		if eager && step.Held && a.keys[st.before(i).Key] {
			s, ok = st.VetoOf(i, now), true
		}
	}
	if !ok {
		return st
	}
	next, err := Fold(st, s, DefaultHold, now)
	checkState(t, st, next, err)
	return next
}

// ownerAsks has the namespace begin a reset for the owner, where it can.
func ownerAsks(st NameState, now time.Time) NameState {
	asked := st.Settle(now).Reset(cast["owner"], Hash{}, DefaultHold, By{publicNamed("attesting"), now})
	if next, err := Fold(st, asked, DefaultHold, now); err == nil {
		return next
	}
	return st
}

// TestReplayGivesTheSameState folds what was accepted once more, as a node does that
// rebuilds its tables from its log.
func TestReplayGivesTheSameState(t *testing.T) {
	start := boundTo(t, "alice")
	all := newAttacker("alice", "attesting", "owner", "thief 1", "thief 2", "thief 3")
	check(t, func(t *rapid.T) {
		type entry struct {
			s  Statement
			at time.Time
		}
		var log []entry
		st, now := start, t0
		for range rapid.IntRange(1, 30).Draw(t, "moves") {
			if s, ok := all.draw(t, st, now); ok {
				next, err := Fold(st, s, DefaultHold, now)
				checkState(t, st, next, err)
				if err == nil {
					log = append(log, entry{s, now})
				}
				st = next
			}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(4*day/time.Second)).Draw(t, "wait")) * time.Second)
		}
		again := start
		for _, e := range log {
			var err error
			if again, err = Fold(again, e.s, DefaultHold, e.at); err != nil {
				t.Fatalf("accepted once, refused again: %v", err)
			}
		}
		if !bytes.Equal(again.Settle(now).Marshal(), st.Settle(now).Marshal()) {
			t.Fatal("another state")
		}
	})
}
