package model

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"communicator/simulations/trace"
)

func isTrue(l trace.Lookup) bool { return l.True }

const named = "tier: model\nduration: 1h\nnodes: {agents: 64, users: 50}\nlatency: {model: fixed, fixed: 25ms, jitter: 0}\n" +
	"workload: {messages_per_user_hour: 0, lookups_per_user_hour: 20, names: 200}\n"

// TestLookupsTakeAsLongAsMeasured holds the model to what whole hosts took, of which two of
// three that went away were switched off and the third was silent: docs/simulation-models.md.
func TestLookupsTakeAsLongAsMeasured(t *testing.T) {
	for _, c := range []struct {
		gone float64
		p50  time.Duration
	}{{0, 200 * time.Millisecond}, {0.1, 3100 * time.Millisecond}, {0.2, 3150 * time.Millisecond}, {0.3, 6050 * time.Millisecond}, {0.5, 6050 * time.Millisecond}} {
		rec, _ := play(t, build(t, named, fmt.Sprintf("events=[{at: 0s, kill: %f}, {at: 0s, freeze: %f}]", c.gone*2/3+1e-6, c.gone/3+1e-6)))
		var took []time.Duration
		for _, l := range rec.lookups {
			if took = append(took, l.Took); !l.Found || !l.True || l.Hops != 2 {
				t.Errorf("%+v", l)
			}
		}
		slices.Sort(took)
		if p := took[len(took)/2]; len(took) < 900 || p < c.p50*9/10 || p > c.p50*11/10 {
			t.Errorf("%v gone: half of %d lookups took %v, measured %v", c.gone, len(took), p, c.p50)
		}
	}
}

func TestLookupsAmongLiars(t *testing.T) {
	for _, c := range []struct {
		do          string
		found, true bool
	}{{"stale", true, false}, {"forge", false, false}, {"drop", false, false}} {
		rec, _ := play(t, build(t, named, "adversary.hostile={share: 1, do: "+c.do+"}"))
		for _, l := range rec.lookups {
			if l.Found != c.found || l.True != c.true {
				t.Fatalf("%s: %+v", c.do, l)
			}
		}
		if rec, _ = play(t, build(t, named, "adversary.hostile={share: 0.5, do: "+c.do+"}")); !slices.ContainsFunc(rec.lookups, isTrue) || len(rec.lookups) < 900 {
			t.Errorf("%s: half of the servers are honest, and no lookup is true", c.do)
		}
	}
	rec, _ := play(t, build(t, named, "workload.names=1", "adversary.sybil={target: random, count: 60}"))
	if !slices.ContainsFunc(rec.lookups, isTrue) {
		t.Error("servers that were pushed away are not met")
	}
}
