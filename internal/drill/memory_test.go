package drill

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"communicator/internal/testenv"

	"golang.org/x/sys/unix"
)

// memoryLimit is what each agent gets: a quarter of what the handbook asks for.
const memoryLimit = 128 << 20

// group is a control group with a memory limit, or a place-holder where none can be
// made.
type group struct {
	dir  string // empty: there is none
	name string // for people
}

// newGroup makes a group of either version of Linux's control groups.
func newGroup(t testing.TB, name string, limit int64) group {
	t.Helper()
	for _, kind := range []struct {
		root, file, name string
		magic            int64 // of the file system there, statfs(2)
	}{
		{"/sys/fs/cgroup", "memory.max", "control group, version 2", unix.CGROUP2_SUPER_MAGIC},
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "control group, version 1", unix.CGROUP_SUPER_MAGIC},
	} {
		var fs unix.Statfs_t
		if unix.Statfs(kind.root, &fs) != nil || fs.Type != kind.magic {
			continue
		}
		dir := filepath.Join(kind.root, fmt.Sprintf("communicator-drill-%d-%s", os.Getpid(), name))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { // the processes have ended, but the kernel takes a moment
			until(t, 5*time.Second, "the control group can be removed", func() bool { return os.Remove(dir) == nil })
		})
		if os.WriteFile(filepath.Join(dir, kind.file), strconv.AppendInt(nil, limit, 10), 0o644) == nil {
			return group{dir, kind.name}
		}
	}
	return group{name: "GOMEMLIMIT, for no control group can be made here"}
}

func (g group) procs() string {
	if g.dir == "" {
		return ""
	}
	return filepath.Join(g.dir, "cgroup.procs")
}

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
		g := newGroup(t, s.role, memoryLimit)
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
