package real

import (
	"context"
	"io"
	"os"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"communicator/simulations/trace"
	"communicator/simulations/wall"
)

// Reasons for which a run is stopped, as [trace.Outcome] has them.
const (
	interrupted = "interrupted"
	outOfMemory = "out of memory"
	outOfTime   = "out of time"
	stuck       = "stuck"
)

// watch looks after a run from outside of its bubble, where time is real.
type watch struct {
	abandon func(trace.Outcome)
	stacks  io.Writer
	stop    chan struct{}
	joined  sync.WaitGroup

	run     atomic.Pointer[world]
	reason  atomic.Pointer[string] // why the run is to stop
	virtual atomic.Int64           // nanoseconds of the bubble's clock, as of the last beat
	beats   atomic.Int64           // grows while the run moves on
}

type watchKey struct{}

// Watch looks after a run that gets the returned context: it must be called outside of the
// bubble, before it. When ctx ends, or a limit is reached, the run is told to stop. If it
// does not, because nothing moves in virtual time any more, all stacks are written to
// standard error, and abandon is called with how far the run came, outside of the bubble;
// the process should end then. stop ends the watch.
func Watch(ctx context.Context, l trace.Limits, abandon func(trace.Outcome)) (watched context.Context, stop func()) {
	g := &watch{abandon: abandon, stacks: os.Stderr, stop: make(chan struct{})}
	if l.Stuck == 0 {
		l.Stuck = defaultStuck
	}
	g.joined.Go(func() { g.look(ctx, l) })
	return context.WithValue(ctx, watchKey{}, g), func() {
		close(g.stop)
		g.joined.Wait()
	}
}

func watchOf(ctx context.Context) *watch {
	g, _ := ctx.Value(watchKey{}).(*watch)
	return g
}

// began tells whom to look after, ended that there is nobody any more.
func (g *watch) began(w *world) {
	if g != nil {
		g.run.Store(w)
	}
}

func (g *watch) ended() {
	if g != nil {
		g.run.Store(nil)
	}
}

// moved tells of work that takes no virtual time.
func (g *watch) moved() {
	if g != nil {
		g.beats.Add(1)
	}
}

// look runs outside of the bubble.
func (g *watch) look(ctx context.Context, l trace.Limits) {
	ticker := time.NewTicker(beatReal)
	defer ticker.Stop()
	began, moved := wall.Now(), wall.Now()
	beats := int64(0)
	patience := l.Stuck
	for {
		select {
		case <-g.stop:
			return
		case <-ticker.C:
		}
		w := g.run.Load()
		if w == nil {
			moved = wall.Now()
			continue
		}
		if reason := exceeded(ctx, l, began); reason != "" && g.reason.CompareAndSwap(nil, &reason) {
			patience, moved = stuckGrace, wall.Now()
		}
		if now := g.beats.Load(); now != beats {
			beats, moved = now, wall.Now()
		}
		if wall.Now()-moved > patience {
			g.giveUp(w)
			return
		}
	}
}

// exceeded says which limit has been reached.
func exceeded(ctx context.Context, l trace.Limits, began time.Duration) string {
	switch {
	case ctx.Err() != nil:
		return interrupted
	case l.Memory > 0 && wall.Resident() > l.Memory:
		return outOfMemory
	case l.Wall > 0 && wall.Now()-began > l.Wall:
		return outOfTime
	}
	return ""
}

// giveUp ends a run that does not end by itself.
func (g *watch) giveUp(w *world) {
	reason := stuck
	if !g.reason.CompareAndSwap(nil, &reason) { // should it move again, it stops
		reason = *g.reason.Load()
	}
	_ = pprof.Lookup("goroutine").WriteTo(g.stacks, 1)
	out := trace.Outcome{Stopped: reason, Virtual: time.Duration(g.virtual.Load()), Extra: map[string]float64{}}
	if w.tape.mu.TryLock() { // held for good by what hangs, it keeps nobody from ending
		w.tape.running = false
		w.tape.mu.Unlock()
	}
	_ = os.RemoveAll(w.dir)
	g.abandon(out)
}

// beat runs in the bubble: it says that time goes on, tells progress, and stops the run
// when a limit is reached.
func (w *world) beat(ctx context.Context, done chan struct{}) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	began, told := wall.Now(), time.Duration(0)
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		reason := ""
		if g := w.watch; g != nil {
			g.virtual.Store(int64(w.tape.now()))
			g.beats.Add(1)
			if r := g.reason.Load(); r != nil {
				reason = *r
			}
		} else {
			reason = exceeded(ctx, w.limits, began)
		}
		if reason != "" {
			w.stop(stopError(reason))
		}
		if now := wall.Now(); now-told > beatReal {
			told = now
			w.progress()
		}
	}
}

// stopError is why a run was stopped.
type stopError string

func (e stopError) Error() string { return "real: " + string(e) }

// stopped says why the run was stopped before its time, or nothing.
func (w *world) stopped() string {
	reason, _ := context.Cause(w.ctx).(stopError)
	return string(reason)
}

func (w *world) phase(name string) {
	w.current.Store(&name)
	w.progress()
}

// progress tells how far the run has come.
func (w *world) progress() {
	if w.limits.Progress == nil {
		return
	}
	p := trace.Progress{Virtual: w.tape.now(), Of: w.s.End()}
	if name := w.current.Load(); name != nil {
		p.Phase = *name
	}
	w.limits.Progress(p)
}
