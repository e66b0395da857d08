package measure

import (
	"math"
	"testing"
	"time"

	"communicator/simulations/scenario"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

func build(t testing.TB, yaml string) *script.Script {
	t.Helper()
	sc, err := scenario.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	s, err := script.Build(sc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// path tells a message's whole way: each stage a tenth of a second after the one before.
func path(c *Collector, number uint32, at time.Duration, kinds ...trace.Kind) {
	for i, k := range kinds {
		c.Event(trace.Event{At: at + time.Duration(i)*100*time.Millisecond, Kind: k, Message: number,
			User: 0, Peer: 1, Agent: 2, Other: 3, Mailbox: 7, Size: 500})
	}
}

func want(t *testing.T, r *Results, name string, v float64) {
	t.Helper()
	got, ok := r.Scalars[name]
	if !ok || math.Abs(got-v) > 0.01*math.Abs(v) {
		t.Errorf("%s is %v (%v), not %v", name, got, ok, v)
	}
}

func TestEndsOfMessages(t *testing.T) {
	c := New(build(t, "duration: 10m"))
	path(c, 0, 1*time.Second, trace.Sent, trace.Accepted, trace.Put, trace.Stored, trace.Received)
	path(c, 1, 2*time.Second, trace.Sent, trace.Accepted, trace.Put, trace.Refused, trace.Put, trace.Stored, trace.Received, trace.Repeated)
	path(c, 2, 3*time.Second, trace.Sent, trace.Accepted, trace.Put)    // lost
	path(c, 3, 4*time.Second, trace.Sent, trace.Accepted, trace.Failed) // told
	path(c, 4, 5*time.Second, trace.Sent, trace.Expired)                // told
	path(c, 5, 6*time.Second, trace.Sent)                               // pending
	path(c, 6, 7*time.Second, trace.Sent, trace.Accepted, trace.Put, trace.Stored, trace.Received, trace.Received)
	path(c, 99, 8*time.Second, trace.Received) // nobody sent it
	r := c.Finish(trace.Outcome{Virtual: 20 * time.Minute, Extra: map[string]float64{"own": 3, "not": math.NaN()}})
	for name, v := range map[string]float64{"sent": 7, "delivered": 3, "delivery_ratio": 3. / 7, "lost": 1, "duplicated": 2,
		"expired": 1, "failed": 1, "pending": 1, "attempts_per_message": 1, "refused_share": 0.2, "stray_events": 1,
		"latency_p50_ms": 400, "latency_max_ms": 600, "accept_p50_ms": 100, "stored_p50_ms": 300, "own": 3,
		"load_share_max": 0.5, "load_gini": 0.98} {
		want(t, r, name, v)
	}
	for _, name := range []string{"not", "lookup_success", "drained_s", "queued_max", "joined"} {
		if v, ok := r.Scalars[name]; ok {
			t.Errorf("%s is %v, and there was nothing to measure it on", name, v)
		}
	}
}
