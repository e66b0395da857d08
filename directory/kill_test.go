package directory

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	client "communicator/client/directory"
	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/internal/budget"
	"communicator/internal/testenv"
	"communicator/wire"
)

// The kill test runs this binary again as a child that serves the directory, and kills it
// in the middle of its work.
const (
	childDir   = "DIRECTORY_CHILD_DIR"
	childPoint = "DIRECTORY_CHILD_POINT" // where it kills itself, or empty
	childAfter = "DIRECTORY_CHILD_AFTER" // how many times it passes there before
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		serveForever(dir)
	}
	os.Exit(m.Run())
}

// wide are limits for a market of ten thousand.
func wide(c *Config) {
	c.Limits.Vend.PerHour = 1 << 20
	c.Limits.Contacts = budget.Rate{Burst: 1 << 20}
	c.Limits.Requests = budget.Rate{Burst: 1 << 20}
}

func serveForever(dir string) {
	die := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	}
	after, _ := strconv.ParseInt(os.Getenv(childAfter), 10, 64)
	point := os.Getenv(childPoint)
	var passed atomic.Int64
	now := func() time.Time { return begin }
	o := logOptions(now)
	o.OnFail = die
	o.Hook = func(at string) {
		if at == point && passed.Add(1) > after {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	log, err := eventlog.Open(dir, o)
	die(err)
	c := Config{
		Agent: wire.AgentIDOf(o.Signer.Public().(ed25519.PublicKey)), Log: log, Keys: keys{log: "log"}, Now: now,
		Limits: DefaultLimits(), Checkpoints: CheckpointFiles(dir),
	}
	wide(&c)
	d, err := New(c)
	die(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	die(err)
	fmt.Println(l.Addr())
	for {
		conn, err := l.Accept()
		die(err)
		go d.ServeDirectory(context.Background(), conn, peer.ID("asker"))
	}
}

// child is the serving process, replaced when it died.
type child struct {
	t     *testing.T
	dir   string
	mu    sync.Mutex // guards the rest
	cmd   *exec.Cmd
	addr  string
	up    chan struct{} // closed while a child listens
	kills int
	ended bool
}

func newChild(t *testing.T, dir string) *child {
	return &child{t: t, dir: dir, up: make(chan struct{})}
}

// start runs one and reads where it listens.
func (c *child) start(point string, after int) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+c.dir, childPoint+"="+point, childAfter+"="+strconv.Itoa(after))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.t.Error(err)
		return
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cmd, c.addr = cmd, strings.TrimSpace(lines.Text())
	if c.addr == "" {
		c.t.Error("the child did not say where it listens")
	}
	if c.ended {
		_ = cmd.Process.Kill()
	}
	close(c.up)
}

// run keeps a child alive: those that die, at a point of the commit path or from outside,
// are followed by another, the last of which lives.
func (c *child) run(points []string) {
	for i, point := range points {
		after := 5 + rand.IntN(10) // commits
		if point == "queued" {
			after = 200 + rand.IntN(400) // requests
		}
		c.start(point, after)
		if point == "" && i < len(points)-1 {
			timer := time.AfterFunc(time.Duration(50+rand.IntN(200))*time.Millisecond, func() { _ = c.cmd.Process.Kill() })
			defer timer.Stop()
		}
		_ = c.cmd.Wait()
		c.mu.Lock()
		c.up = make(chan struct{})
		c.kills++
		ended := c.ended
		c.mu.Unlock()
		if ended {
			return
		}
	}
}

func (c *child) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	_ = c.cmd.Process.Kill()
}

func (c *child) Open(ctx context.Context) (io.ReadWriteCloser, peer.ID, error) {
	c.mu.Lock()
	up := c.up
	c.mu.Unlock()
	select {
	case <-up:
	case <-ctx.Done():
		return nil, "", context.Cause(ctx)
	}
	c.mu.Lock()
	addr := c.addr
	c.mu.Unlock()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	return conn, "asker", err
}

// outcome is what all requests together got.
type outcome struct {
	mu      sync.Mutex // guards the rest
	oneTime map[string]vend.RequestID
	shared  int
	refused int
}

// TestVendsOnceThroughKills: ten thousand requests over 64 connections for a thousand
// one-time packages, while the directory is killed again and again. Each package goes to
// one request at most; the others get the last resort, or are refused.
func TestVendsOnceThroughKills(t *testing.T) {
	const oneTime, perHour, connections = 1000, 6000, 64
	requests := testenv.Times(10_000, 50_000)
	dir := filepath.Join(t.TempDir(), "log")
	w := newWorldOn(t, func(o eventlog.Options) (eventlog.Log, error) { return eventlog.Open(dir, o) }, wide)
	p := w.registered("alice")
	p.rule(vend.Open, perHour)
	var packages [][]byte
	for i := range oneTime {
		packages = append(packages, p.pack(fmt.Sprint("one-time ", i), true, 9*24*time.Hour))
	}
	p.upload(packages...)
	p.upload(p.pack("shared", false, 7*24*time.Hour))
	p.Client.Close()
	w.close()

	c := newChild(t, dir)
	// The first five need at most some 4,400 requests however fast they are answered; the
	// others come after a time, in which the rest may be over.
	points := []string{"after-commit", "before-commit", "before-ack", "queued", "after-head", "", "", ""}
	if testenv.Soak() {
		points = append(points, points...)
	}
	first := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { close(first); c.run(points) })
	<-first
	got := &outcome{oneTime: map[string]vend.RequestID{}}
	queue := make(chan client.ContactRequest, requests)
	for range requests {
		queue <- p.request()
	}
	close(queue)
	var asking sync.WaitGroup
	for range connections {
		asking.Go(func() {
			conn := client.New(w.cfg.Agent, c)
			defer conn.Close()
			for r := range queue {
				got.ask(t, conn, r)
			}
		})
	}
	asking.Wait()
	c.stop()
	running.Wait()

	if len(got.oneTime) != oneTime || got.shared != perHour-oneTime || got.refused != requests-perHour {
		t.Errorf("%d one-time packages, %d times the last resort, %d refusals", len(got.oneTime), got.shared, got.refused)
	}
	if c.kills < len(points)/2 {
		t.Errorf("the child died %d times only", c.kills)
	}
	log, err := eventlog.Open(dir, logOptions(func() time.Time { return begin }))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	checkWorld(t, log, w.root)
	checkVended(t, log, got)
}

// ask repeats a request until it gets an answer, and some of them once more.
func (o *outcome) ask(t *testing.T, conn *client.Client, r client.ContactRequest) {
	pkg, err := persist(conn, r)
	var refused *client.NotGrantedError
	if errors.As(err, &refused) {
		if refused.RetryAfter <= 0 {
			t.Error("refused without a time to ask again")
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.refused++
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	if r.ID[0]%8 == 0 {
		if again, err := persist(conn, r); err != nil || string(again) != string(pkg) {
			t.Errorf("a repeat got other bytes, or %v", err)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if strings.Contains(string(pkg), "shared") {
		o.shared++
		return
	}
	if _, twice := o.oneTime[string(pkg)]; twice {
		t.Error("a one-time package was vended twice")
	}
	o.oneTime[string(pkg)] = r.ID
}

// persist asks until the directory, or the one that follows it, answers.
func persist(conn *client.Client, r client.ContactRequest) (pkg []byte, err error) {
	for {
		pkg, err = conn.Contact(context.Background(), r, begin)
		var gone *client.UnreachableError
		if !errors.As(err, &gone) {
			return pkg, err
		}
	}
}

// checkVended compares the log's facts with what was answered.
func checkVended(t *testing.T, log eventlog.Log, got *outcome) {
	t.Helper()
	vended := map[uint64]vend.Digest{}
	for r, err := range log.Records(0) {
		if err != nil {
			t.Fatal(err)
		}
		if uint16(r.Kind) != vend.KindPackageVended {
			continue
		}
		f, err := vend.ParseFact(uint16(r.Kind), r.Version, r.Stream, r.Header)
		if err != nil {
			t.Fatal(err)
		}
		v := f.(vend.PackageVended)
		if v.Package == vend.LastResort {
			continue
		}
		if _, twice := vended[v.Position]; twice {
			t.Error("the log has a package vended twice")
		}
		vended[v.Position] = v.Request
	}
	answered := map[vend.Digest]bool{}
	for _, id := range got.oneTime {
		answered[id.Digest()] = true
	}
	for _, request := range vended {
		if !answered[request] {
			t.Error("the log has a package vended that nobody got")
		}
	}
	if len(vended) != len(got.oneTime) {
		t.Errorf("%d vended in the log, %d answered", len(vended), len(got.oneTime))
	}
}
