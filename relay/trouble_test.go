package relay

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"communicator/eventlog"
	"communicator/wire"
	"communicator/wire/pb"
)

// troubledLog refuses appends as a log in trouble does.
type troubledLog struct {
	eventlog.Log
	mu      sync.Mutex
	growing error // of submissions
	all     error // of everything else
}

func (l *troubledLog) refusal(growing bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if growing {
		return l.growing
	}
	return l.all
}

func (l *troubledLog) set(growing, all error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.growing, l.all = growing, all
}

func (l *troubledLog) Append(ctx context.Context, events ...eventlog.Event) ([]eventlog.Appended, error) {
	if err := l.refusal(Growing(events[0].Kind)); err != nil {
		return nil, err
	}
	return l.Log.Append(ctx, events...)
}

func (l *troubledLog) Decide(ctx context.Context, d eventlog.Decision) ([]eventlog.Appended, error) {
	if err := l.refusal(false); err != nil {
		return nil, err
	}
	return l.Log.Decide(ctx, d)
}

func TestLogInTrouble(t *testing.T) {
	var log *troubledLog
	setup := func(w *world) {
		w.wrap = func(l eventlog.Log) eventlog.Log {
			log = &troubledLog{Log: l}
			return log
		}
	}
	inWorld(t, setup, func(w *world) {
		a := w.agent(1)
		c := w.dial("alex")
		defer c.close()
		first, second := w.submission(a), w.submission(a)
		a.set(func(a *fakeAgent) { a.down = true })
		c.submitOK(first)

		log.set(eventlog.ErrStorageFull, nil)
		resp := c.submit(second)
		if wire.Status(resp.Status) != wire.StatusStorageFull || resp.RetryAfterSeconds == 0 {
			t.Fatalf("disk low: %v", resp)
		}
		// Delivering goes on, which frees space.
		a.set(func(a *fakeAgent) { a.down = false })
		if got := c.fetch(time.Minute, first.Handle); got[0].State != pb.OutcomeState_FORWARDED {
			t.Fatalf("disk low: %v", got)
		}
		log.set(eventlog.ErrReadOnly, eventlog.ErrReadOnly)
		resp = c.submit(second)
		if wire.Status(resp.Status) != wire.StatusReadOnly || resp.RetryAfterSeconds == 0 {
			t.Fatalf("read-only: %v", resp)
		}
		c.wantState(first.Handle, pb.OutcomeState_FORWARDED)
		if got := c.ack(first.Handle); got != wire.StatusReadOnly {
			t.Fatalf("ack while read-only: %v", got)
		}
		log.set(nil, nil)
		c.submitOK(second)
		c.fetch(time.Minute, second.Handle)

		// An outcome that cannot be stored is asked for again.
		third := w.submission(a)
		log.set(nil, eventlog.ErrReadOnly)
		a.set(func(a *fakeAgent) { a.puts = map[string]int{} })
		c.submitOK(third)
		if got := c.fetch(10*time.Second, third.Handle); got[0].State != pb.OutcomeState_PENDING {
			t.Fatalf("an outcome that could not be stored: %v", got)
		}
		log.set(nil, nil)
		c.fetch(time.Minute, third.Handle)
		if different, total := a.taken(); different != 1 || total < 2 {
			t.Fatalf("%d puts, %d times", different, total)
		}
	})
}

func TestClockInDoubt(t *testing.T) {
	ok := make(chan bool, 1)
	ok <- true
	read := func() bool { v := <-ok; ok <- v; return v }
	set := func(v bool) { <-ok; ok <- v }
	setup := func(w *world) { w.tweak = func(c *Config) { c.ClockOK = read } }
	inWorld(t, setup, func(w *world) {
		a := w.agent(1)
		a.set(func(a *fakeAgent) { a.down = true })
		c := w.dial("alex")
		defer c.close()
		in := w.submission(a)
		c.submitOK(in)
		set(false)
		time.Sleep(20 * 24 * time.Hour)
		if got := wire.Status(c.submit(w.submission(a)).Status); got != wire.StatusTryAgain {
			t.Fatalf("while the clock is in doubt: %v", got)
		}
		c.wantState(in.Handle, pb.OutcomeState_PENDING)
		set(true)
		time.Sleep(2 * tickMax)
		c.wantState(in.Handle, pb.OutcomeState_EXPIRED)
	})
}

func TestFailedLogEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log *troubledLog
		w := newWorld(t)
		w.wrap = func(l eventlog.Log) eventlog.Log {
			log = &troubledLog{Log: l}
			return log
		}
		w.start()
		c := w.dial("alex")
		log.set(eventlog.ErrFailed, eventlog.ErrFailed)
		_ = c.c.Call(context.Background(), &pb.SubmitRequest{
			Op: &pb.SubmitRequest_Submit{Submit: w.submission(w.agent(1))},
		}, &pb.SubmitResponse{}) // the stream may end before the answer is out
		if err := <-w.stopped; !errors.Is(err, eventlog.ErrFailed) {
			t.Fatalf("Run: %v", err)
		}
		c.close()
		w.stopped <- nil
		w.stop()
	})
}

// TestManyRowsAtStart crosses the chunks in which rows are read.
func TestManyRowsAtStart(t *testing.T) {
	const n = scanChunk + 100
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		events := make([]eventlog.Event, n)
		for i := range events {
			in := w.submission(a)
			_, body, err := w.s.check(time.Now(), in)
			if err != nil {
				t.Fatal(err)
			}
			if events[i], err = submitted(wire.Handle(in.Handle).Hash(), body); err != nil {
				t.Fatal(err)
			}
		}
		for len(events) > 0 {
			some := events[:min(1000, len(events))]
			if _, err := w.log.Append(context.Background(), some...); err != nil {
				t.Fatal(err)
			}
			events = events[len(some):]
		}
		w.restart()
		time.Sleep(time.Minute)
		if different, total := a.taken(); different != n || total != n {
			t.Fatalf("%d of %d delivered, %d times", different, n, total)
		}
	})
}
