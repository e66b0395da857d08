package real

import (
	"sync"
	"time"

	"communicator/simulations/trace"
)

// tape tells a recorder what happens, one thing at a time and in order of time. Before it
// has been started and after it has been stopped it tells nothing.
type tape struct {
	mu      sync.Mutex // guards what follows; the recorder is called with it
	to      trace.Recorder
	began   time.Time
	running bool
	frames  bool
}

func newTape(to trace.Recorder) *tape { return &tape{to: to, frames: to.Frames()} }

func (t *tape) start() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began, t.running = time.Now(), true
}

// stop ends telling, for good.
func (t *tape) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = false
}

// now is the virtual time since the start, and zero before.
func (t *tape) now() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.since()
}

func (t *tape) since() time.Duration {
	if t.began.IsZero() {
		return 0
	}
	return time.Since(t.began)
}

// tell calls fn with the time, alone.
func (t *tape) tell(fn func(now time.Duration, to trace.Recorder)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running {
		fn(t.since(), t.to)
	}
}

// event tells an event that happens now.
func (t *tape) event(e trace.Event) {
	t.tell(func(now time.Duration, to trace.Recorder) {
		e.At = now
		to.Event(e)
	})
}

// blank is an event that concerns nobody yet.
func blank(kind trace.Kind) trace.Event {
	return trace.Event{Kind: kind, User: trace.None, Peer: trace.None, Agent: trace.None, Other: trace.None}
}
