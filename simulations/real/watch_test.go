package real

import (
	"context"
	"io"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"communicator/simulations/scenario"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// hearer calls fn with each event.
type hearer struct{ fn func(trace.Event) }

func (h hearer) Event(e trace.Event) { h.fn(e) }
func (hearer) Lookup(trace.Lookup)   {}
func (hearer) Load(trace.Load)       {}
func (hearer) Frame(trace.Frame)     {}
func (hearer) Frames() bool          { return true }
func (hearer) Bytes(string, int64)   {}

func small(t *testing.T) *script.Script {
	t.Helper()
	sc, err := scenario.Parse("test.yaml", []byte(`
duration: 30d
nodes: {agents: 4, users: 2}
workload: {messages_per_user_hour: 60, contacts_per_user: 1}
privacy: {sending_agents: 1, receiving_agents: 2}
`))
	if err != nil {
		t.Fatal(err)
	}
	s, err := script.Build(sc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A run is interrupted from outside of its bubble, says so, keeps what it had, and
// leaves nothing behind.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watched, stop := Watch(ctx, trace.Limits{}, func(trace.Outcome) { t.Error("abandoned") })
	defer stop()
	heard := 0
	var out trace.Outcome
	s := small(t)
	synctest.Test(t, func(t *testing.T) {
		var err error
		out, err = Run(watched, s, hearer{func(e trace.Event) {
			if e.Kind == trace.Received {
				if heard++; heard == 3 {
					cancel()
				}
			}
		}}, trace.Limits{})
		if err != nil {
			t.Error(err)
		}
	})
	if out.Stopped != interrupted || out.Virtual <= 0 || heard < 3 {
		t.Errorf("stopped %q after %v with %d messages", out.Stopped, out.Virtual, heard)
	}
	for _, b := range out.Broken {
		t.Error(b)
	}
}

func TestOutOfMemory(t *testing.T) {
	s := small(t)
	synctest.Test(t, func(t *testing.T) {
		began := false
		out, err := Run(t.Context(), s, hearer{func(trace.Event) { began = true }}, trace.Limits{Memory: 1 << 20})
		if err != nil || out.Stopped != outOfMemory {
			t.Errorf("stopped %q, began %v, %v", out.Stopped, began, err)
		}
	})
}

// What hangs in virtual time is seen from outside: here a recorder that waits for
// something which is not of its bubble.
func TestStuck(t *testing.T) {
	never := make(chan struct{})
	abandoned := make(chan trace.Outcome, 1)
	watched, stop := Watch(t.Context(), trace.Limits{Stuck: 5 * time.Second}, func(o trace.Outcome) {
		abandoned <- o
		close(never)
	})
	defer stop()
	watchOf(watched).stacks = io.Discard
	ctx, cancel := context.WithCancel(watched)
	defer cancel()
	var once sync.Once
	s := small(t)
	synctest.Test(t, func(t *testing.T) {
		_, err := Run(ctx, s, hearer{func(e trace.Event) {
			if e.Kind == trace.Received {
				once.Do(func() {
					<-never
					cancel()
				})
			}
		}}, trace.Limits{})
		if err != nil {
			t.Error(err)
		}
	})
	if out := <-abandoned; out.Stopped != stuck || out.Virtual <= 0 {
		t.Errorf("%+v", out)
	}
	runtime.KeepAlive(never)
}
