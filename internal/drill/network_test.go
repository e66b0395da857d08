package drill

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"communicator/internal/testenv"
	"communicator/node/config"

	"golang.org/x/sys/unix"
)

// The network of a test: a bridge, to which this process is attached under the first
// address, and one namespace for each agent.
//
//	 clients ── bridge ──┬── sending
//	10.77.0.1            │  10.77.0.2
//	                     └── receiving
//	                        10.77.0.3
const (
	bridgeAddress  = "10.77.0.1/16"
	sendingAddress = "10.77.0.2"
	receiveAddress = "10.77.0.3"
)

// networkWithin bounds a test in a network of its own.
const networkWithin = 40 * time.Minute

// inNetwork runs the calling test once more, as a process of its own in a new network
// and mount namespace, and returns false: the caller returns. In that process it makes
// the bridge and returns true. Everything in the namespaces goes when the process ends.
func inNetwork(t *testing.T) bool {
	t.Helper()
	testenv.Root(t)
	testenv.Tool(t, "ip")
	testenv.Tool(t, "iptables")
	if os.Getenv(networkVar) == t.Name() {
		makeBridge(t)
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout="+networkWithin.String())
	cmd.Env = append(os.Environ(), networkVar+"="+t.Name(), binaryVar+"="+program(t))
	// Unshared, not cloned: then Go makes the mounts private.
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	t.Logf("in a network of its own:\n%s", out)
	if err != nil {
		t.Fatal(err)
	}
	return false
}

func makeBridge(t *testing.T) {
	t.Helper()
	// `ip netns` keeps its names here; they are to vanish with the mounts.
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", "/run/netns", "tmpfs", 0, ""); err != nil {
		testenv.Missing(t, "cannot mount a tmpfs: "+err.Error())
	}
	must(t, "ip link set lo up")
	must(t, "ip link add bridge type bridge")
	must(t, "ip addr add "+bridgeAddress+" dev bridge")
	must(t, "ip link set bridge up")
}

// link is the cable between a namespace and the bridge.
type link struct {
	t    testing.TB
	name string
}

// plug makes a namespace with an address on the bridge.
func plug(t testing.TB, name, address string) *link {
	t.Helper()
	must(t, "ip netns add "+name)
	must(t, fmt.Sprintf("ip link add %s type veth peer name eth0 netns %s", name, name))
	must(t, fmt.Sprintf("ip link set %s master bridge up", name))
	must(t, fmt.Sprintf("ip -n %s link set lo up", name))
	must(t, fmt.Sprintf("ip -n %s addr add %s/16 dev eth0", name, address))
	must(t, fmt.Sprintf("ip -n %s link set eth0 up", name))
	return &link{t, name}
}

// networkPair is a pair of agents, each in a namespace of its own.
func networkPair(t testing.TB, clients int, change func(*setup)) (sending, receiving *agent, links map[string]*link) {
	t.Helper()
	addresses := map[string]string{config.RoleSending: sendingAddress, config.RoleReceiving: receiveAddress}
	links = map[string]*link{}
	sending, receiving = pair(t, clients, func(s *setup) {
		links[s.role] = plug(t, s.role, addresses[s.role])
		s.netns, s.listen = s.role, "/ip4/"+addresses[s.role]+"/tcp/4001"
		if change != nil {
			change(s)
		}
	})
	return sending, receiving, links
}

// cut pulls the cable, mend plugs it in again.
func (l *link) cut()  { l.t.Helper(); must(l.t, "ip link set "+l.name+" down") }
func (l *link) mend() { l.t.Helper(); must(l.t, "ip link set "+l.name+" up") }

// lose drops three packets of ten, each way, until restore.
func (l *link) lose() {
	l.t.Helper()
	for _, chain := range []string{"INPUT", "OUTPUT"} {
		must(l.t, fmt.Sprintf("ip netns exec %s iptables -A %s -m statistic --mode random --probability 0.3 -j DROP", l.name, chain))
	}
}

func (l *link) restore() { l.t.Helper(); must(l.t, "ip netns exec "+l.name+" iptables -F") }
