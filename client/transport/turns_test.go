package transport

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"communicator/wire"
)

// watching is a pool of which nobody dials, and what a test knows of its relationships.
type watching struct {
	*Pool
	t    *testing.T
	last map[byte]time.Time // when those that are active were so last
}

func newWatching(t *testing.T, o Options) *watching {
	w := &watching{t: t, last: map[byte]time.Time{}}
	o.Active = func(key Key) (time.Time, bool) {
		last, active := w.last[key.Relationship[0]]
		return last, active
	}
	w.Pool = newPool(t, o)
	return w
}

func keyAt(relationship, agent byte) Key {
	return Key{Relationship: [16]byte{relationship}, Agent: wire.AgentID{agent}}
}

// ask lets somebody watch, and returns where the lease comes.
func (w *watching) ask(key Key, due time.Duration) <-chan *Lease {
	got := make(chan *Lease, 1)
	go func() {
		l, err := w.Watch(context.Background(), key, Target{}, due)
		if err != nil {
			return
		}
		got <- l
	}()
	synctest.Wait()
	return got
}

// have takes a lease that must be there.
func (w *watching) have(got <-chan *Lease, what string) *Lease {
	w.t.Helper()
	synctest.Wait()
	select {
	case l := <-got:
		return l
	default:
		w.t.Fatalf("%s has no connection", what)
		return nil
	}
}

func (w *watching) yields(l *Lease, want bool, what string) {
	w.t.Helper()
	synctest.Wait()
	select {
	case <-l.Yield():
		if !want {
			w.t.Errorf("%s has to yield", what)
		}
	default:
		if want {
			w.t.Errorf("%s does not yield", what)
		}
	}
}

func TestActiveRelationshipsWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatching(t, Options{MaxOpen: 2})
		now := time.Now()
		w.last[1], w.last[2] = now.Add(-2*time.Minute), now.Add(-time.Minute)
		one := w.have(w.ask(keyAt(1, 1), 0), "the first")
		two := w.have(w.ask(keyAt(2, 1), 0), "the second")
		one.Settle()
		two.Settle()
		quiet := w.ask(keyAt(3, 1), time.Hour)
		w.yields(one, false, "an active one, to a quiet one")
		active := w.ask(keyAt(4, 1), time.Hour)
		w.last[4] = now
		w.Reconsider()
		w.yields(one, true, "the one that was active longest ago")
		w.yields(two, false, "the other")
		one.Release()
		four := w.have(active, "the one that became active")
		// Who has yielded was active before all that are watched, so waits until it is due.
		back := w.ask(keyAt(1, 1), time.Minute)
		four.Settle()
		w.yields(two, false, "an active one, to one that was active before")
		time.Sleep(time.Minute)
		w.yields(two, true, "an active one, to one that is due")
		w.yields(four, false, "another")
		two.Release()
		w.have(back, "the one that was due")
		if len(quiet) > 0 {
			t.Error("a quiet one came before its turn")
		}
		w.Close()
	})
}

// TestTheLastSlotGoesRound: quiet relationships are visited when they are due, one after
// the other, each for as long as it needs, and only one of those that watch makes way.
func TestTheLastSlotGoesRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatching(t, Options{MaxOpen: 2})
		w.last[1] = time.Now()
		watching := w.have(w.ask(keyAt(1, 1), 0), "the active one")
		watching.Settle()
		holder := w.have(w.ask(keyAt(2, 1), 0), "the first quiet one")
		second, third := w.ask(keyAt(3, 1), 0), w.ask(keyAt(4, 1), 0)
		w.yields(holder, false, "a visit that is not over")
		holder.Settle()
		w.yields(holder, true, "the visit that is over")
		holder.Release()
		holder = w.have(second, "the second quiet one")
		w.yields(holder, false, "a visit that has begun")
		holder.Settle()
		w.yields(holder, true, "the second visit")
		holder.Release()
		holder = w.have(third, "the third quiet one")
		holder.Settle()
		w.yields(holder, false, "the last visit, with nobody waiting")
		w.yields(watching, false, "the active one")
		w.Close()
	})
}

// TestOneAgentHasSoMany: connections at one agent are bounded apart, work there has one of
// its watchers yield, and others are not asked.
func TestOneAgentHasSoMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatching(t, Options{MaxOpen: 10, MaxPerAgent: 2})
		one := w.have(w.ask(keyAt(1, 1), 0), "the first")
		w.have(w.ask(keyAt(2, 1), 0), "the second")
		elsewhere := w.have(w.ask(keyAt(3, 2), 0), "one at another agent")
		if waits := w.ask(keyAt(4, 1), time.Hour); len(waits) > 0 {
			t.Error("a third connection at one agent")
		}
		work := make(chan *Lease, 1)
		go func() {
			l, err := w.Take(context.Background(), keyAt(5, 1), Target{})
			if err != nil {
				t.Error(err)
			}
			work <- l
		}()
		w.yields(one, true, "a watcher at the agent")
		w.yields(elsewhere, false, "a watcher elsewhere")
		one.Release()
		w.have(work, "work")
		w.Close()
	})
}

// TestAgentThatTakesFewer: an agent that hangs up on one connection more than the others
// is not asked for so many again until later.
func TestAgentThatTakesFewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatching(t, Options{MaxOpen: 10})
		var held []*Lease
		for i := range byte(3) {
			held = append(held, w.have(w.ask(keyAt(i, 1), 0), "a watcher"))
		}
		w.brokenOff(wire.AgentID{1})
		held[2].Release()
		w.Pool.CloseIdle()
		late := w.ask(keyAt(3, 1), time.Hour)
		if len(late) > 0 {
			t.Error("a third connection to an agent that takes two")
		}
		w.have(w.ask(keyAt(4, 2), 0), "a watcher at another agent")
		time.Sleep(tightFor)
		w.Reconsider()
		w.have(late, "the third watcher, later")
		w.Close()
	})
}
