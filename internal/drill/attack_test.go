package drill

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"communicator/internal/testenv"
	"communicator/node/config"
)

const (
	// handbookMemory is what docs/operator.md asks for.
	handbookMemory = 512 << 20
	// honestClients is what one address may connect to an agent with, less the
	// connection that looks the descriptor up.
	honestClients = perAddress - 1
	// noticeable is a p99 below which doubling says more of the machine than of the
	// attack; in the small form, where a few slow messages are a hundredth of all and
	// other tests may run beside, busyNoticeable is.
	noticeable, busyNoticeable = 50 * time.Millisecond, 500 * time.Millisecond
)

// hostility is a process of hostile peers.
type hostility struct {
	cmd  *exec.Cmd
	in   io.Closer
	says *bufio.Reader
}

// unleash starts hostile peers and returns once they are at work. They run at the
// lowest priority, as if on machines of their own: what they cost is not the agents' doing.
// A priority alone counts only within what Linux schedules as one group.
func unleash(t testing.TB, o orders) *hostility {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	h := &hostility{cmd: exec.Command("nice", "-n", "19", "sh", "-c", `test -z "$1" || echo $$ >"$1"; exec "$0"`,
		os.Args[0], idleGroup(t, "hostile").procs())}
	h.cmd.Env = append(os.Environ(), hostileVar+"="+string(text))
	h.cmd.Stderr = os.Stderr
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill()
		_ = h.cmd.Wait()
	})
	h.says = bufio.NewReader(out)
	if line, err := h.says.ReadString('\n'); line != "ready\n" {
		t.Fatalf("hostile peers said %q, %v", line, err)
	}
	return h
}

// rest ends the attack and returns what the peers did.
func (h *hostility) rest(t testing.TB) string {
	t.Helper()
	if err := h.in.Close(); err != nil {
		t.Fatal(err)
	}
	line, err := h.says.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// addresses gives the bridge so many more addresses and returns them.
func addresses(t testing.TB, n int) (all []string) {
	t.Helper()
	for i := range n {
		a := fmt.Sprintf("10.77.%d.%d", 1+i/250, 1+i%250)
		must(t, "ip addr add "+a+"/16 dev bridge")
		all = append(all, a)
	}
	return all
}

// TestHostilePeers lets honest clients talk while others hold slow streams, send
// garbage, announce giant frames, leave in the middle of handshakes and flood with
// requests that they have no permission for, all within the limits of an address. No
// other drill runs beside it: it measures.
func TestHostilePeers(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	peers, streams := testenv.Times(48, 1000), testenv.Times(500, 10_000)
	span := time.Duration(testenv.Times(4, 60)) * time.Second
	sending, receiving, _ := networkPair(t, honestClients, func(s *setup) {
		s.cgroup = memoryGroup(t, s.role, handbookMemory).procs()
		s.settings = func(c *config.Config) {
			c.Limits.ConnectionsPerAddress = perAddress
			c.Limits.ConnectionsIn = max(config.Default().Limits.ConnectionsIn, 2*peers)
		}
	})
	agents := []*agent{sending, receiving}
	var most [2]func() int64
	for i, a := range agents {
		most[i] = a.watchMemory()
	}
	l := startLoad(t, loadOptions{sending: sending, receiving: receiving, clients: honestClients, size: 1024, every: 25 * time.Millisecond})
	quiet := l.measure(span / 2)
	h := unleash(t, orders{Agents: []string{bare(sending.URI), bare(receiving.URI)}, Peers: peers, Streams: streams,
		From: addresses(t, (peers+perAddress-1)/perAddress), KeyID: l.keyID()})
	attacked := l.measure(span)
	t.Log(h.rest(t))
	quiet = append(quiet, l.measure(span/2)...) // before and after: the machine has other work too
	atMostDoubled(t, quiet, attacked)
	l.check(drainWithin)
	for i, a := range agents {
		a.alive()
		t.Logf("%s: at most %d MiB of anonymous memory of %d", a.Name, most[i]()>>20, handbookMemory>>20)
		if most[i]() > handbookMemory {
			t.Errorf("%s took more memory than the handbook asks for", a.Name)
		}
		a.verify()
	}
}

// bare is a URI without its token.
func bare(uri string) string {
	uri, _, _ = strings.Cut(uri, "?")
	return uri
}

// measure lets the load run for a while and returns how long what was offered in it
// took. It says what the agents used for it.
func (l *load) measure(d time.Duration) []time.Duration {
	l.t.Helper()
	agents := []*agent{l.options.sending, l.options.receiving}
	from, used := time.Now(), cpu(agents...)
	time.Sleep(d) // what is measured lasts so long
	to := time.Now()
	used = cpu(agents...) - used
	l.caughtUp(l.ledger.accepted(), drainWithin)
	took := l.ledger.latencies(from, to)
	l.t.Logf("%d messages in %v, p99 %v, %.2f s of CPU a second", len(took), d, p99(took), used.Seconds()/d.Seconds())
	return took
}

// atMostDoubled holds the p99 under attack against the one without.
func atMostDoubled(t testing.TB, quiet, attacked []time.Duration) {
	t.Helper()
	alone, under := p99(quiet), p99(attacked)
	t.Logf("honest p99: %v alone, %v under attack", alone.Round(time.Microsecond), under.Round(time.Microsecond))
	least := busyNoticeable
	if testenv.Soak() {
		least = noticeable
	}
	if limit := 2 * max(alone, least); under > limit {
		t.Errorf("the honest p99 went from %v to %v, beyond %v", alone, under, limit)
	}
}

func p99(took []time.Duration) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[(len(took)-1)*99/100]
}

func (l *load) keyID() []byte {
	id := l.clients[0].key.KeyID()
	return id[:]
}
