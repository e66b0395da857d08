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

const (
	// exitWithin is how soon a process ends once a sync has failed.
	exitWithin = time.Second
	// inFlightSlack is how much later a client may read a receipt that left before.
	inFlightSlack = 100 * time.Millisecond
)

// failSyncs has the kernel answer the agent's syncs, from the nth of each thread on,
// with an input/output error. The returned function tells when the first one failed.
func (a *agent) failSyncs(n int) (failedAt func() time.Time) {
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
	return func() time.Time {
		a.t.Helper()
		_ = cmd.Wait() // it ends with the process, whose status is not its own
		b, err := os.ReadFile(trace)
		if err != nil {
			a.t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 1 && strings.Contains(line, "INJECTED") {
				seconds, err := strconv.ParseFloat(f[1], 64)
				if err != nil {
					a.t.Fatal(err)
				}
				return time.UnixMicro(int64(seconds * 1e6))
			}
		}
		a.t.Fatal("no sync has failed")
		return time.Time{}
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
		failedAt := victim.failSyncs(1 + i/2)
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Fatalf("%s goes on without syncs", victim.Name)
		}
		end, at := time.Now(), failedAt()
		if took := end.Sub(at); took > exitWithin {
			t.Errorf("%s ended %v after a sync had failed", victim.Name, took)
		}
		if late := l.ledger.acceptedAfter(at.Add(inFlightSlack)); victim == sending && late > 0 {
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
