package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// twoClocks are a machine's: one that can be set, and one that only runs.
type twoClocks struct {
	wall time.Time
	mono time.Duration
}

func (c *twoClocks) pass(d time.Duration)   { c.wall, c.mono = c.wall.Add(d), c.mono+d }
func (c *twoClocks) set(d time.Duration)    { c.wall = c.wall.Add(d) }
func (c *twoClocks) nowWall() time.Time     { return c.wall }
func (c *twoClocks) nowMono() time.Duration { return c.mono }
func (c *twoClocks) guard(t *testing.T, path string, atLeast time.Time) *clockGuard {
	t.Helper()
	g, err := newClockGuard(path, c.nowWall, c.nowMono, atLeast)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var someTime = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func TestClockJumps(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*twoClocks)
		trusted bool
	}{
		{"nothing", func(*twoClocks) {}, true},
		{"a year passes", func(c *twoClocks) { c.pass(365 * 24 * time.Hour) }, true},
		{"stopped for 10 minutes", func(c *twoClocks) { c.pass(10 * time.Minute) }, true},
		{"an hour forwards", func(c *twoClocks) { c.set(time.Hour) }, true},
		{"over an hour forwards", func(c *twoClocks) { c.set(time.Hour + time.Second) }, false},
		{"over an hour back", func(c *twoClocks) { c.set(-time.Hour - time.Second) }, false},
		{"ten years forwards", func(c *twoClocks) { c.set(3653 * 24 * time.Hour) }, false},
		{"ten years back", func(c *twoClocks) { c.set(-3653 * 24 * time.Hour) }, false},
	} {
		clocks := &twoClocks{wall: someTime}
		g := clocks.guard(t, "", time.Time{})
		c.change(clocks)
		if g.Trusted() != c.trusted {
			t.Errorf("%s: trusted %v", c.name, g.Trusted())
		}
		if now := g.Now(); c.trusted && !now.Equal(clocks.wall) || !c.trusted && !now.Equal(someTime) {
			t.Errorf("%s: it is %v", c.name, now)
		}
	}
}

func TestClockStandsStillUntilConfirmed(t *testing.T) {
	clocks := &twoClocks{wall: someTime}
	g := clocks.guard(t, "", time.Time{})
	clocks.set(48 * time.Hour)
	for range 10 {
		clocks.pass(time.Hour)
		if !g.Now().Equal(someTime) {
			t.Fatalf("expiry went on: %v", g.Now())
		}
	}
	if err := g.confirm(someTime); !errors.Is(err, ErrClockMoved) {
		t.Errorf("confirming another time: %v", err)
	}
	if err := g.confirm(clocks.wall); err != nil {
		t.Fatal(err)
	}
	if !g.Trusted() || !g.Now().Equal(clocks.wall) {
		t.Error("confirmed and not trusted")
	}
}

func TestClockThatComesBackIsTrustedAgain(t *testing.T) {
	clocks := &twoClocks{wall: someTime}
	g := clocks.guard(t, "", time.Time{})
	clocks.set(-24 * time.Hour)
	if g.Trusted() {
		t.Fatal("a jump was not seen")
	}
	clocks.pass(6 * time.Hour)
	clocks.set(24 * time.Hour)
	if !g.Trusted() || !g.Now().Equal(someTime.Add(6*time.Hour)) {
		t.Errorf("set right again: trusted %v at %v", g.Trusted(), g.Now())
	}
}

func TestClockAcrossRestarts(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name    string
		off     time.Duration // while the node did not run
		newest  time.Duration // the log's last event, after the noted time
		trusted bool
	}{
		{"at once", 0, 0, true},
		{"30 days later", 30 * day, 0, true},
		{"31 days later", 31 * day, 0, false},
		{"an hour back", -time.Hour, 0, true},
		{"a day back", -day, 0, false},
		{"behind the log", 0, 2 * time.Hour, false},
	} {
		path := filepath.Join(t.TempDir(), clockName)
		clocks := &twoClocks{wall: someTime}
		clocks.guard(t, path, time.Time{})
		clocks = &twoClocks{wall: someTime.Add(c.off)}
		g := clocks.guard(t, path, someTime.Add(c.newest))
		if g.Trusted() != c.trusted {
			t.Errorf("%s: trusted %v", c.name, g.Trusted())
		}
		if c.trusted {
			continue
		}
		if err := g.confirm(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if again := clocks.guard(t, path, time.Time{}); !again.Trusted() {
			t.Errorf("%s: confirmed, and asked again at the next start", c.name)
		}
	}
}

func TestDamagedClockFileIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), clockName)
	clocks := &twoClocks{wall: someTime}
	clocks.guard(t, path, time.Time{})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(labelClock)] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newClockGuard(path, clocks.nowWall, clocks.nowMono, time.Time{}); !errors.Is(err, ErrDamagedFile) {
		t.Errorf("gave %v", err)
	}
}

// TestClockIsTheWall: a time with a monotonic reading would never show a jump, because
// Sub compares those.
func TestClockIsTheWall(t *testing.T) {
	g, err := newClockGuard("", time.Now, func() time.Duration { return 0 }, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{g.wall(), g.good, g.Now()} {
		if strings.Contains(at.String(), " m=") {
			t.Errorf("%v carries a monotonic reading", at)
		}
	}
}
