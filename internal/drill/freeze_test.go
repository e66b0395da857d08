package drill

import (
	"syscall"
	"testing"
	"time"

	"communicator/internal/testenv"
)

// TestFrozen stops each agent's process for a while, as a hypervisor or a swapping
// machine does, while clients go on.
func TestFrozen(t *testing.T) {
	t.Parallel()
	const clients = 16
	frozen := 5 * time.Second
	if testenv.Soak() {
		frozen = 10 * time.Minute
	}
	sending, receiving := pair(t, clients, nil)
	l := startLoad(t, loadOptions{sending: sending, receiving: receiving, clients: clients, size: 1024,
		every: time.Duration(testenv.Times(200, 5000)) * time.Millisecond})
	for _, victim := range []*agent{receiving, sending} {
		before := l.ledger.accepted()
		until(t, time.Minute, "messages are accepted", func() bool { return l.ledger.accepted() > before+clients })
		victim.signal(syscall.SIGSTOP)
		time.Sleep(frozen) // the fault lasts so long
		victim.signal(syscall.SIGCONT)
		before = l.ledger.accepted()
		took := until(t, drainWithin, "it goes on", func() bool { return l.ledger.accepted() > before+clients })
		took += l.caughtUp(before, drainWithin)
		t.Logf("%s, frozen for %v, had caught up after %v", victim.Name, frozen, took.Round(time.Millisecond))
	}
	l.check(drainWithin)
	sending.verify()
	receiving.verify()
}
