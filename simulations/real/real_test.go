package real

import (
	"testing"
	"testing/synctest"

	"communicator/simulations/measure"
	"communicator/simulations/scenario"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// play runs a scenario and demands that it came to its end, and what must hold of any run.
func play(t *testing.T, yaml string) (out trace.Outcome, scalars map[string]float64) {
	t.Helper()
	sc, err := scenario.Parse("test.yaml", []byte("tier: real\n"+yaml))
	if err != nil {
		t.Fatal(err)
	}
	s, err := script.Build(sc)
	if err != nil {
		t.Fatal(err)
	}
	measures := measure.New(s)
	synctest.Test(t, func(t *testing.T) {
		out, err = Run(t.Context(), s, measures, trace.Limits{})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range out.Broken {
		t.Error(b)
	}
	if out.Stopped != "" {
		t.Errorf("stopped: %s", out.Stopped)
	}
	results := measures.Finish(out)
	if testing.Verbose() {
		for name, v := range out.Extra {
			t.Logf("%s: %.3f", name, v)
		}
		t.Logf("virtual %v, sent %v, delivered %v", out.Virtual, results.Scalars["sent"], results.Scalars["delivery_ratio"])
	}
	return out, results.Scalars
}

func demand(t *testing.T, scalars map[string]float64, name string, holds func(float64) bool) {
	t.Helper()
	v, ok := scalars[name]
	if !ok || !holds(v) {
		t.Errorf("%s is %v", name, v)
	}
}

func zero(v float64) bool { return v == 0 }

func atLeast(least float64) func(float64) bool { return func(v float64) bool { return v >= least } }

func atMost(most float64) func(float64) bool { return func(v float64) bool { return v <= most } }

func everythingArrives(t *testing.T, scalars map[string]float64) {
	t.Helper()
	demand(t, scalars, "sent", atLeast(1))
	demand(t, scalars, "delivery_ratio", atLeast(1))
	demand(t, scalars, "lost", zero)
	demand(t, scalars, "duplicated", zero)
}

func TestSteady(t *testing.T) {
	_, scalars := play(t, `
duration: 20m
nodes: {agents: 10, users: 20}
workload: {messages_per_user_hour: 12, contacts_per_user: 1}
`)
	everythingArrives(t, scalars)
}
