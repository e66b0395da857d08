package drill

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"communicator/internal/testenv"
)

// exitWithin is how soon a process ends once a sync has failed.
const exitWithin = time.Second

// failSyncs has the kernel answer the agent's syncs, from the nth of each thread on,
// with an input/output error. The returned function tells, once the process has ended, when
// the first one failed and when the end was: as strace saw it, which waits for no test.
func (a *agent) failSyncs(n int) (times func() (failed, ended time.Time)) {
	a.t.Helper()
	strace := testenv.Tool(a.t, "strace")
	trace := filepath.Join(a.t.TempDir(), "trace")
	const calls = "msync,fsync,fdatasync"
	cmd := exec.Command(strace, "-f", "-ttt", "-o", trace, "-e", "trace="+calls,
		"-e", fmt.Sprintf("inject=%s:error=EIO:when=%d+", calls, n), "-p", strconv.Itoa(a.PID()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	says, err := cmd.StderrPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	first, err := bufio.NewReader(says).ReadString('\n')
	if err != nil || !strings.Contains(first, "attached") {
		_ = cmd.Wait()
		testenv.Missing(a.t, "strace cannot attach: "+first)
	}
	return func() (failed, ended time.Time) {
		a.t.Helper()
		_ = cmd.Wait() // it ends with the process, whose status is not its own
		b, err := os.ReadFile(trace)
		if err != nil {
			a.t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			injected := strings.Contains(line, "INJECTED") && failed.IsZero()
			if len(f) < 2 || !injected && !strings.Contains(line, "+++ exited") {
				continue
			}
			seconds, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				a.t.Fatal(err)
			}
			if at := time.UnixMicro(int64(seconds * 1e6)); injected {
				failed = at
			} else {
				ended = at
			}
		}
		if failed.IsZero() || ended.IsZero() {
			a.t.Fatalf("a sync failed at %v, the process ended at %v", failed, ended)
		}
		return failed, ended
	}
}

// TestSyncsFail lets the disk of a running agent fail: nothing is promised after that,
// the process ends at once and says why, and everything it had promised is there.
func TestSyncsFail(t *testing.T) {
	t.Parallel()
	const clients = 16
	sending, receiving := pair(t, clients, nil)
	l := startLoad(t, loadOptions{sending: sending, receiving: receiving, clients: clients, size: 1024, every: 10 * time.Millisecond})
	for i := range testenv.Times(2, 50) {
		before := l.ledger.accepted()
		until(t, time.Minute, "messages are accepted", func() bool { return l.ledger.accepted() > before+clients })
		victim := []*agent{sending, receiving}[i%2]
		ended := victim.watchExit()
		times := victim.failSyncs(1 + i/2)
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Fatalf("%s goes on without syncs", victim.Name)
		}
		at, end := times()
		if took := end.Sub(at); took > exitWithin {
			t.Errorf("%s ended %v after a sync had failed", victim.Name, took)
		}
		// Each client has one message under way, whose receipt may have left before.
		if late := l.ledger.acceptedAfter(at); victim == sending && late > clients {
			t.Errorf("%d messages were accepted after a sync had failed", late)
		}
		if said := victim.said(); !strings.Contains(said, "event log failed") || !strings.Contains(said, syscall.EIO.Error()) {
			t.Errorf("%s does not say why it ended: %s", victim.Name, said)
		}
		_ = victim.Kill() // it has ended: this collects its status
		victim.start()
	}
	l.check(drainWithin)
	sending.verify()
	receiving.verify()
}
