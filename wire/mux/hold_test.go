package mux_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"communicator/wire/mux"
)

// countedConn counts writes.
type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countedConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// TestHeldItemsLeaveWithTheLastAnswer: what Hold promises saves the writes between. A
// writer that has just begun may take the first item along before it waits.
func TestHeldItemsLeaveWithTheLastAnswer(t *testing.T) {
	for hold, want := range map[bool]int64{false: 4, true: 2} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			var writes atomic.Int64
			h := mux.HandlerFunc(func(_ context.Context, _ []byte, w mux.ReplyWriter) error {
				if hold {
					w.Hold()
				}
				for range 3 {
					if err := w.Item(&response{Status: 1}); err != nil {
						return err
					}
					time.Sleep(time.Millisecond)
				}
				return w.Reply(&response{Status: 2})
			})
			ended := make(chan error)
			go func() { ended <- mux.Serve(t.Context(), countedConn{far, &writes}, h, mux.Limits{}) }()
			client := mux.NewClient(near, mux.Limits{})
			items, err := client.Stream(t.Context(), &request{})
			if err != nil {
				t.Fatal(err)
			}
			for i, more := 0, true; more; i++ {
				var resp response
				if more, err = items.Next(t.Context(), &resp); err != nil || more != (i < 3) {
					t.Fatalf("answer %d: %v, more %v", i, err, more)
				}
			}
			items.Close()
			if n := writes.Load(); n > want || !hold && n < want {
				t.Errorf("hold %v: %d writes, want %d", hold, n, want)
			}
			_ = client.Close()
			<-ended
		})
	}
}

// TestHeldItemsLeaveWhenThereIsNoRoom: holding more than fits does not wait for itself.
func TestHeldItemsLeaveWhenThereIsNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := serve(t, mux.HandlerFunc(func(_ context.Context, _ []byte, w mux.ReplyWriter) error {
			w.Hold()
			for range 100 {
				if err := w.Item(&response{Outcome: make([]byte, 1000)}); err != nil {
					return err
				}
			}
			return w.Reply(&response{})
		}), mux.Limits{MaxUnsent: 10_000})
		items, err := client.Stream(t.Context(), &request{})
		if err != nil {
			t.Fatal(err)
		}
		defer items.Close()
		for n := 0; ; n++ {
			more, err := items.Next(t.Context(), &response{})
			if err != nil {
				t.Fatal(err)
			}
			if !more {
				if n != 100 {
					t.Fatalf("%d items", n)
				}
				return
			}
		}
	})
}

// TestRequestContexts: a request's context ends with its CANCEL, whether or not anybody
// had asked for its Done by then, and so do contexts derived from it.
func TestRequestContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type seen struct{ early, late, derived, cause error }
		results := make(chan seen, 2)
		cancelled := make(chan struct{})
		client, _ := serve(t, mux.HandlerFunc(func(ctx context.Context, body []byte, _ mux.ReplyWriter) error {
			s := seen{early: ctx.Err()}
			inner := ctx
			if len(body) > 0 { // one derives before, one after
				var stop context.CancelFunc
				inner, stop = context.WithTimeout(ctx, time.Hour)
				defer stop()
			}
			<-cancelled
			if len(body) == 0 {
				s.late = ctx.Err()
				var stop context.CancelFunc
				inner, stop = context.WithTimeout(ctx, time.Hour)
				defer stop()
			}
			<-inner.Done()
			s.late, s.derived, s.cause = ctx.Err(), inner.Err(), context.Cause(inner)
			results <- s
			return ctx.Err()
		}), mux.Limits{})
		for _, req := range []*request{{}, {NotAfter: 1}} {
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				synctest.Wait()
				cancel()
			}()
			if err := client.Call(ctx, req, &response{}); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		close(cancelled)
		for range 2 {
			s := <-results
			if s.early != nil || !errors.Is(s.late, context.Canceled) || !errors.Is(s.derived, context.Canceled) || !errors.Is(s.cause, context.Canceled) {
				t.Errorf("%+v", s)
			}
		}
	})
}
