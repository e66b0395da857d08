package drill

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"communicator/internal/agentproc"
	"communicator/node/config"

	"golang.org/x/sys/unix"
)

// readyWithin is how soon an agent serves again after it was killed.
const readyWithin = 5 * time.Second

// room replaces the quotas that a load would reach without a fault.
const room = 1 << 20

// setup says how an agent's process is made.
type setup struct {
	role     string
	uses     int                  // how many accounts its token admits
	dir      string               // that gets its directory; empty: a temporary one
	netns    string               // the network namespace that it runs in; empty: this one
	listen   string               // multiaddr; empty: loopback, a free port
	cgroup   string               // a file that takes the process into a control group
	env      string               // NAME=VALUE for the process, or empty
	settings func(*config.Config) // what else differs
}

// agent is a node of the binary under test.
type agent struct {
	*agentproc.Agent
	t   testing.TB
	log string // file that gets what it says on standard error
	// pid is the process's id, for who looks at it from beside the test.
	pid atomic.Int64
}

// newAgent makes an agent and starts it; it ends with the test.
func newAgent(t testing.TB, s setup) *agent {
	t.Helper()
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	a := &agent{t: t, log: filepath.Join(t.TempDir(), "log")}
	var err error
	a.Agent, err = agentproc.New(t.Context(), agentproc.Options{
		Binary: a.script(s), Root: s.dir, Name: s.role, Uses: s.uses,
		Change: func(c *config.Config) {
			c.Roles = []string{s.role}
			c.Log.Level = "warn"
			c.Limits.MailboxesPerAccount, c.Limits.DeliveriesPerMailbox, c.Limits.BytesPerMailbox = room, room, 1<<40
			c.Limits.ConnectionsIn, c.Limits.ConnectionsPerAddress = 4096, 4096
			if s.listen != "" {
				c.Listen = []string{s.listen}
			}
			if s.settings != nil {
				s.settings(c)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", a.Name, a.said())
		}
	})
	a.start()
	return a
}

// script is what runs in the binary's place and becomes it: the process keeps its id.
func (a *agent) script(s setup) string {
	a.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "#!/bin/sh\nexec 2>>%q\n", a.log)
	if s.cgroup != "" {
		fmt.Fprintf(&b, "echo $$ >%q || exit 1\n", s.cgroup)
	}
	b.WriteString("exec ")
	if s.env != "" {
		fmt.Fprintf(&b, "env %s ", s.env)
	}
	if s.netns != "" {
		fmt.Fprintf(&b, "ip netns exec %s ", s.netns)
	}
	fmt.Fprintf(&b, "%q \"$@\"\n", program(a.t))
	path := filepath.Join(a.t.TempDir(), "run")
	if err := os.WriteFile(path, []byte(b.String()), 0o700); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// start runs the agent and returns how long it took to serve.
func (a *agent) start() time.Duration {
	a.t.Helper()
	began := time.Now()
	if err := a.Start(a.t.Context()); err != nil {
		a.t.Fatalf("%v\n%s", err, a.said())
	}
	a.pid.Store(int64(a.PID()))
	return time.Since(began)
}

// signal sends the process a signal.
func (a *agent) signal(s syscall.Signal) {
	a.t.Helper()
	if err := syscall.Kill(a.PID(), s); err != nil {
		a.t.Fatal(err)
	}
}

// said is what the agent has logged.
func (a *agent) said() string {
	b, err := os.ReadFile(a.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// watchExit returns a channel that is closed once the process has ended.
func (a *agent) watchExit() <-chan struct{} {
	a.t.Helper()
	fd, err := unix.PidfdOpen(a.PID(), 0)
	if err != nil {
		a.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer unix.Close(fd)
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(poll, -1); err != unix.EINTR {
				close(ended)
				return
			}
		}
	}()
	return ended
}

// alive fails the test if the process has ended.
func (a *agent) alive() {
	a.t.Helper()
	if err := syscall.Kill(a.PID(), 0); err != nil {
		a.t.Fatalf("%s has ended: %v\n%s", a.Name, err, a.said())
	}
}

// verify has the program itself check the log of an agent that was stopped.
func (a *agent) verify() {
	a.t.Helper()
	if err := a.Stop(); err != nil {
		a.t.Errorf("%s does not stop: %v", a.Name, err)
		return
	}
	out, err := command(a.t, program(a.t), "log", "verify", "--data", a.Dir)
	if err != nil {
		a.t.Errorf("the log of %s: %v\n%s", a.Name, err, out)
	}
}
