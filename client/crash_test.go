package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"communicator/internal/testenv"
)

var errCrash = errors.New("crash")

// crashAt makes the client fail after n passages of a point, and from then on at every
// point, as a process that has died does nothing more. It says whether that happened.
func (p *person) crashAt(point string, n int) (crashed *atomic.Bool) {
	crashed = &atomic.Bool{}
	var passages atomic.Int64
	p.crash = func(at string) error {
		if at == point && passages.Add(1) > int64(n) {
			crashed.Store(true)
		}
		if crashed.Load() {
			return errCrash
		}
		return nil
	}
	return crashed
}

// points are where a journey may be cut, and who dies there.
var points = []struct {
	name   string
	sender bool
}{
	{"saved", true}, {"submitted", true}, {"outcome", true}, {"outcome-saved", true},
	{"taken", false}, {"acknowledged", false},
}

// TestCrashLosesAndDoublesNothing sends messages both ways, lets one side die at each
// point of the journey in turn, opens the profile again and goes on.
func TestCrashLosesAndDoublesNothing(t *testing.T) {
	for _, point := range points {
		t.Run(point.name, func(t *testing.T) {
			n := newFakeNet(t)
			a, b := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
			meet(t, a, b)
			victim := b
			if point.sender {
				victim = a
			}
			var sent, got []string
			for i := range testenv.Times(2, 6) {
				crashed := victim.crashAt(point.name, i)
				for j := range 3 {
					text := fmt.Sprint(i, "-", j)
					s, err := a.Send(context.Background(), "b", text, SendOptions{})
					if err != nil && !errors.Is(err, errCrash) {
						t.Fatal(err)
					}
					if s.ID == (MessageID{}) {
						t.Fatal("nothing was saved")
					}
					sent = append(sent, text)
					got = append(got, b.tryReceive()...)
					a.tryReceive()
				}
				if i < 3 && !crashed.Load() {
					t.Fatal("the point was never passed")
				}
				victim.reopen()
			}
			for range 3 {
				n.pass(a.opts.Route.WithDefaults().RetryMax)
				a.receive()
				got = append(got, b.receive()...)
			}
			checkExactlyOnce(t, a, b, sent, got)
		})
	}
}

// checkExactlyOnce says that what a sent to b is in b's history once, was shown to b
// once, and is no longer in a's outbox.
func checkExactlyOnce(t *testing.T, a, b *person, sent, got []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(sent)
	if !slices.Equal(got, sent) {
		t.Fatalf("sent %d: %q\ngot %d: %q", len(sent), sent, len(got), got)
	}
	var kept []string
	history, err := b.History(t.Context(), "a", 0, 10*len(sent))
	check(t, err)
	for _, m := range history {
		if m.Incoming {
			kept = append(kept, m.Text)
		}
	}
	slices.Sort(kept)
	if !slices.Equal(kept, sent) {
		t.Errorf("b's history: %q", kept)
	}
	status, err := a.Status(t.Context())
	check(t, err)
	if status.Queued+status.Submitted != 0 {
		t.Errorf("a's outbox is not empty: %+v", status)
	}
}

// tryReceive makes a pass that may crash; what it had taken in is shown later.
func (p *person) tryReceive() []string {
	p.t.Helper()
	events, err := p.Receive(context.Background())
	if err != nil && !errors.Is(err, errCrash) {
		p.t.Fatal(err)
	}
	return textsOf(events)
}
