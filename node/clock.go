package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"communicator/internal/durable"
	"communicator/wire"
)

// labelClock begins the file DIR/clock:
//
//	"comm/1/clock" ‖ u64 Unix seconds ‖ H(all before)
const labelClock wire.Label = "comm/1/clock"

// clockGuard decides whether the machine's clock can be trusted. Expiry is for
// ever, so a clock that has jumped must not cause it: the time that the guard gives
// stands still from the jump until an operator confirms the new time, or the clock
// comes back by itself.
//
// A jump is a difference of over an hour between how far the clock moved and how
// far a monotonic clock did. Across a restart there is no monotonic clock: going
// back by over an hour or forward by over 30 days is a jump.
type clockGuard struct {
	path string           // empty: not kept
	wall func() time.Time // the machine's clock, possibly wrong
	mono func() time.Duration

	mu       sync.Mutex // guards what follows
	good     time.Time  // the last trusted time
	at       time.Duration
	jumped   bool
	observed time.Time // the wall clock when it jumped
}

// newClockGuard reads the last trusted time. Atleast is a time that has certainly
// passed, such as the newest record's.
func newClockGuard(path string, wall func() time.Time, mono func() time.Duration, atLeast time.Time) (*clockGuard, error) {
	// A time.Time of this process carries a monotonic reading, which Sub prefers, and by
	// which no clock ever jumps.
	g := &clockGuard{path: path, wall: func() time.Time { return wall().Round(0) }, mono: mono}
	last, err := readClock(path)
	if err != nil {
		return nil, err
	}
	if last.Before(atLeast) {
		last = atLeast
	}
	now := g.wall()
	g.good, g.at = now, mono()
	if !last.IsZero() && (last.Sub(now) > maxRestartBack || now.Sub(last) > maxRestartGap) {
		g.good, g.jumped, g.observed = last, true, now
	}
	return g, g.save()
}

// Now is the machine's time while it can be trusted, and the last trusted time
// otherwise.
func (g *clockGuard) Now() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.look()
	if g.jumped {
		return g.good
	}
	return g.wall()
}

// Trusted says whether admission and expiry may go on.
func (g *clockGuard) Trusted() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.look()
	return !g.jumped
}

// look compares the clocks. g.mu is held.
func (g *clockGuard) look() {
	wall, mono := g.wall(), g.mono()
	expected := g.good.Add(mono - g.at)
	off := wall.Sub(expected).Abs()
	switch {
	case off <= maxClockJump:
		g.jumped = false
		g.good, g.at = wall, mono
	case !g.jumped:
		g.jumped, g.observed = true, wall
	}
}

// tick notes the time for the next start.
func (g *clockGuard) tick() error {
	if !g.Trusted() {
		return nil
	}
	return g.save()
}

// ErrClockMoved is a confirmation of another time than the machine now has.
var ErrClockMoved = errors.New("the clock has moved again since: look at it once more and confirm again")

// confirm makes the machine's time the trusted one. Seen is the time that the
// operator was shown.
func (g *clockGuard) confirm(seen time.Time) error {
	g.mu.Lock()
	wall := g.wall()
	if !seen.IsZero() && wall.Sub(seen).Abs() > confirmedAround {
		g.mu.Unlock()
		return ErrClockMoved
	}
	g.good, g.at, g.jumped = wall, g.mono(), false
	g.mu.Unlock()
	return g.save()
}

// report says what an operator needs to decide.
func (g *clockGuard) report() (trusted bool, good, wall time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.look()
	return !g.jumped, g.good, g.wall()
}

func (g *clockGuard) save() error {
	if g.path == "" {
		return nil
	}
	g.mu.Lock()
	good, jumped := g.good, g.jumped
	g.mu.Unlock()
	if jumped {
		return nil
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(max(0, good.Unix())))
	return durable.WriteFile(g.path, encodeChecked(labelClock, b))
}

// readClock returns the zero time if none was ever noted. A damaged file fails: the
// operator looks at the clock and removes it.
func readClock(path string) (time.Time, error) {
	if path == "" {
		return time.Time{}, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	content, err := decodeChecked(path, labelClock, b)
	if err != nil {
		return time.Time{}, err
	}
	if len(content) != 8 {
		return time.Time{}, fmt.Errorf("%s: %w", path, ErrDamagedFile)
	}
	return time.Unix(int64(binary.BigEndian.Uint64(content)), 0).UTC(), nil
}
