package client

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"communicator/client/transport"
	"communicator/wire"
)

// TestPauseIsShortWhereAnAgentIsNotReached: a device that had no network for hours is not
// to wait a quarter of an hour more; an agent that answers and does not serve is.
func TestPauseIsShortWhereAnAgentIsNotReached(t *testing.T) {
	c := newFakeNet(t).person().Client
	gone := fmt.Errorf("watching: %w", &transport.UnreachableError{Reason: "dial", Cause: errors.New("no network")})
	busy := &wire.StatusError{Status: wire.StatusTryAgain}
	var longest time.Duration
	for range 50 {
		if d := c.again(30, gone); d > 45*time.Second {
			t.Fatalf("an agent that is not reached is left alone for %v", d)
		}
		longest = max(longest, c.again(30, busy))
	}
	if longest < 7*time.Minute {
		t.Errorf("a busy agent is asked again after at most %v", longest)
	}
}
