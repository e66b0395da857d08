// Package agentproc runs agents as processes of their own, from a binary of this
// program, for the demonstration and the benchmarks: on loopback, each in a directory
// of its own, so that one can be killed and started again.
package agentproc

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"communicator/node"
	"communicator/node/config"
)

const (
	// readyWithin is how long an agent may take to serve.
	readyWithin = 30 * time.Second
	// stopWithin is how long an agent may take to stop when asked.
	stopWithin = 15 * time.Second
)

// Agent is one node in a process of its own.
type Agent struct {
	Name string // for people
	Dir  string
	URI  string // with a token

	run     []string // the program and what it is given
	process *exec.Cmd
	logs    *tail
	exited  chan error // one value, when the process has ended
}

// Options of an agent.
type Options struct {
	Binary string // runs it as `BINARY node --data DIR`; empty: this program
	// InMemory runs it as `BINARY bench agent` instead, which stores nothing: its URI is
	// known once it has started.
	InMemory bool
	Root     string // the folder that gets the agent's directory
	Name     string
	Uses     int                  // how many profiles its token admits
	Change   func(*config.Config) // what differs from a public node on loopback; may be nil
}

// New makes the agent's directory; Start runs it.
func New(ctx context.Context, o Options) (*Agent, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	if o.Binary == "" {
		if o.Binary, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	c := config.Default()
	c.Listen = []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port)}
	c.AllowPrivate = true // loopback is private
	c.Admin.Listen = ""
	if o.Change != nil {
		o.Change(&c)
	}
	a := &Agent{Name: o.Name, Dir: filepath.Join(o.Root, strings.ReplaceAll(o.Name, " ", "-")), logs: &tail{}}
	if o.InMemory {
		file := filepath.Join(a.Dir, config.FileName)
		a.run = []string{o.Binary, "bench", "agent", "--config", file, "--uses", strconv.Itoa(o.Uses)}
		return a, errors.Join(os.Mkdir(a.Dir, 0o700), config.WriteFile(file, c))
	}
	a.run = []string{o.Binary, "node", "--data", a.Dir}
	a.URI, err = node.Init(ctx, a.Dir, c, o.Uses)
	return a, err
}

// PID is the process's id while it runs.
func (a *Agent) PID() int { return a.process.Process.Pid }

// Start runs the agent and returns once it serves.
func (a *Agent) Start(ctx context.Context) error {
	a.process = exec.Command(a.run[0], a.run[1:]...)
	a.process.Stderr = a.logs
	// A demonstration that is killed takes its agents with it.
	a.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := a.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := a.process.Start(); err != nil {
		return err
	}
	type answer struct {
		uri string
		err error
	}
	ready := make(chan answer, 1)
	a.exited = make(chan error, 1)
	go func() {
		line, err := bufio.NewReader(out).ReadString('\n')
		uri, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
		if err == nil && !ok {
			err = fmt.Errorf("it printed %q", strings.TrimSpace(line))
		}
		ready <- answer{uri, err}
		_, copied := io.Copy(io.Discard, out)
		a.exited <- errors.Join(a.process.Wait(), copied)
	}()
	select {
	case got := <-ready:
		err = got.err
		a.URI = cmp.Or(a.URI, got.uri)
	case <-ctx.Done():
		err = ctx.Err()
	case <-time.After(readyWithin):
		err = fmt.Errorf("it was not ready after %v", readyWithin)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s did not start: %w\n%s", a.Name, err, a.logs), a.Kill())
	}
	return nil
}

// Kill ends the process without a chance to do anything.
func (a *Agent) Kill() error {
	if a.exited == nil {
		return nil
	}
	err := a.process.Process.Kill()
	<-a.exited
	a.exited = nil
	return err
}

// Stop asks the process to end and waits for it.
func (a *Agent) Stop() error {
	if a.exited == nil {
		return nil
	}
	if err := a.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-a.exited:
		a.exited = nil
		if err != nil {
			return fmt.Errorf("%s did not stop cleanly: %w\n%s", a.Name, err, a.logs)
		}
		return nil
	case <-time.After(stopWithin):
		return errors.Join(fmt.Errorf("%s did not stop within %v\n%s", a.Name, stopWithin, a.logs), a.Kill())
	}
}

// tail keeps the last lines that an agent logged, to show them if it fails.
type tail struct {
	mu   sync.Mutex // guards kept
	kept []byte
}

// maxTail is how much of a log is kept, in bytes.
const maxTail = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if len(t.kept) > maxTail {
		t.kept = append([]byte(nil), t.kept[len(t.kept)-maxTail:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
