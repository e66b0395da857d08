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

func TestLatencyLeavesOutDevicesThatWereOff(t *testing.T) {
	s := build(t, "duration: 10m")
	s.Changes = []script.Change{
		{At: 10 * time.Second, Act: script.Off, Users: []int32{1}},
		{At: 70 * time.Second, Act: script.On, Users: []int32{1}},
		{At: 80 * time.Second, Act: script.On, Users: []int32{1}}, // it was on already
	}
	c := New(s)
	tell := func(n uint32, sent, received time.Duration) {
		c.Event(trace.Event{At: sent, Kind: trace.Sent, Message: n, User: 0, Peer: 1})
		c.Event(trace.Event{At: received, Kind: trace.Received, Message: n, User: 0, Peer: 1})
	}
	tell(0, 5*time.Second, 6*time.Second)
	tell(1, 9*time.Second, 71*time.Second)
	tell(2, 20*time.Second, 72*time.Second)
	tell(3, 75*time.Second, 85*time.Second)
	r := c.Finish(trace.Outcome{Virtual: 10 * time.Minute})
	want(t, r, "latency_p50_ms", 1000)
	want(t, r, "latency_max_ms", 10_000)
	want(t, r, "latency_any_p99_ms", 62_000)
}

func TestDrained(t *testing.T) {
	s := build(t, "duration: 10m\nevents: [{at: 1m, for: 1m, cut_off: 0.5}]")
	run := func(received time.Duration) *Results {
		c := New(s)
		c.Event(trace.Event{At: time.Minute, Kind: trace.Sent, Message: 0})
		c.Event(trace.Event{At: 3 * time.Minute, Kind: trace.Sent, Message: 1}) // after: does not count
		if received > 0 {
			c.Event(trace.Event{At: received, Kind: trace.Received, Message: 0})
		}
		return c.Finish(trace.Outcome{Virtual: 20 * time.Minute})
	}
	want(t, run(150*time.Second), "drained_s", 30)
	want(t, run(150*time.Second), "undrained", 0)
	want(t, run(90*time.Second), "drained_s", 0)
	want(t, run(0), "drained_s", 18*60)
	want(t, run(0), "undrained", 1)
	c := New(s)
	if _, ok := c.Finish(trace.Outcome{Virtual: 90 * time.Second}).Scalars["drained_s"]; ok {
		t.Error("drained before the fault had ended")
	}
}

func TestAgentsAndTheirLoads(t *testing.T) {
	s := build(t, "duration: 10m\nnodes: {agents: 4}\ndrain: 10m")
	c := New(s)
	c.Event(trace.Event{At: 5 * time.Minute, Kind: trace.Down, Agent: 1})
	c.Event(trace.Event{At: 6 * time.Minute, Kind: trace.Down, Agent: 1}) // it is down already
	for at := range 20 {
		for a := range int32(4) {
			c.Load(trace.Load{At: time.Duration(at) * time.Minute, Agent: a, Queued: at, Held: 1, Bytes: int64(1000 * (a + 1)), Events: 9, Conns: int(a)})
		}
	}
	c.Event(trace.Event{At: 15 * time.Minute, Kind: trace.Up, Agent: 1, Took: time.Second})
	r := c.Finish(trace.Outcome{Virtual: 20 * time.Minute})
	for name, v := range map[string]float64{"agents_up_mean": 3.5, "queued_max": 4 * 19, "queued_agent_max": 19, "start_p99_ms": 1000,
		"storage_bytes_agent_p50": 2000, "storage_bytes_agent_max": 4000} {
		want(t, r, name, v)
	}
	if a := r.Agents[1]; a.UpS != 600 || a.Downs != 1 || a.BytesMax != 2000 || a.HeldMax != 1 || a.ConnsMax != 1 || a.Events != 9 {
		t.Errorf("%+v", a)
	}
	if m := r.Minutes; m[len(m)-1].ToS != 1200 || m[0].AgentsUp != 4 || m[len(m)/2].AgentsUp != 3 {
		t.Errorf("%d slices: %+v", len(m), m[len(m)/2])
	}
}

func TestLookupsAndBytes(t *testing.T) {
	c := New(build(t, "duration: 10m"))
	c.Lookup(trace.Lookup{At: time.Second, Took: 100 * time.Millisecond, Hops: 3, Found: true, True: true})
	c.Lookup(trace.Lookup{At: time.Second, Took: 100 * time.Millisecond, Hops: 3, Found: true})
	c.Lookup(trace.Lookup{At: time.Second, Took: 9 * time.Second})
	c.Bytes("/deliver", 1000)
	c.Bytes("/deliver", 1000)
	c.Bytes("dial", 500)
	path(c, 0, time.Second, trace.Sent, trace.Received)
	r := c.Finish(trace.Outcome{Virtual: 20 * time.Minute})
	for name, v := range map[string]float64{"lookup_success": 2. / 3, "lookup_true": 1. / 3, "lookup_p50_ms": 100, "lookup_p99_ms": 9000,
		"lookup_hops_p50": 3, "bytes_total": 2500, "bytes_per_message": 2500} {
		want(t, r, name, v)
	}
	for _, f := range r.Figures {
		if f.ID == "bytes" && (len(f.Lines[0].Y) != 2 || f.Lines[0].Labels[0] != "/deliver") {
			t.Errorf("%+v", f)
		}
	}
}

func TestGini(t *testing.T) {
	for _, c := range []struct {
		loads []float64
		want  float64
	}{{[]float64{3, 3, 3}, 0}, {[]float64{0, 0, 0, 8}, 0.75}, {[]float64{1, 3}, 0.25}} {
		if got := gini(c.loads); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v: %v, not %v", c.loads, got, c.want)
		}
	}
}
