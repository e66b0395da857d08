package drill

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"communicator/internal/testenv"
)

// memoryLimit is what each agent gets: a quarter of what the handbook asks for.
const memoryLimit = 128 << 20

// watchMemory returns the most anonymous memory that an agent is seen with until the
// test ends.
func (a *agent) watchMemory() (most func() int64) {
	a.t.Helper()
	var peak atomic.Int64
	look := func() {
		if n, err := anonymous(a.pid.Load()); err == nil && n > peak.Load() {
			peak.Store(n)
		}
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				look()
			case <-done:
				return
			}
		}
	}()
	a.t.Cleanup(func() { close(done); <-stopped })
	return peak.Load
}

// TestMemoryLimit gives both agents little memory and much to do, with a queue that
// builds up while the receiving agent is away.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	testenv.Root(t)
	clients := testenv.Times(24, 256)
	busy := time.Duration(testenv.Times(1, 120)) * time.Second
	var how string
	sending, receiving := pair(t, clients, func(s *setup) {
		g := memoryGroup(t, s.role, memoryLimit)
		s.cgroup, how = g.procs(), g.name
		if g.dir == "" {
			s.env = fmt.Sprintf("GOMEMLIMIT=%d", memoryLimit*8/10)
		}
	})
	agents := []*agent{sending, receiving}
	var most [2]func() int64
	for i, a := range agents {
		most[i] = a.watchMemory()
	}
	l := startLoad(t, loadOptions{sending: sending, receiving: receiving, clients: clients, size: 16 << 10})
	time.Sleep(busy) // the load lasts so long
	if err := receiving.Kill(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(busy) // and the queue grows so long
	receiving.start()
	l.check(3 * time.Minute)
	for i, a := range agents {
		a.alive()
		t.Logf("%s: at most %d MiB of anonymous memory of %d (%s)", a.Name, most[i]()>>20, memoryLimit>>20, how)
		if most[i]() > memoryLimit {
			t.Errorf("%s passed its limit", a.Name)
		}
		a.verify()
	}
}
