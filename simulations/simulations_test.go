package simulations

import (
	"slices"
	"testing"
	"testing/synctest"

	"communicator/simulations/measure"
	"communicator/simulations/report"
	"communicator/simulations/scenario"
	"communicator/simulations/scenarios"
)

// short makes a scenario small, so that it is over soon, with its events in the same order.
func short(t *testing.T, name string, seed string, settings ...string) *scenario.Scenario {
	t.Helper()
	s, err := scenarios.Read(name, append([]string{"seed=" + seed}, settings...)...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// check holds a run to what its scenario asserts, and to names for all that it measured.
func check(t *testing.T, r *report.Run) {
	t.Helper()
	for _, a := range r.Assertions {
		if !a.Held {
			t.Errorf("%s %s, seed %d: %s is %v, not %v (%s)", r.Name, r.Tier, r.Seed, a.Measure, a.Value, a.Condition, r.Command)
		}
	}
	for _, s := range r.Outcome.Broken {
		t.Errorf("%s %s, seed %d: %s", r.Name, r.Tier, r.Seed, s)
	}
	for name := range r.Results.Scalars {
		known := func(n measure.Name) bool { return n.Name == name }
		if !slices.ContainsFunc(measure.Names, known) && !slices.ContainsFunc(r.Names, known) {
			t.Errorf("measure %s has no explanation", name)
		}
	}
}

// TestEveryScenarioInTheModel runs each scenario that ships, with several seeds. What fails
// here fails again with the seed that is named.
func TestEveryScenarioInTheModel(t *testing.T) {
	small := map[string][]string{ // what would take long
		"large":     {"nodes.agents=2000", "nodes.users=2000"},
		"colluding": {"nodes.users=400", "duration=2d"},
		"observer":  {"nodes.users=200", "duration=2h"},
	}
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, seed := range []string{"1", "2", "3"} {
				r, err := Run(t.Context(), short(t, name, seed, append([]string{"tier=model"}, small[name]...)...), Options{})
				if err != nil {
					t.Fatal(err)
				}
				check(t, r)
			}
		})
	}
}

// TestScenariosWithWholeNodes runs short forms of those that whole nodes can be asked.
func TestScenariosWithWholeNodes(t *testing.T) {
	brief := []string{"tier=real", "nodes.agents=8", "nodes.users=8", "nodes.operators=0", "workload.contacts_per_user=2"}
	for name, settings := range map[string][]string{
		"cut-off-then-lossy": {"duration=26m", "events[0].at=2m", "events[1].at=12m"},
		"lookups":            {"nodes.agents=32", "duration=8m", "events[0].at=4m", "workload.lookups_per_user_hour=60", "workload.names=6"},
		"mass-failure":       {"duration=12m", "drain=10m", "events[0].at=2m", "events[0].for=5m"},
	} {
		t.Run(name, func(t *testing.T) {
			sc := short(t, name, "1", append(brief[:len(brief):len(brief)], settings...)...)
			synctest.Test(t, func(t *testing.T) {
				r, err := Run(t.Context(), sc, Options{})
				if err != nil {
					t.Fatal(err)
				}
				check(t, r)
			})
		})
	}
}

// TestSeedIsTheTrace: in the model, one seed is one trace; another seed is another.
func TestSeedIsTheTrace(t *testing.T) {
	hash := func(seed string) report.Hash {
		r, err := Run(t.Context(), short(t, "churn", seed, "tier=model", "duration=1h"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return r.TraceHash
	}
	first := hash("7")
	if hash("7") != first {
		t.Error("one seed, two traces")
	}
	if hash("8") == first {
		t.Error("two seeds, one trace")
	}
}
