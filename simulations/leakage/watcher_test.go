package leakage

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"communicator/simulations/measure"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// What the frames of these tests are longer than the text by.
const (
	submission = 2000
	push       = 600
)

// wire tells an observer of frames, at times of its own.
type wire struct {
	teller
	s   *script.Script
	now time.Duration
}

func watch(s *script.Script) *wire { return &wire{teller: teller{Observer: New(s)}, s: s} }

func (w *wire) pass(from, to, size int32) {
	w.now += 10 * time.Millisecond
	w.Frame(trace.Frame{At: w.now, From: from, To: to, Size: size})
}

func (w *wire) tell(k trace.Kind, e trace.Event) {
	e.At, e.Kind, e.Message = w.now, k, w.number
	w.Event(e)
}

// message tells of one from end to end, through the users' first agents; on its way, what
// else the test wants to happen then.
func (w *wire) message(from, to, text int32, meanwhile ...func()) {
	s, r := w.s.Users[from].Sending[0], w.s.Users[to].Receiving[0]
	w.tell(trace.Sent, trace.Event{User: from, Peer: to})
	w.pass(trace.UserMachine(from), s, submission+text)
	w.tell(trace.Accepted, trace.Event{User: from, Agent: s})
	w.pass(s, trace.UserMachine(from), 300) // a receipt: no size of a message's
	w.pass(s, r, submission+text-100)
	w.tell(trace.Stored, trace.Event{Agent: s, Other: r})
	for _, f := range meanwhile {
		f()
	}
	w.pass(r, trace.UserMachine(to), push+text)
	w.tell(trace.Received, trace.Event{User: from, Peer: to, Other: r})
	w.number++
}

// rest lets a window pass.
func (w *wire) rest() { w.now += time.Minute }

// village is users who all live at agents 0 (sending) and 1 (receiving); 0 and 1 are the
// target pair, and the last two have the observer's lesson, which has been told.
func village(t *testing.T, users int, yaml string) *wire {
	t.Helper()
	s := build(t, fmt.Sprintf("nodes: {agents: 6, users: %d}\nprivacy: {receiving_agents: 1, sending_agents: 1}\nadversary: {observer: global, targets: 1}\n%s", users, yaml))
	s.Relations = nil
	for u := range s.Users {
		s.Users[u].Contacts = nil
		lives(s, int32(u), 0, 1)
	}
	meet(s, 0, 1)
	s.Scenario.Adversary.Targets = 1
	w := watch(s)
	if users > 2 {
		meet(s, int32(users-2), int32(users-1))
	}
	for range calibration {
		w.message(int32(users-2), int32(users-1), 100)
		w.rest()
	}
	return w
}

func finish(w *wire) ([]measure.Figure, map[string]float64) {
	w.rest()
	return w.Finish()
}

func TestTheObserverKnowsOneOfTwo(t *testing.T) {
	w := village(t, 2, "")
	w.message(0, 1, 100)
	_, got := finish(w)
	near(t, "entropy", got["leak_observer_entropy_bits"], 0, 0)
	near(t, "identified", got["leak_identified"], 1, 0)
	near(t, "rank", got["leak_observer_rank_p50"], 1, 0)
}

// TestPerfectMixing has everybody get a frame whenever somebody does, so that no message
// tells anything.
func TestPerfectMixing(t *testing.T) {
	const users = 17 // the victim and sixteen others
	w := village(t, users, "")
	for range 20 {
		w.message(0, 1, 100, func() {
			for u := range int32(users) {
				if u > 1 {
					w.pass(1, trace.UserMachine(u), push+100)
				}
			}
		})
		w.rest()
	}
	_, got := finish(w)
	near(t, "entropy", got["leak_observer_entropy_bits"], math.Log2(users-1), 1e-9)
	near(t, "degree", got["leak_observer_degree_mean"], 1, 1e-9)
	near(t, "identified", got["leak_identified"], 0, 0)
}

func TestAFewMessagesGiveAPairAway(t *testing.T) {
	for _, backward := range []bool{false, true} {
		w := village(t, 50, "")
		r := w.s.Rand("noise", 0)
		for range 12 {
			for range 40 { // what others do meanwhile: nothing that repeats
				u := 2 + int32(r.IntN(46))
				w.pass(trace.UserMachine(u), 0, submission+100)
				w.pass(0, 1, submission)
				w.pass(1, trace.UserMachine(2+int32(r.IntN(46))), push+100)
				w.now += time.Duration(r.IntN(1000)) * time.Millisecond
			}
			if backward {
				w.message(1, 0, 100)
			} else {
				w.message(0, 1, 100)
			}
		}
		figures, got := finish(w)
		near(t, "identified", got["leak_identified"], 1, 0)
		near(t, "rank", got["leak_observer_rank_p50"], 1, 0)
		near(t, "rank by disclosure alone", got["leak_disclosure_rank_p50"], 1, 0)
		if n := got["leak_messages_until_identified_p50"]; n < 2 || n > 8 {
			t.Errorf("after %v messages (backward: %v)", n, backward)
		}
		if len(figures) != 3 {
			t.Errorf("%d figures", len(figures))
		}
	}
}

// TestSizesTell has a decoy get a frame whenever the true peer does. If sizes differ from
// message to message, as without padding, they tell the two apart; in buckets they do not.
func TestSizesTell(t *testing.T) {
	for _, padded := range []bool{false, true} {
		w := village(t, 6, "")
		text := func(i int32) int32 {
			if padded {
				return 100
			}
			return 100 + 50*(i%7)
		}
		for i := range int32(40) { // sizes and rates of messages become known
			w.message(4, 5, text(i))
			w.rest()
			w.pass(1, trace.UserMachine(1), push+text(i))
			w.pass(1, trace.UserMachine(2), push+text(i))
			w.rest()
		}
		for i := range int32(20) {
			w.message(0, 1, text(i), func() { w.pass(1, trace.UserMachine(2), push+text(i+3)) })
			w.rest()
		}
		_, got := finish(w)
		if padded {
			near(t, "padded: probability of the peer", got["leak_observer_true_probability_p50"], 0.5, 0.01)
			near(t, "padded: entropy", got["leak_observer_entropy_bits"], 1, 0.05)
		} else {
			near(t, "bare: probability of the peer", got["leak_observer_true_probability_p50"], 1, 0.01)
		}
	}
}

// TestFramesAreFollowed has a decoy get a frame in every window from an agent that the
// victim's agent sent nothing to.
func TestFramesAreFollowed(t *testing.T) {
	w := village(t, 6, "")
	lives(w.s, 2, 0, 3)
	for range 10 {
		w.message(0, 1, 100, func() { w.pass(3, trace.UserMachine(2), push+100) })
		w.rest()
	}
	_, got := finish(w)
	near(t, "identified", got["leak_identified"], 1, 0)
	if p := got["leak_observer_true_probability_p50"]; p < 0.99 {
		t.Errorf("the decoy is still a suspect: %v", p)
	}
}

// TestABusyMachineIsNoSuspect has a decoy get a frame in every window, and as many all the
// time: it would be hit by chance.
func TestABusyMachineIsNoSuspect(t *testing.T) {
	w := village(t, 6, "")
	for range 10 {
		for range 60 {
			w.pass(1, trace.UserMachine(2), push+100)
			w.now += 3 * time.Second
		}
		w.rest()
		w.message(0, 1, 100, func() { w.pass(1, trace.UserMachine(2), push+100) })
		w.rest()
	}
	_, got := finish(w)
	if p := got["leak_observer_true_probability_p50"]; p < 0.99 {
		t.Errorf("the true peer has a probability of %v", p)
	}
	near(t, "rank by disclosure alone", got["leak_disclosure_rank_p50"], 1, 0)
}

func TestJitterWidensTheWindow(t *testing.T) {
	w := village(t, 6, "")
	near(t, "window", w.adversaries[0].(*watcher).window.Seconds(), 5, 0)
	s := build(t, "privacy: {jitter: 10s}\nadversary: {observer: global, window: 8s}")
	near(t, "window", New(s).adversaries[0].(*watcher).window.Seconds(), 28, 0)
}

func TestAnArrivalAfterTheWindowTellsNothing(t *testing.T) {
	w := village(t, 6, "")
	for range 10 {
		w.message(0, 1, 100, w.rest)
		w.rest()
	}
	_, got := finish(w)
	near(t, "identified", got["leak_identified"], 0, 0)
	near(t, "entropy", got["leak_observer_entropy_bits"], math.Log2(5), 1e-9)
}

func TestWithoutFramesNothingIsSaid(t *testing.T) {
	s := build(t, "nodes: {agents: 6, users: 6}\nadversary: {observer: global}")
	o := &teller{Observer: New(s)}
	o.stored(s.Relations[0].A, s.Relations[0].B, 0, 1, 1)
	if figures, scalars := o.Finish(); len(figures)+len(scalars) != 0 {
		t.Errorf("%v", scalars)
	}
}

func TestTheSameFramesTellTheSame(t *testing.T) {
	run := func() (any, any) {
		w := village(t, 30, "")
		for i := range int32(15) {
			w.message(0, 1, 100+i, func() { w.message(28, 29, 100) })
		}
		return finish(w)
	}
	f1, s1 := run()
	f2, s2 := run()
	if !reflect.DeepEqual(f1, f2) || !reflect.DeepEqual(s1, s2) {
		t.Error("one run, two results")
	}
}

func TestALikelihoodRatio(t *testing.T) {
	// Without hits it falls with the number of frames; with as many as chance brings it
	// stays below 0; with one in every frame it grows.
	if a, b := ratio(0, 5, 1), ratio(0, 50, 1); a >= 0 || b >= a {
		t.Errorf("no hits: %v, then %v", a, b)
	}
	if r := ratio(20, 20, 20); r > 0 {
		t.Errorf("as by chance: %v", r)
	}
	// One share alone: k log(1 + n s / e) − n s.
	want := 0.0
	for _, s := range contactShares {
		want += math.Exp(3*math.Log(1+4*s/0.5)-4*s) / float64(len(contactShares))
	}
	near(t, "ratio", ratio(3, 4, 0.5), math.Log(want), 1e-12)
}
