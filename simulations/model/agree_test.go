package model

import (
	"context"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"communicator/internal/testenv"
	"communicator/simulations/real"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// TestTiersAgree plays the same script with whole nodes and clients, and as a model, and
// demands that messages arrive alike: as many of them, and as soon. Nodes and clients of
// tier real use each of a user's agents for sending and receiving, so the script gives the
// same agents for both.
func TestTiersAgree(t *testing.T) {
	if testenv.Soak() {
		t.Run("200 nodes", func(t *testing.T) {
			agree(t, build(t, agreeing, "nodes={agents: 200, users: 200}", "duration=20m"))
		})
		t.Run("churn", func(t *testing.T) {
			agree(t, build(t, agreeing, "nodes.users=80", "churn={model: exponential, scale: 15m, down: 2m}", "duration=15m"))
		})
		t.Run("turns", func(t *testing.T) {
			agree(t, build(t, agreeing, "workload.contacts_per_user=4", "duration=30m", "privacy.connections=6"))
		})
		return
	}
	agree(t, build(t, agreeing))
}

const agreeing = "tier: real\nseed: 5\nduration: 8m\ndrain: 5m\nnodes: {agents: 16, users: 20}\n" +
	"workload: {messages_per_user_hour: 60, contacts_per_user: 1}\nprivacy: {sending_agents: 1, receiving_agents: 3}\n"

// bothRoles gives users each of their agents for both roles.
func bothRoles(s *script.Script) *script.Script {
	out := *s
	out.Users = slices.Clone(s.Users)
	for i := range out.Users {
		u := &out.Users[i]
		all := slices.Clone(u.Receiving[:3])
		if !slices.Contains(all, u.Sending[0]) {
			all = append(all, u.Sending[0])
		}
		all = append(all, -1)
		u.Sending = [script.MaxAgents]int32(all[:script.MaxAgents])
		u.Receiving = u.Sending
	}
	return &out
}

func agree(t *testing.T, s *script.Script) {
	whole := newTape()
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		if o, err := real.Run(t.Context(), s, whole, trace.Limits{}); err != nil || o.Stopped != "" || len(o.Broken) > 0 {
			t.Errorf("tier real: %+v, %v", o, err)
		}
	})
	t.Logf("tier real took %v", time.Since(began))
	if t.Failed() {
		return
	}
	rec := newTape()
	if o, err := Run(context.Background(), bothRoles(s), rec, trace.Limits{}); err != nil || len(o.Broken) > 0 {
		t.Fatalf("%+v, %v", o, err)
	}
	ratio := func(r *tape) float64 { return float64(len(r.got)) / float64(len(r.sent)) }
	if a, b := ratio(whole), ratio(rec); len(whole.sent) != len(rec.sent) || math.Abs(a-b) > 0.01 {
		t.Errorf("%v of %d messages arrived in tier real, %v of %d in the model", a, len(whole.sent), b, len(rec.sent))
	}
	loose := time.Duration(3) // a third of latencies, 3 % of shares
	if s.Scenario.Privacy.Connections > 0 {
		loose = 2 // whose turn it is decides: a few hundred messages show no more
	}
	quantiles := []float64{0.5, 0.75, 0.9}
	if s.Scenario.Privacy.Connections > 0 {
		quantiles = []float64{0.5, 0.9} // three in four do not wait for a turn, or nearly so
	}
	for _, q := range quantiles {
		a, b := whole.quantile(q), rec.quantile(q)
		t.Logf("latency at %v: %v in tier real, %v in the model", q, a, b)
		if diff := (a - b).Abs(); diff > 150*time.Millisecond && diff > max(a, b)/loose {
			t.Errorf("latency at %v: %v in tier real, %v in the model", q, a, b)
		}
	}
	for _, late := range []time.Duration{2 * time.Second, 30 * time.Second} {
		a, b := whole.over(late), rec.over(late)
		t.Logf("over %v: %.3f in tier real, %.3f in the model", late, a, b)
		if math.Abs(a-b) > 0.1/float64(loose) {
			t.Errorf("over %v: %.3f in tier real, %.3f in the model", late, a, b)
		}
	}
	for _, p := range []string{"/communicator/submit/1", "/communicator/deliver/1", "/communicator/mailbox/1"} {
		a, b := float64(whole.bytes[p]), float64(rec.bytes[p])
		t.Logf("%s: %.0f bytes in tier real, %.0f in the model", p, a, b)
		if alike := s.Scenario.Privacy.Connections == 0; alike && (a < 0.7*b || b < 0.6*a) {
			t.Errorf("%s: %.0f bytes in tier real, %.0f in the model", p, a, b)
		}
	}
}
