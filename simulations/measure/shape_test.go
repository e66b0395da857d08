package measure

import (
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"communicator/simulations/trace"
)

// TestFiguresAreWhole checks what every figure must be for a report to draw it.
func TestFiguresAreWhole(t *testing.T) {
	c := New(build(t, "duration: 10m\nworkload: {messages_per_user_hour: 60}\nevents: [{at: 2m, for: 3m, partition: [eu]}, {at: 4m, kill: 0.2}]"))
	for i := range uint32(500) {
		at := time.Duration(i) * time.Second
		path(c, i, at, trace.Sent, trace.Accepted, trace.Put, trace.Stored, trace.Received)
		c.Lookup(trace.Lookup{At: at, Took: time.Second, Hops: 1 + int(i%4), Found: true})
		c.Load(trace.Load{At: at, Agent: int32(i % 100), Bytes: int64(i)})
	}
	c.Bytes("dial", 7)
	r := c.Finish(trace.Outcome{Virtual: 20 * time.Minute})
	var ids []string
	for _, f := range r.Figures {
		ids = append(ids, f.ID)
		if f.Title == "" || len(f.Caption) < 40 || f.X == "" || f.Y == "" || len(f.Lines) == 0 || !slices.Contains([]string{Lines, Steps, Bars}, f.Kind) {
			t.Errorf("%s: %+v", f.ID, f)
		}
		for _, l := range f.Lines {
			if l.Name == "" || len(l.X) != len(l.Y) || len(l.X) == 0 || f.Kind == Bars && len(l.Labels) != len(l.Y) || !slices.IsSorted(l.X) {
				t.Errorf("%s: line %q has %d and %d values", f.ID, l.Name, len(l.X), len(l.Y))
			}
			for i := range l.Y {
				if math.IsNaN(l.Y[i]) || math.IsInf(l.Y[i], 0) || f.LogX && l.X[i] <= 0 || f.LogY && l.Y[i] <= 0 {
					t.Errorf("%s: (%v, %v) cannot be drawn", f.ID, l.X[i], l.Y[i])
				}
			}
		}
	}
	want := []string{"messages", "arrived", "queue", "latency", "latency-distribution", "attempts", "lookup-time", "lookup-hops",
		"bytes", "storage", "storage-agents", "load", "agents-up"}
	if !slices.Equal(ids, want) {
		t.Errorf("figures %v, not %v", ids, want)
	}
	marks := r.Figures[0].Marks
	if len(marks) != 4 || marks[0].Text != "partition of eu begins" || marks[0].X != 2 || marks[1].X != 5 {
		t.Errorf("marks %+v", marks)
	}
}

func TestEveryScalarIsNamed(t *testing.T) {
	named := map[string]bool{}
	for _, n := range Names {
		if named[n.Name] || n.Unit == "" || n.Doc == "" {
			t.Errorf("%+v", n)
		}
		named[n.Name] = true
	}
	c := New(build(t, "duration: 10m\nevents: [{at: 2m, for: 3m, cut_off: 0.2}]"))
	path(c, 0, time.Second, trace.Sent, trace.Accepted, trace.Put, trace.Stored, trace.Received)
	c.Lookup(trace.Lookup{Took: time.Second, Hops: 2, Found: true, True: true})
	c.Load(trace.Load{})
	c.Event(trace.Event{Kind: trace.Joined, Took: time.Second})
	c.Event(trace.Event{Kind: trace.Down})
	c.Event(trace.Event{Kind: trace.Up, Took: time.Second})
	r := c.Finish(trace.Outcome{Virtual: 10 * time.Minute})
	for name := range r.Scalars {
		if !named[name] {
			t.Errorf("%s is not in Names", name)
		}
	}
	if len(r.Scalars) != len(Names) {
		t.Errorf("%d of %d measures where there was something for each", len(r.Scalars), len(Names))
	}
}

func TestARunOfNothing(t *testing.T) {
	r := New(build(t, "duration: 1s\ndrain: 0s")).Finish(trace.Outcome{})
	for _, name := range []string{"delivery_ratio", "agents_up_mean", "load_gini", "latency_p50_ms"} {
		if v, ok := r.Scalars[name]; ok {
			t.Errorf("%s of nothing is %v", name, v)
		}
	}
}

func TestHash(t *testing.T) {
	s := build(t, "duration: 10m")
	run := func(change func(*trace.Event)) [32]byte {
		c := New(s)
		for i := range uint32(3000) { // more than one buffer
			e := trace.Event{At: time.Duration(i), Kind: trace.Sent, Message: i, User: trace.None, Mailbox: math.MaxUint64}
			if i == 1500 {
				change(&e)
			}
			c.Event(e)
		}
		c.Load(trace.Load{})
		c.Lookup(trace.Lookup{})
		return c.Hash()
	}
	first := run(func(*trace.Event) {})
	if first != run(func(*trace.Event) {}) {
		t.Error("one trace, two hashes")
	}
	for i, change := range []func(*trace.Event){
		func(e *trace.Event) { e.At++ }, func(e *trace.Event) { e.Kind++ }, func(e *trace.Event) { e.Message++ },
		func(e *trace.Event) { e.User++ }, func(e *trace.Event) { e.Peer++ }, func(e *trace.Event) { e.Agent++ },
		func(e *trace.Event) { e.Other++ }, func(e *trace.Event) { e.Mailbox++ }, func(e *trace.Event) { e.Size++ }, func(e *trace.Event) { e.Took++ },
	} {
		if run(change) == first {
			t.Errorf("change %d does not change the hash", i)
		}
	}
	c := New(s)
	c.Event(trace.Event{})
	early := c.Hash()
	if c.Hash() != early {
		t.Error("asking for the hash changes it")
	}
	c.Event(trace.Event{})
	if c.Hash() == early {
		t.Error("the hash does not grow with the trace")
	}
}

func TestMemoryOfMillionsOfMessages(t *testing.T) {
	c := New(build(t, "duration: 1h"))
	const n = 1_000_000
	before := heap()
	for i := range uint32(n) {
		c.messages.send(i, time.Duration(i)*time.Microsecond)
	}
	if each := float64(heap()-before) / n; each > 10 {
		t.Errorf("%.1f bytes a message", each)
	}
	if m := c.messages.at(n - 1); m == nil || m.sent() != (n-1)*time.Microsecond || c.messages.at(n) != nil || c.messages.at(math.MaxUint32) != nil {
		t.Error("messages are not where they were put")
	}
	for range 300 {
		path(c, 5, 0, trace.Put)
	}
	if m := c.messages.at(5); m.attempts() != maxAttempts || m.sent() != 5*time.Microsecond {
		t.Errorf("%d attempts of a message sent at %v", m.attempts(), m.sent())
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkEvent(b *testing.B) {
	c := New(build(b, "duration: 1h"))
	for i := range b.N {
		path(c, uint32(i), time.Duration(i)*time.Microsecond, trace.Sent, trace.Accepted, trace.Put, trace.Stored, trace.Received)
	}
}
