package agentproc

import (
	"fmt"
	"net"
	"testing"
)

// TestFreePortGivesNoneTwice: agents that are made one after the other, and started later,
// get ports of their own, none of which is taken.
func TestFreePortGivesNoneTwice(t *testing.T) {
	seen := map[int]bool{}
	for range 100 {
		port, err := FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] {
			t.Fatalf("%d was given twice", port)
		}
		seen[port] = true
		next := firstPort + int((lastPort.Load()+1)%ports)
		if len(seen)%10 == 0 { // the next one is taken
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", next))
			if err != nil {
				continue // by somebody else
			}
			defer l.Close()
			seen[next] = true
		}
	}
}
