package node

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"communicator/client/transport"
	"communicator/eventlog"
	"communicator/internal/testenv"
	"communicator/node/config"
)

// Variables that make the test binary a node that kills itself, once, at the
// named point of the log's commit path.
const (
	childDir    = "COMMUNICATOR_TEST_NODE"
	childListen = "COMMUNICATOR_TEST_LISTEN"
	childKill   = "COMMUNICATOR_TEST_KILL" // POINT:N, the N-th time that it is reached
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := runChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runChild(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { // the parent's end, whatever it is, is ours
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	point, count, _ := strings.Cut(os.Getenv(childKill), ":")
	at, _ := strconv.ParseInt(count, 10, 64)
	var reached atomic.Int64
	n, err := Open(ctx, Config{
		Dir: dir,
		Overrides: func(c *config.Config) {
			c.Admin.Listen = ""
			c.Listen = []string{os.Getenv(childListen)}
		},
		LogOptions: func(o *eventlog.Options) {
			roomy(o)
			o.Hook = func(p string) {
				if p == point && reached.Add(1) == at {
					_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
					select {} // nothing after the point happens
				}
			}
		},
	})
	if err != nil {
		return err
	}
	fmt.Println("ready", n.URI())
	if err := n.Run(ctx); err != nil {
		return err
	}
	return n.Close()
}

// child is a node in a process of its own.
type child struct {
	t    testing.TB
	dir  string
	cmd  *exec.Cmd
	uri  string
	took time.Duration // from its start to ready
	dead chan struct{} // closed when the process has ended
}

// startChild runs the node; kill is empty, or as in childKill.
func startChild(t testing.TB, dir, listen, kill string) *child {
	t.Helper()
	c := &child{t: t, dir: dir, dead: make(chan struct{})}
	c.cmd = exec.Command(os.Args[0], "-test.run=^$")
	c.cmd.Env = append(os.Environ(), childDir+"="+dir, childListen+"="+listen, childKill+"="+kill)
	c.cmd.Stderr = os.Stderr
	if _, err := c.cmd.StdinPipe(); err != nil { // open for as long as this process lives
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	c.took = time.Since(began)
	uri, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if !ok && kill == "" {
		t.Fatalf("the node did not start: %q, %v", line, err)
	}
	c.uri = uri // empty if it was killed on the way
	go func() {
		defer close(c.dead)
		_ = c.cmd.Wait()
	}()
	return c
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.dead
}

// points of the commit path, as eventlog names them.
var points = []string{"queued", "before-commit", "after-commit", "after-head", "before-ack"}

// TestKillAtNamedPoints kills a sending and a receiving agent at each point, in
// turn, while messages flow, and demands that what was accepted arrives once.
func TestKillAtNamedPoints(t *testing.T) {
	rounds := testenv.Times(1, 25)
	for _, victim := range []string{"sender", "receiver"} {
		t.Run(victim, func(t *testing.T) {
			w := newKillWorld(t)
			for round := range rounds {
				for i, point := range points {
					w.round(victim, fmt.Sprintf("%s:%d", point, 1+(i+round)%3))
				}
			}
			w.check()
		})
	}
}

// messages is how many flow in a round.
const messages = 8

// killWorld is two nodes in processes of their own, and a person.
type killWorld struct {
	t                *testing.T
	ctx              context.Context
	sender, receiver *child
	p                *person
	box              box
	offered          int
	accepted         map[int]bool
	kills            int // that took place
}

func newKillWorld(t *testing.T) *killWorld {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	w := &killWorld{t: t, ctx: ctx, accepted: map[int]bool{}}
	sendDir, receiveDir := initDir(t), initDir(t)
	tokens := map[string]string{}
	for _, dir := range []string{sendDir, receiveDir} {
		n := run(t, onDisk(dir))
		tokens[dir] = n.token(1)
		n.end()
	}
	w.sender = startChild(t, sendDir, "/ip4/127.0.0.1/tcp/0", "")
	w.receiver = startChild(t, receiveDir, "/ip4/127.0.0.1/tcp/0", "")
	w.p = newPerson(t, nil, time.Now)
	_, token, _ := strings.Cut(tokens[receiveDir], "?")
	w.box = w.p.makeBox(ctx, w.receiver.uri+"?"+token)
	_, token, _ = strings.Cut(tokens[sendDir], "?")
	if _, err := w.p.at(ctx, w.sender.uri+"?"+token).Hello(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.sender.kill()
		w.receiver.kill()
		w.p.close()
		cancel()
	})
	return w
}

// restart brings a node up again where it was.
func (w *killWorld) restart(c *child, kill string) *child {
	w.t.Helper()
	c.kill()
	listen, _, _ := strings.Cut(c.uri, "/p2p/")
	next := startChild(w.t, c.dir, listen, kill)
	if next.uri == "" {
		next.uri = c.uri
	}
	if next.took > 5*time.Second {
		w.t.Errorf("ready %v after a kill", next.took)
	}
	return next
}

// round sends a few messages through nodes of which one kills itself on the way.
func (w *killWorld) round(victim, kill string) {
	w.t.Helper()
	if victim == "sender" {
		w.sender = w.restart(w.sender, kill)
	} else {
		w.receiver = w.restart(w.receiver, kill)
	}
	w.p.reconnect()
	var mu sync.Mutex
	var wg sync.WaitGroup
	out := w.p.at(w.ctx, w.sender.uri)
	attempts := make([]attempt, messages)
	for i := range attempts {
		attempts[i] = w.p.prepare(w.box, numbered(w.offered+i))
	}
	for i, a := range attempts {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(w.ctx, 2*time.Second)
			defer cancel()
			if _, err := out.Submit(ctx, a.Submission); err == nil {
				mu.Lock()
				defer mu.Unlock()
				w.accepted[w.offered+i] = true
			}
		})
	}
	wg.Wait()
	dying := w.sender
	if victim == "receiver" {
		dying = w.receiver
	}
	select {
	case <-dying.dead:
		w.kills++
	case <-time.After(3 * time.Second): // it did not get as far as its point
	}
	if victim == "sender" {
		w.sender = w.restart(w.sender, "")
	} else {
		w.receiver = w.restart(w.receiver, "")
	}
	w.p.reconnect()
	out = w.p.at(w.ctx, w.sender.uri)
	// What was not accepted is offered again, with the same bytes, until it is.
	for i, a := range attempts {
		if !w.accepted[w.offered+i] {
			w.offer(out, a)
			w.accepted[w.offered+i] = true
		}
	}
	w.offered += messages
}

// offer submits until it is accepted, and fails if it is refused for long.
func (w *killWorld) offer(out *transport.Lease, a attempt) {
	w.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		ctx, cancel := context.WithTimeout(w.ctx, 2*time.Second)
		_, err := out.Submit(ctx, a.Submission)
		cancel()
		if err == nil {
			return
		}
		select {
		case <-limit:
			w.t.Fatalf("after %d kills a submission is still refused: %v", w.kills, err)
		case <-time.After(50 * time.Millisecond): // another process's progress
		}
	}
}

// check waits for everything to arrive, and for nothing more to.
func (w *killWorld) check() {
	w.t.Helper()
	w.t.Logf("%d kills in %d rounds", w.kills, w.offered/messages)
	if rounds := w.offered / messages; w.kills < rounds/2 {
		w.t.Errorf("only %d of %d kills took place", w.kills, rounds)
	}
	in := w.p.at(w.ctx, w.receiver.uri)
	for w.ctx.Err() == nil {
		payloads, _, _ := w.p.tryCollect(w.ctx, in, w.box)
		if len(payloads) >= len(w.accepted) {
			break
		}
		time.Sleep(100 * time.Millisecond) // another process's progress
	}
	payloads, _ := w.p.collect(w.ctx, in, w.box)
	checkDelivery(w.t, payloads, w.accepted, w.offered)
	if len(w.accepted) != w.offered {
		w.t.Errorf("%d of %d were ever accepted", len(w.accepted), w.offered)
	}
	for _, c := range []*child{w.sender, w.receiver} {
		c.kill()
		s, err := Administer(w.ctx, c.dir)
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := s.LogVerify(w.ctx); err != nil {
			w.t.Errorf("the log after %d kills: %v", w.kills, err)
		}
		status, err := s.Status(w.ctx)
		if err != nil || status.Log.Health == "read-only" {
			w.t.Errorf("log is %+v, %v", status.Log, err)
		}
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	}
}
