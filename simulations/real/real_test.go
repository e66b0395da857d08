package real

import (
	"fmt"
	"testing"
	"testing/synctest"

	"communicator/internal/testenv"
	"communicator/simulations/measure"
	"communicator/simulations/scenario"
	"communicator/simulations/script"
	"communicator/simulations/trace"
	"communicator/simulations/wall"
)

// downs counts agents that stop.
type downs struct {
	*measure.Collector
	stops float64
}

func (d *downs) Event(e trace.Event) {
	if e.Kind == trace.Down {
		d.stops++
	}
	d.Collector.Event(e)
}

// play runs a scenario and demands that it came to its end, and what must hold of any run.
func play(t *testing.T, yaml string, users int) (out trace.Outcome, scalars map[string]float64) {
	t.Helper()
	sc, err := scenario.Parse("test.yaml", fmt.Appendf(nil, "tier: real\n"+yaml, users))
	if err != nil {
		t.Fatal(err)
	}
	s, err := script.Build(sc)
	if err != nil {
		t.Fatal(err)
	}
	measures := &downs{Collector: measure.New(s)}
	synctest.Test(t, func(t *testing.T) {
		out, err = Run(t.Context(), s, measures, trace.Limits{Memory: 4 << 30})
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
	results.Scalars["stops"] = measures.stops
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
	out, scalars := play(t, `
duration: 10m
nodes: {agents: 8, users: %d}
workload: {messages_per_user_hour: 24, contacts_per_user: 2}
`, testenv.Times(6, 40))
	everythingArrives(t, scalars)
	demand(t, scalars, "latency_p50_ms", atLeast(20))
	demand(t, out.Extra, "real_undecryptable", zero)
}

func TestColdStart(t *testing.T) {
	_, scalars := play(t, `
duration: 10m
nodes: {agents: 8, users: %d, start: cold}
workload: {messages_per_user_hour: 12, contacts_per_user: 1}
`, testenv.Times(4, 40))
	everythingArrives(t, scalars)
	demand(t, scalars, "joined", func(v float64) bool { return v == 8 })
}

func TestChurn(t *testing.T) {
	_, scalars := play(t, `
duration: 12m
drain: 30m
nodes: {agents: 8, users: %d}
churn: {model: exponential, scale: 4m, stable: 0.25, down: 1m}
workload: {messages_per_user_hour: 40, contacts_per_user: 1}
`, testenv.Times(6, 60))
	everythingArrives(t, scalars)
	demand(t, scalars, "stops", atLeast(5))
}

// A third of the agents is out of reach for ten minutes, and then three of ten packets
// are lost: everything arrives once, and what waited within a minute.
func TestCutOffThenLoss(t *testing.T) {
	_, scalars := play(t, `
duration: 16m
drain: 20m
nodes: {agents: 8, users: %d}
workload: {messages_per_user_hour: 40, contacts_per_user: 1}
events:
- {at: 1m, for: 10m, cut_off: 0.3}
- {at: 11m, for: 4m, loss: 0.3}
`, testenv.Times(6, 60))
	everythingArrives(t, scalars)
	demand(t, scalars, "drained_s", atMost(60))
}

func TestKill(t *testing.T) {
	_, scalars := play(t, `
duration: 9m
drain: 20m
nodes: {agents: 8, users: %d}
workload: {messages_per_user_hour: 60, contacts_per_user: 1}
events:
- {at: 1m, for: 1m, kill: 0.5}
- {at: 4m, for: 10s, kill: 1}
- {at: 6m, for: 2m, kill: 0.5}
`, testenv.Times(6, 60))
	everythingArrives(t, scalars)
	demand(t, scalars, "stops", func(v float64) bool { return v == 16 })
}

// Agents that are drained are left, and what they had arrives.
func TestDrain(t *testing.T) {
	_, scalars := play(t, `
duration: 10m
drain: 30m
nodes: {agents: 8, users: %d}
workload: {messages_per_user_hour: 40, contacts_per_user: 1}
events:
- {at: 2m, drain: 0.25}
`, testenv.Times(6, 40))
	everythingArrives(t, scalars)
	demand(t, scalars, "rotations", atLeast(1))
}

// Addresses that are replaced after a few messages lose nothing.
func TestRotateEvery(t *testing.T) {
	_, scalars := play(t, `
duration: 10m
nodes: {agents: 8, users: %d}
workload: {messages_per_user_hour: 60, contacts_per_user: 1}
privacy: {rotate_every: 3}
`, testenv.Times(6, 40))
	everythingArrives(t, scalars)
	demand(t, scalars, "rotations", atLeast(scalars["sent"]/6))
}

// Disks that are full, agents that hang, devices that are off and a slow network lose
// nothing.
func TestTroubles(t *testing.T) {
	_, scalars := play(t, `
duration: 16m
drain: 30m
nodes: {agents: 8, users: %d}
workload: {messages_per_user_hour: 40, contacts_per_user: 1}
events:
- {at: 1m, for: 2m, full: 0.5}
- {at: 4m, for: 2m, freeze: 0.25}
- {at: 7m, for: 3m, offline: 0.4}
- {at: 11m, for: 2m, slow: 20}
- {at: 13m, for: 2m, partition: [eu]}
`, testenv.Times(6, 60))
	everythingArrives(t, scalars)
}

func TestBadger(t *testing.T) {
	_, scalars := play(t, `
duration: 6m
drain: 10m
nodes: {agents: 4, users: %d, storage: badger}
workload: {messages_per_user_hour: 40, contacts_per_user: 1}
privacy: {sending_agents: 1, receiving_agents: 2}
events:
- {at: 2m, for: 20s, kill: 0.5}
- {at: 4m, for: 20s, kill: 1}
`, testenv.Times(4, 40))
	everythingArrives(t, scalars)
}

// Whatever an agent does to its own people, nobody sees a message twice, and honest
// agents' logs stay whole. What hostile ones only hold or spoil arrives by another way.
func TestHostile(t *testing.T) {
	for _, kind := range []string{"drop", "delay", "stale", "forge"} {
		t.Run(kind, func(t *testing.T) {
			_, scalars := play(t, `
duration: 6m
drain: 40m
nodes: {agents: 8, users: %d}
workload: {messages_per_user_hour: 60, contacts_per_user: 1}
adversary: {hostile: {share: 0.25, delay: 5s, do: `+kind+`}}
`, testenv.Times(8, 40))
			demand(t, scalars, "duplicated", zero)
			if kind == "drop" {
				demand(t, scalars, "delivered", atLeast(1))
				demand(t, scalars, "delivery_ratio", func(v float64) bool { return v < 1 })
				return
			}
			everythingArrives(t, scalars)
		})
	}
}

// The largest network that whole nodes and clients are meant for fits into 4 GiB, and
// into six minutes of two processors: 720 s of processor time, whoever else uses them.
func TestLarge(t *testing.T) {
	agents := testenv.Times(20, 2000)
	began := wall.CPU()
	out, scalars := play(t, fmt.Sprintf(`
duration: 10m
nodes: {agents: %d, users: %%d}
workload: {messages_per_user_hour: 6, contacts_per_user: 1}
`, agents), agents)
	everythingArrives(t, scalars)
	demand(t, out.Extra, "real_peak_mib", atMost(4<<10))
	used := (wall.CPU() - began).Seconds()
	t.Logf("%d agents and users: %.0f s of processor time, %.0f MiB", agents, used, out.Extra["real_peak_mib"])
	if used > 720 {
		t.Error("more than six minutes of two processors")
	}
}
