package drill

import (
	"testing"
	"time"

	"communicator/internal/testenv"
	"communicator/node/config"
)

// drainWithin is how soon after a network works again everything has arrived.
const drainWithin = time.Minute

// lossy is how long the network goes on losing packets in the small form, at most. What
// TCP does then has a long tail: one run in some dozens takes a minute and more.
const lossy = 30 * time.Second

// TestPartition cuts the receiving agent off while clients go on sending, then mends the
// cut but lets the network lose three packets of ten, each way. The load is light: what
// TCP carries then is a few packets a second.
func TestPartition(t *testing.T) {
	t.Parallel()
	if !inNetwork(t) {
		return
	}
	const clients = 8
	cut, loss, every := 6*time.Second, 2*time.Second, time.Second
	if testenv.Soak() {
		cut, loss, every = 10*time.Minute, 5*time.Minute, 30*time.Second
	}
	sending, receiving, links := networkPair(t, clients, nil)
	l := startLoad(t, loadOptions{sending: sending, receiving: receiving, clients: clients, size: 256, every: every})
	until(t, time.Minute, "messages arrive", func() bool { left, _ := l.ledger.left(); return l.ledger.accepted()-left > clients })

	cable := links[config.RoleReceiving]
	cable.cut()
	time.Sleep(cut) // the fault lasts so long
	during := l.ledger.accepted()
	left, _ := l.ledger.left()
	if left < clients {
		t.Errorf("only %d messages wait after %v without a network: was it cut?", left, cut)
	}
	cable.lose()
	cable.mend()
	mended := time.Now()
	if !testenv.Soak() && !l.catchesUp(during, lossy) {
		t.Logf("not all has arrived after %v with 30 %% loss; now without", lossy)
		cable.restore()
	}
	l.caughtUp(during, drainWithin-time.Since(mended))
	took := time.Since(mended)
	t.Logf("%d messages waited; they had arrived %v after the cut was mended, with 30 %% loss", left, took.Round(time.Millisecond))
	time.Sleep(max(0, loss-took)) // it goes on losing
	cable.restore()
	l.check(drainWithin)
	sending.verify()
	receiving.verify()
}
