package model

import (
	"context"
	"testing"
	"time"

	"communicator/internal/testenv"
	"communicator/simulations/trace"
	"communicator/simulations/wall"
)

// tally counts events and keeps nothing.
type tally struct{ kinds [16]int }

func (c *tally) Event(e trace.Event) { c.kinds[e.Kind]++ }
func (c *tally) Lookup(trace.Lookup) {}
func (c *tally) Load(trace.Load)     {}
func (c *tally) Frame(trace.Frame)   {}
func (c *tally) Frames() bool        { return false }
func (c *tally) Bytes(string, int64) {}

const (
	manyAgents = "tier: model\nduration: 1h\nnodes: {agents: 100000, users: 100000}\nchurn: {model: weibull}\n"
	manyUsers  = "tier: model\nduration: 1h\nnodes: {agents: 20000, users: 1000000}\n"
)

// TestLarge: a hundred thousand agents for an hour take a GiB and two minutes of processor
// time, a million users 8 GiB.
func TestLarge(t *testing.T) {
	if !testenv.Soak() {
		manyFewer(t)
		return
	}
	for _, c := range []struct {
		name, yaml string
		memory     int64
		time       time.Duration
	}{{"agents", manyAgents, 1 << 30, 2 * time.Minute}, {"users", manyUsers, 8 << 30, 10 * time.Minute}} {
		began, memory := wall.CPU(), wall.Resident()
		rec := &tally{}
		o, err := Run(context.Background(), build(t, c.yaml), rec, trace.Limits{})
		took, grown := wall.CPU()-began, wall.Resident()-memory
		if err != nil || len(o.Broken) > 0 || took > c.time || grown > c.memory {
			t.Errorf("%s: %v of processor time, %d MiB, %+v, %v", c.name, took, grown>>20, o, err)
		}
		t.Logf("%s: %v of processor time, %d MiB, %v", c.name, took, grown>>20, rec.kinds)
	}
}

// manyFewer is a hundredth of it, so that growth with what is idle would show.
func manyFewer(t *testing.T) {
	memory := wall.Resident()
	rec := &tally{}
	o, err := Run(context.Background(), build(t, manyAgents, "nodes={agents: 20000, users: 2000}"), rec, trace.Limits{})
	if grown := wall.Resident() - memory; err != nil || len(o.Broken) > 0 || grown > 100<<20 {
		t.Errorf("%d MiB, %+v, %v", grown>>20, o, err)
	}
}

// BenchmarkHour is an hour of 2,000 agents and 10,000 users at 6 messages an hour.
func BenchmarkHour(b *testing.B) {
	s := build(b, "tier: model\nduration: 1h\nnodes: {agents: 2000, users: 10000}\n")
	events := 0.0
	for b.Loop() {
		o, err := Run(context.Background(), s, &tally{}, trace.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		events += o.Extra["model_events"]
	}
	b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
}
