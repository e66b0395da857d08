package eventlog_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

	"communicator/eventlog"
	"communicator/internal/testenv"
)

// The kill tests run this binary again as a child that appends as fast as it can
// and prints what was acknowledged. Lines on a pipe survive the child.
const (
	childDir   = "EVENTLOG_CHILD_DIR"
	childPoint = "EVENTLOG_CHILD_POINT" // where it kills itself, or empty
	childAfter = "EVENTLOG_CHILD_AFTER" // how many times it passes there before
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		appendForever(dir)
	}
	os.Exit(m.Run())
}

// The child's status when its log failed, or did not even open.
const (
	exitFailed   = 3
	exitUnopened = 2
)

func appendForever(dir string) {
	after, _ := strconv.ParseInt(os.Getenv(childAfter), 10, 64)
	point := os.Getenv(childPoint)
	var passed atomic.Int64
	o := quiet()
	o.Hook = func(at string) {
		if at == point && passed.Add(1) > after {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	o.OnFail = func(err error) {
		fmt.Fprintln(os.Stderr, "failed:", err)
		os.Exit(exitFailed)
	}
	log, err := eventlog.Open(dir, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitUnopened)
	}
	var mu sync.Mutex
	for p := range 8 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d/%d/%d", os.Getpid(), p, i)
				e := put(strconv.Itoa(p*10+i%10), "h", "body of "+key+strings.Repeat(".", i%7*150))
				e.Key = []byte(key)
				began := time.Now().UnixMicro()
				a, err := log.Append(context.Background(), e)
				if err != nil {
					select {} // OnFail ends the process
				}
				mu.Lock()
				fmt.Fprintf(os.Stdout, "%d %s %d\n", a[0].Seq, key, began)
				mu.Unlock()
			}
		}()
	}
	select {}
}

// child runs the appending process until it dies and returns what it acknowledged:
// sequence by key.
func child(t *testing.T, dir, point string, after int, kill time.Duration) (map[string]uint64, error) {
	t.Helper()
	acked, _, err := wrapped(t, dir, point, after, kill)
	return acked, err
}

// wrapped runs the child by way of another program, and returns also when the last of the
// acknowledged appends began.
func wrapped(t *testing.T, dir, point string, after int, kill time.Duration, wrap ...string) (acked map[string]uint64, last time.Time, err error) {
	t.Helper()
	args := append(wrap, os.Args[0])
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childDir+"="+dir, childPoint+"="+point, childAfter+"="+strconv.Itoa(after))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it wraps dies with it
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if kill > 0 {
		timer := time.AfterFunc(kill, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		defer timer.Stop()
	}
	acked = map[string]uint64{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var seq uint64
		var key string
		var began int64
		if n, _ := fmt.Sscanf(lines.Text(), "%d %s %d", &seq, &key, &began); n == 3 {
			acked[key] = seq
			if at := time.UnixMicro(began); at.After(last) {
				last = at
			}
		}
	}
	err = cmd.Wait()
	if s := stderr.String(); s != "" {
		err = errors.Join(err, errors.New(s))
	}
	return acked, last, err
}

// survived opens the log after a death and checks that every acknowledged event is
// there once, as it was.
func survived(t *testing.T, dir string, acked map[string]uint64) {
	t.Helper()
	begin := time.Now()
	log, err := eventlog.Open(dir, quiet())
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer func() {
		if err := log.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("opening took %v", took)
	}
	if s := log.State(); s.Health != eventlog.Healthy {
		t.Fatalf("state is %+v", s)
	}
	for key, seq := range acked {
		body, err := log.Body(seq)
		if errors.Is(err, eventlog.ErrErased) {
			continue
		}
		if err != nil || !strings.HasPrefix(string(body), "body of "+key) {
			t.Fatalf("acknowledged %d is %.40q: %v", seq, body, err)
		}
	}
	check(t, log)
}

func TestKilledAnywhere(t *testing.T) {
	points := []string{"queued", "before-commit", "after-commit", "after-head", "before-ack", "", ""}
	// The checks read the whole log each time, so a log is killed 20 times at most.
	const each = 20
	left := testenv.Times(10, 200)
	for left > 0 {
		n := min(left, each)
		left -= n
		dir := t.TempDir()
		all := map[string]uint64{}
		bySeq := map[uint64]string{}
		for i := range n {
			point := points[i%len(points)]
			acked, _ := child(t, dir, point, 5+rand.IntN(60), time.Duration(100+rand.IntN(400))*time.Millisecond)
			for key, seq := range acked {
				if other, taken := bySeq[seq]; taken {
					t.Fatalf("%s and %s were both acknowledged as %d", other, key, seq)
				}
				all[key], bySeq[seq] = seq, key
			}
			survived(t, dir, acked)
			if t.Failed() {
				t.Fatalf("after kill %d at %q", i, point)
			}
		}
		if len(all) == 0 {
			t.Fatal("no child acknowledged anything")
		}
		survived(t, dir, all)
	}
}

// TestSyncFails has the kernel answer a sync with an error: no append that begins after
// it may be acknowledged, and the process ends with the reason. What the page cache still
// holds would hide that.
func TestSyncFails(t *testing.T) {
	strace := testenv.Tool(t, "strace")
	all := 0
	for i := range testenv.Times(5, 75) {
		// strace counts the calls of each thread. The store syncs with msync, the first few
		// times while it is opened, and the head file with fsync once a second.
		call, when := "msync", 1+(i-i/3)*11%50 // the first 50 times, in another order
		if i%3 == 2 {
			call, when = "fsync", 1
		}
		dir := t.TempDir()
		if log, err := eventlog.Open(dir, quiet()); err != nil || log.Close() != nil {
			t.Fatalf("open: %v", err)
		}
		calls := filepath.Join(t.TempDir(), "calls")
		acked, last, err := wrapped(t, dir, "", 0, 30*time.Second, strace, "-f", "-ttt", "-o", calls,
			"-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:error=EIO:when=%d+", call, when), "--")
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitFailed && exit.ExitCode() != exitUnopened {
			t.Errorf("%s from the %dth on: the process ended with %v", call, when, err)
		}
		if failed := firstInjected(t, calls); last.After(failed) {
			t.Errorf("%s from the %dth on: an append was acknowledged that began %v after it failed", call, when, last.Sub(failed))
		}
		survived(t, dir, acked)
		all += len(acked)
	}
	if all == 0 {
		t.Error("nothing was acknowledged before any sync failed")
	}
}

// firstInjected is when strace made a call fail for the first time.
func firstInjected(t *testing.T, calls string) time.Time {
	t.Helper()
	b, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && strings.Contains(line, "INJECTED") {
			seconds, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			return time.UnixMicro(int64(seconds * 1e6))
		}
	}
	t.Fatal("no sync has failed")
	return time.Time{}
}
