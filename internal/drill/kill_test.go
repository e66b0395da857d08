package drill

import (
	"math/rand/v2"
	"slices"
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

// killClients are what two cores bear beside the agents that they kill.
const killClients = 100

// TestKilledUnderLoad kills the sending and the receiving agent, by turns and both at
// once, at moments that nobody chose.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	clients := testenv.Times(24, killClients)
	sending, receiving := pair(t, clients, nil)
	l := startLoad(t, loadOptions{sending: sending, receiving: receiving, clients: clients, size: 1024,
		every: time.Duration(testenv.Times(100, 500)) * time.Millisecond}) // beside other tests
	var ready, again []time.Duration // how long a killed agent took to serve, and a sending one then to accept
	for i := range testenv.Times(20, 500) {
		before := l.ledger.accepted()
		until(t, time.Minute, "messages are accepted again", func() bool { return l.ledger.accepted() > before+clients })
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) // the moment is what is random
		killed := [][]*agent{{receiving}, {sending}, {sending, receiving}}[i%3]
		for _, a := range killed {
			if err := a.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		before = l.ledger.accepted()
		for _, a := range killed {
			took := a.start()
			if ready = append(ready, took); took > readyWithin {
				t.Errorf("kill %d: the %s agent was ready %v after it", i, a.Name, took)
			}
		}
		if i%3 > 0 {
			again = append(again, until(t, time.Minute, "a message is accepted", func() bool { return l.ledger.accepted() > before }))
		}
	}
	t.Logf("ready after %s; then the first message is accepted after %s", spread(ready), spread(again))
	l.check(time.Minute)
	sending.verify()
	receiving.verify()
}

// spread says how durations are distributed.
func spread(all []time.Duration) string {
	slices.Sort(all)
	at := func(share float64) string {
		return all[min(int(share*float64(len(all))), len(all)-1)].Round(time.Millisecond).String()
	}
	return "p50 " + at(0.5) + ", p99 " + at(0.99) + ", at most " + at(1)
}
