package client

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"communicator/client/transport"
	"communicator/wire"
)

// TestPauseIsShortWhereAnAgentIsNotReached: a device that had no network for ten minutes is
// not to wait as long again; an agent that answers and does not serve is asked less often.
func TestPauseIsShortWhereAnAgentIsNotReached(t *testing.T) {
	c := newFakeNet(t).person().Client
	gone := fmt.Errorf("watching: %w", &transport.UnreachableError{Reason: "dial", Cause: errors.New("no network")})
	busy := &wire.StatusError{Status: wire.StatusTryAgain}
	var longest time.Duration
	since := c.now().Add(-10 * time.Minute)
	for range 50 {
		if d := c.again(30, since, gone); d > 20*time.Second {
			t.Fatalf("an agent that is not reached is left alone for %v", d)
		}
		longest = max(longest, c.again(30, since, busy))
	}
	if longest < 7*time.Minute {
		t.Errorf("a busy agent is asked again after at most %v", longest)
	}
}
