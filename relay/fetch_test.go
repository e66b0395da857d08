package relay

import (
	"sync"
	"testing"
	"time"

	"communicator/wire"
	"communicator/wire/pb"
)

func TestTooManyHandles(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c := w.dial("")
		defer c.close()
		handles := make([][]byte, 65)
		for i := range handles {
			handles[i] = make([]byte, 32)
		}
		if _, got := c.tryFetch(0, handles...); got != wire.StatusTooLarge {
			t.Fatalf("65 handles: %v", got)
		}
		if got := c.ack(handles...); got != wire.StatusTooLarge {
			t.Fatalf("65 acknowledgements: %v", got)
		}
		if _, got := c.tryFetch(0, make([]byte, 31)); got != wire.StatusMalformed {
			t.Fatalf("a short handle: %v", got)
		}
		if states := c.fetch(time.Minute, handles[:64]...); len(states) != 64 {
			t.Fatalf("%d states", len(states))
		}
	})
}

func TestLongPoll(t *testing.T) {
	patient := func(w *world) { w.limits.Queue.ProbeTimeout = time.Hour }
	inWorld(t, patient, func(w *world) {
		a, dead := w.agent(1), w.agent(2)
		dead.set(func(a *fakeAgent) { a.down = true })
		hang := make(chan struct{})
		a.set(func(a *fakeAgent) { a.hang = hang })
		c := w.dial("alex")
		defer c.close()
		in, never := w.submission(a), w.submission(dead)
		c.submitOK(in)
		c.submitOK(never)

		start := time.Now()
		if got := c.fetch(20*time.Second, never.Handle); got[0].State != pb.OutcomeState_PENDING {
			t.Fatalf("%v", got)
		}
		if waited := time.Since(start); waited != 20*time.Second {
			t.Fatalf("waited %v", waited)
		}
		start = time.Now()
		if c.fetch(time.Hour, never.Handle); time.Since(start) != time.Minute {
			t.Fatalf("waited %v, over the cap", time.Since(start))
		}
		start = time.Now()
		time.AfterFunc(5*time.Second, func() { close(hang) })
		got := c.fetch(time.Minute, never.Handle, in.Handle)
		if waited := time.Since(start); waited != 5*time.Second {
			t.Fatalf("waited %v for an outcome that came after 5 s", waited)
		}
		if got[0].State != pb.OutcomeState_PENDING || got[1].State != pb.OutcomeState_FORWARDED {
			t.Fatalf("%v", got)
		}
		start = time.Now()
		c.fetch(time.Minute, make([]byte, 32))
		c.fetch(time.Minute, never.Handle, in.Handle)
		if time.Since(start) != 0 {
			t.Fatal("waited though there was something to tell, or nothing to wait for")
		}
	})
}

// TestNoLostWakeUp races fetches against the outcomes that they wait for: none may
// wait out its minute.
func TestNoLostWakeUp(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		c := w.dial("alex")
		defer c.close()
		start := time.Now()
		var all sync.WaitGroup
		for range 300 {
			in := w.submission(a)
			all.Go(func() {
				c.submitOK(in)
				if got := c.fetch(time.Minute, in.Handle); got[0].State != pb.OutcomeState_FORWARDED {
					t.Errorf("%v", got[0].State)
				}
			})
		}
		all.Wait()
		if waited := time.Since(start); waited >= time.Minute {
			t.Fatalf("waited %v", waited)
		}
	})
}
