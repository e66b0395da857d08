package drill

import (
	"math/rand/v2"
	"testing"
	"time"

	"communicator/internal/testenv"
	"communicator/node/config"
)

// pair starts a sending and a receiving agent for so many clients.
func pair(t testing.TB, clients int, change func(*setup)) (sending, receiving *agent) {
	t.Helper()
	var agents [2]*agent
	for i, role := range []string{config.RoleSending, config.RoleReceiving} {
		s := setup{role: role, uses: clients + 1}
		if change != nil {
			change(&s)
		}
		agents[i] = newAgent(t, s)
	}
	return agents[0], agents[1]
}

// TestKilledUnderLoad kills the sending and the receiving agent, by turns and both at
// once, at moments that nobody chose.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	clients := testenv.Times(24, 500)
	sending, receiving := pair(t, clients, nil)
	l := startLoad(t, loadOptions{sending: sending, receiving: receiving, clients: clients, size: 1024,
		every: time.Duration(testenv.Times(0, 500)) * time.Millisecond})
	for i := range testenv.Times(4, 20) {
		before := l.ledger.accepted()
		until(t, time.Minute, "messages are accepted again", func() bool { return l.ledger.accepted() > before+clients })
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) // the moment is what is random
		switch i % 3 {
		case 0:
			receiving.crash()
		case 1:
			sending.crash()
		default:
			if err := sending.Kill(); err != nil {
				t.Fatal(err)
			}
			receiving.crash()
			if took := sending.start(); took > readyWithin {
				t.Errorf("the sending agent was ready %v after a kill", took)
			}
		}
	}
	l.check(time.Minute)
	sending.verify()
	receiving.verify()
}
