package relay

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"communicator/eventlog"
	"communicator/wire/pb"
)

// TestWithoutMemory: what does not fit in memory comes from the log, and so it does
// after a restart.
func TestWithoutMemory(t *testing.T) {
	setup := func(w *world) { w.limits.BodiesInMemory, w.limits.StatesInMemory = 1, 1 }
	inWorld(t, setup, func(w *world) {
		a := w.agent(1)
		c := w.dial("alex")
		handles := submitMany(w, c, a, 20)
		wantAll(c, pb.OutcomeState_FORWARDED, handles)
		if w.s.states.bytes != 0 || w.s.bodies.bytes != 0 {
			t.Fatalf("%d and %d bytes in memory", w.s.states.bytes, w.s.bodies.bytes)
		}
		c.ack(handles...)
		wantAll(c, pb.OutcomeState_UNKNOWN, handles)
		c.close()
	})
}

func TestMemoryIsGivenBack(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a, dead := w.agent(1), w.agent(2)
		dead.set(func(a *fakeAgent) { a.down = true })
		c := w.dial("alex")
		defer c.close()
		handles := submitMany(w, c, a, 20)
		expired := submitMany(w, c, dead, 20)
		wantAll(c, pb.OutcomeState_FORWARDED, handles)
		time.Sleep(25 * time.Hour)
		wantAll(c, pb.OutcomeState_EXPIRED, expired)
		if n := w.s.bodies.bytes + w.s.bodies.order.Len() + len(w.s.bodies.kept); n != 0 {
			t.Errorf("bodies hold %+v", w.s.bodies.bytes)
		}
		c.ack(handles...)
		c.ack(expired...)
		if n := w.s.states.bytes + w.s.states.order.Len() + len(w.s.states.known) + len(w.s.states.watching); n != 0 {
			t.Errorf("states hold %d bytes, %d watched", w.s.states.bytes, len(w.s.states.watching))
		}
	})
}

// slowLog holds up the settling of submissions, before it is stored or after.
type slowLog struct {
	eventlog.Log
	before, after chan struct{} // closed: go on
}

func (l *slowLog) Append(ctx context.Context, events ...eventlog.Event) ([]eventlog.Appended, error) {
	if events[0].Kind != KindForwarded {
		return l.Log.Append(ctx, events...)
	}
	<-l.before
	appended, err := l.Log.Append(ctx, events...)
	<-l.after
	return appended, err
}

func inSlowWorld(t *testing.T, test func(*world, *slowLog)) {
	synctest.Test(t, func(t *testing.T) {
		l := &slowLog{before: make(chan struct{}), after: make(chan struct{})}
		w := newWorld(t)
		w.wrap = func(inner eventlog.Log) eventlog.Log {
			l.Log = inner
			return l
		}
		w.start()
		defer w.stop()
		test(w, l)
		w.checkLog()
	})
}

// TestNothingIsToldBeforeItIsStored: an outcome that is on its way into the log is
// pending for everybody.
func TestNothingIsToldBeforeItIsStored(t *testing.T) {
	inSlowWorld(t, func(w *world, l *slowLog) {
		c := w.dial("alex")
		defer c.close()
		in := w.submission(w.agent(1))
		c.submitOK(in)
		if got := c.fetch(10*time.Second, in.Handle); got[0].State != pb.OutcomeState_PENDING {
			t.Fatalf("%v", got[0].State)
		}
		close(l.before)
		synctest.Wait()
		if got := c.fetch(10*time.Second, in.Handle); got[0].State != pb.OutcomeState_PENDING {
			t.Fatalf("%v before the log said that it is stored", got[0].State)
		}
		close(l.after)
		synctest.Wait()
		c.wantState(in.Handle, pb.OutcomeState_FORWARDED)
	})
}

// TestBlindAcknowledgement: an outcome that is acknowledged the moment it is stored,
// unseen, is forgotten once and does not come back from memory.
func TestBlindAcknowledgement(t *testing.T) {
	inSlowWorld(t, func(w *world, l *slowLog) {
		c := w.dial("alex")
		defer c.close()
		in := w.submission(w.agent(1))
		c.submitOK(in)
		close(l.before)
		synctest.Wait()
		c.ack(in.Handle, in.Handle)
		close(l.after)
		synctest.Wait()
		c.wantState(in.Handle, pb.OutcomeState_UNKNOWN)
		c.ack(in.Handle)
		if n := w.count(KindOutcomeAcknowledged); n != 1 {
			t.Fatalf("acknowledged %d times", n)
		}
		if st := w.stat(); st.Outcomes != 0 || st.Stored != 0 {
			t.Fatalf("%+v", st)
		}
	})
}

func TestConcurrentAcknowledgements(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c := w.dial("alex")
		defer c.close()
		handles := submitMany(w, c, w.agent(1), 50)
		wantAll(c, pb.OutcomeState_FORWARDED, handles)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { c.ack(handles...) })
		}
		all.Wait()
		if n := w.count(KindOutcomeAcknowledged); n != 50 {
			t.Fatalf("acknowledged %d times", n)
		}
	})
}

// TestSubmissionsTogether: submissions that share an append have no other's troubles.
func TestSubmissionsTogether(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c := w.dial("alex")
		defer c.close()
		a := w.agent(1)
		first := w.submission(a)
		conflict := w.submission(a)
		conflict.Handle = first.Handle
		c.submitOK(first)
		var all sync.WaitGroup
		for range 20 {
			in := w.submission(a)
			all.Go(func() { c.submitOK(in) })
			all.Go(func() { c.submitOK(in) }) // a repeat, perhaps in the same append
			all.Go(func() { c.submit(conflict) })
		}
		all.Wait()
		if n := w.count(KindSubmitted); n != 21 {
			t.Fatalf("%d submissions in the log", n)
		}
		synctest.Wait()
		if different, total := a.taken(); different != 21 || total != 21 {
			t.Fatalf("delivered %d, %d times", different, total)
		}
	})
}

func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var handled []int
		running, runs := 0, 0
		g := &group[int]{run: func(items []int) {
			mu.Lock()
			running++
			if runs++; running > groupRuns || len(items) > groupMost {
				t.Errorf("%d at once, of %d items", running, len(items))
			}
			handled = append(handled, items...)
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			running--
			mu.Unlock()
		}}
		const n = 1000
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() { g.do(i) })
		}
		all.Wait()
		slices.Sort(handled)
		for i, got := range handled {
			if got != i {
				t.Fatalf("item %d was handled as %d", i, got)
			}
		}
		if len(handled) != n || runs > n/groupMost+2*groupRuns || running != 0 || len(g.waiting) != 0 {
			t.Fatalf("%d handled in %d runs, %d running, %d waiting", len(handled), runs, g.running, len(g.waiting))
		}
		g.do(n)
	})
}
