package mux_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"communicator/wire/mux"
	"communicator/wire/pb"

	"google.golang.org/protobuf/proto"
)

// The tests speak the deliver protocol's messages; mux does not care which.
type (
	request  = pb.DeliverRequest
	response = pb.DeliverResponse
)

// echo answers with the payload as the outcome.
var echo = mux.HandlerFunc(func(ctx context.Context, body []byte, w mux.ReplyWriter) error {
	var req request
	if err := proto.Unmarshal(body, &req); err != nil {
		return err
	}
	return w.Reply(&response{Status: 1, Outcome: req.Payload})
})

// serve starts a server on one end of a pipe and returns a client on the other. Its
// second result waits for Serve to return and gives its error.
func serve(t *testing.T, h mux.Handler, l mux.Limits) (*mux.Client, func() error) {
	t.Helper()
	near, far := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- mux.Serve(t.Context(), far, h, l) }()
	client := mux.NewClient(near, l)
	wait := sync.OnceValue(func() error { return <-ended })
	t.Cleanup(func() { _ = client.Close(); _ = wait() })
	return client, wait
}

func TestCallsAreAnsweredInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The first request is answered last.
		release := make(chan struct{})
		client, _ := serve(t, mux.HandlerFunc(func(ctx context.Context, body []byte, w mux.ReplyWriter) error {
			var req request
			if err := proto.Unmarshal(body, &req); err != nil {
				return err
			}
			if req.NotAfter == 1 {
				<-release
			}
			return w.Reply(&response{RetryAfterSeconds: uint32(req.NotAfter)})
		}), mux.Limits{})
		first := make(chan error, 1)
		go func() {
			var resp response
			err := client.Call(t.Context(), &request{NotAfter: 1}, &resp)
			if err == nil && resp.RetryAfterSeconds != 1 {
				err = errors.New("another request's answer")
			}
			first <- err
		}()
		synctest.Wait()
		for n := uint64(2); n < 50; n++ {
			var resp response
			if err := client.Call(t.Context(), &request{NotAfter: n}, &resp); err != nil {
				t.Fatal(err)
			}
			if resp.RetryAfterSeconds != uint32(n) {
				t.Fatalf("asked %d, got the answer to %d", n, resp.RetryAfterSeconds)
			}
		}
		close(release)
		if err := <-first; err != nil {
			t.Fatal(err)
		}
	})
}

func TestManyCallersShareAStream(t *testing.T) {
	client, wait := serve(t, echo, mux.Limits{MaxInFlight: 16})
	var group sync.WaitGroup
	for caller := range 64 {
		group.Go(func() {
			for n := range 20 {
				payload := make([]byte, caller*20+n)
				for i := range payload {
					payload[i] = byte(caller)
				}
				var resp response
				if err := client.Call(t.Context(), &request{Payload: payload}, &resp); err != nil {
					t.Error(err)
					return
				}
				if string(resp.Outcome) != string(payload) {
					t.Errorf("caller %d got another answer", caller)
					return
				}
			}
		})
	}
	group.Wait()
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if err := wait(); err != nil {
		t.Errorf("Serve after a clean close: %v", err)
	}
}

// count answers with n items and a last answer.
func count(n int, size int) mux.Handler {
	return mux.HandlerFunc(func(ctx context.Context, body []byte, w mux.ReplyWriter) error {
		for i := range n {
			if err := w.Item(&response{Status: uint32(i), Outcome: make([]byte, size)}); err != nil {
				return err
			}
		}
		return w.Reply(&response{Status: uint32(n)})
	})
}

func TestItemsThenTheLastAnswer(t *testing.T) {
	client, _ := serve(t, count(100, 10), mux.Limits{})
	items, err := client.Stream(t.Context(), &request{})
	if err != nil {
		t.Fatal(err)
	}
	defer items.Close()
	for want := range uint32(101) {
		var resp response
		more, err := items.Next(t.Context(), &resp)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Status != want || more != (want < 100) {
			t.Fatalf("answer %d: status %d, more %v", want, resp.Status, more)
		}
	}
	if _, err := items.Next(t.Context(), &response{}); err != io.EOF {
		t.Errorf("after the last answer: %v", err)
	}
	items.Close()
	items.Close()
	if _, err := items.Next(t.Context(), &response{}); err != io.EOF {
		t.Errorf("after Close: %v", err)
	}
}

func TestCancelReachesTheHandler(t *testing.T) {
	for name, ask := range map[string]func(context.Context, *mux.Client) error{
		"call": func(ctx context.Context, c *mux.Client) error {
			return c.Call(ctx, &request{}, &response{})
		},
		"items": func(ctx context.Context, c *mux.Client) error {
			items, err := c.Stream(ctx, &request{})
			if err != nil {
				return err
			}
			defer items.Close()
			_, err = items.Next(ctx, &response{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cancelled atomic.Bool
				var calls atomic.Int32
				client, _ := serve(t, mux.HandlerFunc(func(ctx context.Context, body []byte, w mux.ReplyWriter) error {
					if calls.Add(1) > 1 {
						return w.Reply(&response{Status: 1})
					}
					<-ctx.Done()
					cancelled.Store(true)
					return ctx.Err()
				}), mux.Limits{})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := ask(ctx, client); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("asking: %v", err)
				}
				synctest.Wait()
				if !cancelled.Load() {
					t.Error("the handler was not cancelled")
				}
				// The stream goes on.
				if err := client.Call(t.Context(), &request{}, &response{}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestFaultEndsTheStream(t *testing.T) {
	fault := errors.New("broken")
	for name, test := range map[string]struct {
		handler mux.HandlerFunc
		check   func(error) bool
	}{
		"error": {
			func(context.Context, []byte, mux.ReplyWriter) error { return fault },
			func(err error) bool { return errors.Is(err, fault) },
		},
		"panic": {
			func(context.Context, []byte, mux.ReplyWriter) error { panic("broken") },
			func(err error) bool {
				var p *mux.PanicError
				return errors.As(err, &p) && p.Value == "broken" && len(p.Stack) > 0
			},
		},
		"no reply": {
			func(context.Context, []byte, mux.ReplyWriter) error { return nil },
			func(err error) bool { return errors.Is(err, mux.ErrNoReply) },
		},
		"two replies": {
			func(_ context.Context, _ []byte, w mux.ReplyWriter) error {
				if err := w.Reply(&response{}); err != nil {
					return err
				}
				return w.Reply(&response{})
			},
			func(err error) bool { return errors.Is(err, mux.ErrReplied) },
		},
		"oversized reply": {
			func(_ context.Context, _ []byte, w mux.ReplyWriter) error {
				return w.Reply(&response{Outcome: make([]byte, 80<<10)})
			},
			func(err error) bool { return errors.Is(err, mux.ErrTooLarge) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, wait := serve(t, test.handler, mux.Limits{})
				err := client.Call(t.Context(), &request{}, &response{})
				if name != "two replies" && err == nil {
					t.Error("the call succeeded")
				}
				if err := wait(); !test.check(err) {
					t.Errorf("Serve returned %v", err)
				}
				<-client.Done()
				if err := client.Call(t.Context(), &request{}, &response{}); err == nil {
					t.Error("a call on an ended stream succeeded")
				}
			})
		})
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- mux.Serve(ctx, far, mux.HandlerFunc(func(ctx context.Context, _ []byte, _ mux.ReplyWriter) error {
				<-ctx.Done()
				return ctx.Err()
			}), mux.Limits{})
		}()
		client := mux.NewClient(near, mux.Limits{})
		defer client.Close()
		failed := make(chan error, 1)
		go func() { failed <- client.Call(t.Context(), &request{}, &response{}) }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
		if err := <-failed; !errors.Is(err, mux.ErrEnded) {
			t.Errorf("Call: %v", err)
		}
	})
}

func TestCloseFailsWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, wait := serve(t, mux.HandlerFunc(func(ctx context.Context, _ []byte, _ mux.ReplyWriter) error {
			<-ctx.Done()
			return ctx.Err()
		}), mux.Limits{})
		failed := make(chan error, 1)
		go func() { failed <- client.Call(t.Context(), &request{}, &response{}) }()
		synctest.Wait()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if err := <-failed; !errors.Is(err, mux.ErrClosed) {
			t.Errorf("Call: %v", err)
		}
		if err := client.Call(t.Context(), &request{}, &response{}); !errors.Is(err, mux.ErrClosed) {
			t.Errorf("Call after Close: %v", err)
		}
		if err := wait(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestAnswerThatIsNotTheMessage(t *testing.T) {
	client, _ := serve(t, mux.HandlerFunc(func(_ context.Context, _ []byte, w mux.ReplyWriter) error {
		return w.Reply(&pb.FetchDescriptor{Uri: "/x"}) // field 1 is a string here, a number there
	}), mux.Limits{})
	// An unknown or mistyped field is skipped by protobuf; a truncated one is an error.
	if err := client.Call(t.Context(), &request{}, &response{}); err != nil {
		t.Errorf("mistyped field: %v", err)
	}
	client, _ = serve(t, mux.HandlerFunc(func(_ context.Context, _ []byte, w mux.ReplyWriter) error {
		return w.Reply(&pb.Frame{Body: []byte{0xff, 0xff}, Type: 1}) // inside, not a Frame itself
	}), mux.Limits{})
	var nested pb.SubmitResponse // its field 3 is a message
	if err := client.Call(t.Context(), &request{}, &nested); !errors.Is(err, mux.ErrBody) {
		t.Errorf("malformed body: %v", err)
	}
	if err := client.Call(t.Context(), &request{}, &response{}); err != nil {
		t.Errorf("the stream should go on: %v", err)
	}
}
