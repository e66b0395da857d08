package agentproc

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Where FreePort looks: below the ports that Linux gives to connections, and to those who
// listen anywhere, so that nobody is given one of these by chance between the question
// and its use, or while an agent that was killed is down.
const (
	firstPort = 20_000
	ports     = 12_000
)

// lastPort counts the ports that were looked at, from a random one on: other processes
// look, too.
var lastPort atomic.Uint32

func init() { lastPort.Store(rand.Uint32N(ports)) }

// FreePort returns a port of the loopback interface that nothing listens at, and another
// one each time.
func FreePort() (int, error) {
	var err error
	for range ports {
		port := firstPort + int(lastPort.Add(1)%ports)
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	return 0, err
}
