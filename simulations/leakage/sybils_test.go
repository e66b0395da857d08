package leakage

import (
	"math"
	"testing"
	"time"

	"communicator/simulations/measure"
	"communicator/simulations/trace"
)

func TestSybils(t *testing.T) {
	o := New(build(t, "duration: 1h\nworkload: {names: 10, lookups_per_user_hour: 1}\nadversary: {sybil: {target: random, count: 20}}"))
	for i := range 8 {
		o.Lookup(trace.Lookup{At: time.Duration(i) * 10 * time.Minute, Target: true, Seen: i%2 == 0, Found: true, True: i != 3})
		o.Lookup(trace.Lookup{At: time.Duration(i) * 10 * time.Minute, Seen: true}) // of another name
	}
	figures, got := o.Finish()
	near(t, "lookups", got["leak_sybil_lookups"], 8, 0)
	near(t, "seen", got["leak_sybil_seen"], 0.5, 0)
	near(t, "untrue", got["leak_sybil_untrue"], 1./8, 0)
	if len(figures) != 1 || len(figures[0].Lines[0].X) != 8 {
		t.Errorf("%+v", figures)
	}
	if _, got := New(build(t, "workload: {names: 10, lookups_per_user_hour: 1}\nadversary: {sybil: {target: random, count: 20}}")).Finish(); len(got) != 0 {
		t.Errorf("of no lookups: %v", got)
	}
}

// TestWhatIsSaidIsNamedAndCanBeDrawn holds every measure and chart to what a report needs.
func TestWhatIsSaidIsNamedAndCanBeDrawn(t *testing.T) {
	named := map[string]bool{}
	for _, n := range Names {
		if named[n.Name] || n.Unit == "" || n.Doc == "" {
			t.Errorf("%+v", n)
		}
		named[n.Name] = true
	}
	w := village(t, 20, "")
	w.script.Scenario.Adversary.Colluding = 0.5
	w.adversaries = append(w.adversaries, newCollusion(w.s, w.targets))
	for range 12 {
		w.message(0, 1, 100)
		w.message(1, 0, 100)
		w.rest()
	}
	y := New(build(t, "workload: {names: 10}\nadversary: {sybil: {target: random, count: 20}}"))
	y.Lookup(trace.Lookup{Target: true})
	figures, scalars := finish(w)
	moreFigures, more := y.Finish()
	for name, v := range more {
		scalars[name] = v
	}
	for name, v := range scalars {
		if !named[name] {
			t.Errorf("%s is not in Names", name)
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Errorf("%s is %v", name, v)
		}
	}
	for name := range named {
		if _, ok := scalars[name]; !ok && name != "leak_messages_until_linked_p50" && name != "leak_messages_until_linked_p90" {
			t.Errorf("%s was not said", name)
		}
	}
	ids := map[string]bool{}
	for _, f := range append(figures, moreFigures...) {
		if ids[f.ID] || f.Title == "" || len(f.Caption) < 40 || f.X == "" || f.Y == "" || f.Kind == measure.Bars || len(f.Lines) == 0 {
			t.Errorf("%+v", f)
		}
		ids[f.ID] = true
		for _, l := range f.Lines {
			if len(l.X) == 0 || len(l.X) != len(l.Y) {
				t.Errorf("%s: line %q has %d and %d values", f.ID, l.Name, len(l.X), len(l.Y))
			}
			for i := range l.X {
				if math.IsNaN(l.Y[i]) || math.IsInf(l.Y[i], 0) || f.LogX && l.X[i] <= 0 || f.LogY && l.Y[i] <= 0 {
					t.Errorf("%s: (%v, %v) cannot be drawn", f.ID, l.X[i], l.Y[i])
				}
			}
		}
	}
}
