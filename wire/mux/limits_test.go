package mux_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"

	"google.golang.org/protobuf/proto"
)

// frame returns one frame as any implementation would send it.
func frame(id uint64, kind pb.Frame_Type, body []byte) []byte {
	b, err := proto.Marshal(&pb.Frame{Id: id, Type: kind, Body: body})
	if err != nil {
		panic(err)
	}
	return prefixed(b)
}

func prefixed(b []byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(b))), b...) }

func TestBrokenRulesEndTheStream(t *testing.T) {
	hang := mux.HandlerFunc(func(ctx context.Context, _ []byte, _ mux.ReplyWriter) error {
		<-ctx.Done()
		return ctx.Err()
	})
	for name, test := range map[string]struct {
		input []byte
		want  error
	}{
		"length zero":         {[]byte{0}, mux.ErrProtocol},
		"length not minimal":  {[]byte{0x85, 0x00, 1, 2, 3, 4, 5}, mux.ErrProtocol},
		"length over maximum": {binary.AppendUvarint(nil, wire.MaxFrame+1), mux.ErrTooLarge},
		"length over 35 bits": {[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, mux.ErrTooLarge},
		"no id":               {frame(0, pb.Frame_REQUEST, []byte("x")), mux.ErrProtocol},
		"unknown type":        {frame(1, 7, nil), mux.ErrProtocol},
		"response":            {frame(1, pb.Frame_RESPONSE, nil), mux.ErrProtocol},
		"item":                {frame(1, pb.Frame_ITEM, nil), mux.ErrProtocol},
		"not protobuf":        {[]byte{2, 0xff, 0xff}, mux.ErrProtocol},
		"too deep":            {prefixed(bytes.Repeat([]byte{4<<3 | 3}, wire.MaxFrame-8)), mux.ErrProtocol}, // groups within groups
		"number in use":       {append(frame(3, 0, nil), frame(3, 0, nil)...), mux.ErrProtocol},
		"ends within a frame": {frame(1, 0, []byte("hello"))[:6], io.ErrUnexpectedEOF},
		"ends within length":  {[]byte{0x85}, io.ErrUnexpectedEOF},
		"cancel of nothing":   {frame(9, pb.Frame_CANCEL, nil), nil},
		"nothing at all":      {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				ended := make(chan error, 1)
				go func() { ended <- mux.Serve(t.Context(), far, hang, mux.Limits{}) }()
				_, _ = near.Write(test.input) // fails where the server has had enough
				_ = near.Close()
				if err := <-ended; !errors.Is(err, test.want) {
					t.Errorf("Serve: %v, want %v", err, test.want)
				}
			})
		})
	}
}

// TestTooLongIsRefusedBeforeAllocating announces frames that nobody holds in memory.
func TestTooLongIsRefusedBeforeAllocating(t *testing.T) {
	for _, size := range []uint64{wire.MaxFrame + 1, 1 << 20, 1 << 34} {
		var before, after runtime.MemStats
		input := endOf{bytes.NewReader(binary.AppendUvarint(nil, size))}
		runtime.ReadMemStats(&before)
		err := mux.Serve(t.Context(), input, echo, mux.Limits{})
		runtime.ReadMemStats(&after)
		if !errors.Is(err, mux.ErrTooLarge) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
			t.Errorf("%d bytes: allocated %d", size, got)
		}
	}
}

// endOf is a stream of which only the reading direction matters.
type endOf struct{ io.Reader }

func (endOf) Write(b []byte) (int, error) { return len(b), nil }
func (endOf) Close() error                { return nil }

func TestBrokenAnswersEndTheClient(t *testing.T) {
	for name, answer := range map[string][]byte{
		"request":            frame(1, pb.Frame_REQUEST, nil),
		"item for a call":    frame(1, pb.Frame_ITEM, nil),
		"answer to nothing":  frame(2, pb.Frame_RESPONSE, nil),
		"length not minimal": {0x80, 0x00},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				client := mux.NewClient(near, mux.Limits{})
				go func() {
					_, _ = io.ReadAtLeast(far, make([]byte, 64), 2)
					_, _ = far.Write(answer)
				}()
				if err := client.Call(t.Context(), &request{}, &response{}); !errors.Is(err, mux.ErrProtocol) {
					t.Errorf("Call: %v", err)
				}
				if err := client.Close(); !errors.Is(err, mux.ErrProtocol) {
					t.Errorf("Close: %v", err)
				}
			})
		})
	}
}

func TestAnOversizedRequestHarmsOnlyItself(t *testing.T) {
	client, _ := serve(t, echo, mux.Limits{})
	err := client.Call(t.Context(), &request{Payload: make([]byte, wire.MaxFrame)}, &response{})
	if !errors.Is(err, mux.ErrTooLarge) {
		t.Errorf("oversized: %v", err)
	}
	var resp response
	payload := make([]byte, wire.MaxPayload)
	if err := client.Call(t.Context(), &request{Payload: payload}, &resp); err != nil {
		t.Fatalf("the largest payload: %v", err)
	}
	if len(resp.Outcome) != len(payload) {
		t.Errorf("%d bytes came back", len(resp.Outcome))
	}
}

func TestSlowPeersAreCutOff(t *testing.T) {
	whole := frame(1, pb.Frame_REQUEST, []byte("hello"))
	for name, test := range map[string]struct {
		peer func(net.Conn)
		at   time.Duration
	}{
		"says nothing":       {func(net.Conn) {}, 5 * time.Second},
		"stops in the first": {func(c net.Conn) { _, _ = c.Write(whole[:4]) }, 30 * time.Second},
		"stops in the length": {func(c net.Conn) { _, _ = c.Write(append(whole, 0x85)) },
			30 * time.Second},
		"drips": {func(c net.Conn) {
			long := frame(1, pb.Frame_REQUEST, make([]byte, 1000))
			for i := range long {
				if _, err := c.Write(long[i : i+1]); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				begun := time.Now()
				var peer sync.WaitGroup
				peer.Go(func() { test.peer(near) })
				peer.Go(func() { _, _ = io.Copy(io.Discard, near) })
				defer peer.Wait()
				h := mux.HandlerFunc(func(_ context.Context, _ []byte, w mux.ReplyWriter) error {
					return w.Reply(&response{})
				})
				err := mux.Serve(t.Context(), far, h, mux.Limits{})
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Serve: %v", err)
				}
				if took := time.Since(begun); took != test.at {
					t.Errorf("cut off after %v, want %v", took, test.at)
				}
			})
		})
	}
}

func TestASilentWatcherStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := serve(t, mux.HandlerFunc(func(ctx context.Context, _ []byte, w mux.ReplyWriter) error {
			select {
			case <-time.After(20 * 24 * time.Hour):
				return w.Reply(&response{Status: 1})
			case <-ctx.Done():
				return ctx.Err()
			}
		}), mux.Limits{})
		if err := client.Call(t.Context(), &request{}, &response{}); err != nil {
			t.Error(err)
		}
	})
}

func TestAPeerThatDoesNotReadIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() { _, _ = near.Write(frame(1, 0, nil)) }()
		var sent atomic.Int64
		err := mux.Serve(t.Context(), far, mux.HandlerFunc(func(ctx context.Context, _ []byte, w mux.ReplyWriter) error {
			for {
				if err := w.Item(&response{Outcome: make([]byte, 60<<10)}); err != nil {
					return err
				}
				sent.Add(60 << 10)
			}
		}), mux.Limits{})
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Serve: %v", err)
		}
		if most := int64(mux.Limits{}.Memory()); sent.Load() > most {
			t.Errorf("%d bytes queued for a peer that reads nothing; at most %d", sent.Load(), most)
		}
		_ = near.Close()
	})
}

func TestInFlightIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		release := make(chan struct{})
		h := mux.HandlerFunc(func(_ context.Context, _ []byte, w mux.ReplyWriter) error {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-release
			now.Add(-1)
			return w.Reply(&response{})
		})
		near, far := net.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- mux.Serve(t.Context(), far, h, mux.Limits{MaxInFlight: 4}) }()
		client := mux.NewClient(near, mux.Limits{MaxInFlight: 32}) // asks for more than it gets
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				if err := client.Call(t.Context(), &request{}, &response{}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if now.Load() != 4 {
			t.Errorf("%d requests served at once", now.Load())
		}
		close(release)
		group.Wait()
		if most.Load() != 4 {
			t.Errorf("at most %d requests were served at once, want 4", most.Load())
		}
		_ = client.Close()
		<-ended
	})
}

func TestServedBytesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Int64
		release := make(chan struct{})
		client, _ := serve(t, mux.HandlerFunc(func(_ context.Context, _ []byte, w mux.ReplyWriter) error {
			now.Add(1)
			<-release
			return w.Reply(&response{})
		}), mux.Limits{MaxServing: 200 << 10})
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				if err := client.Call(t.Context(), &request{Payload: make([]byte, 60<<10)}, &response{}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if now.Load() != 2 { // 200 KiB hold two buffers of 73
			t.Errorf("%d large requests served at once", now.Load())
		}
		close(release)
		group.Wait()
	})
}

func TestALoneSlowConsumerSetsThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var produced atomic.Int64
		const total, size = 400, 10 << 10
		client, _ := serve(t, mux.HandlerFunc(func(_ context.Context, _ []byte, w mux.ReplyWriter) error {
			for range total {
				if err := w.Item(&response{Outcome: make([]byte, size)}); err != nil {
					return err
				}
				produced.Add(1)
			}
			return w.Reply(&response{})
		}), mux.Limits{MaxUnread: 100 << 10, MaxUnsent: 50 << 10})
		items, err := client.Stream(t.Context(), &request{})
		if err != nil {
			t.Fatal(err)
		}
		defer items.Close()
		synctest.Wait()
		if n := produced.Load(); n == 0 || n > 50 {
			t.Errorf("%d items produced for a consumer that has read none", n)
		}
		for n := 0; ; n++ {
			more, err := items.Next(t.Context(), &response{})
			if err != nil {
				t.Fatal(err)
			}
			if !more {
				if n != total {
					t.Errorf("%d items arrived", n)
				}
				return
			}
		}
	})
}

// A consumer that asks something else on the same stream before it reads its items must
// not wait for itself.
func TestASlowConsumerDoesNotBlockOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := serve(t, mux.HandlerFunc(func(ctx context.Context, body []byte, w mux.ReplyWriter) error {
			if len(body) > 0 {
				return echo(ctx, body, w)
			}
			return count(1000, 10<<10).Serve(ctx, body, w)
		}), mux.Limits{MaxUnread: 100 << 10})
		items, err := client.Stream(t.Context(), &request{})
		if err != nil {
			t.Fatal(err)
		}
		defer items.Close()
		synctest.Wait()
		for range 20 {
			if err := client.Call(t.Context(), &request{Payload: []byte("x")}, &response{}); err != nil {
				t.Fatal(err)
			}
		}
		var last error
		read := 0
		for last == nil {
			var more bool
			if more, last = items.Next(t.Context(), &response{}); last == nil && !more {
				return // everything fitted after all
			}
			read++
		}
		if !errors.Is(last, mux.ErrSlow) || read < 10 {
			t.Errorf("after %d items: %v", read, last)
		}
	})
}

func TestOneByteAtATime(t *testing.T) {
	near, far := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- mux.Serve(t.Context(), dripping{far}, echo, mux.Limits{}) }()
	client := mux.NewClient(dripping{near}, mux.Limits{})
	payload := bytes.Repeat([]byte("0123456789"), 30)
	for range 20 {
		var resp response
		if err := client.Call(t.Context(), &request{Payload: payload}, &resp); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(resp.Outcome, payload) {
			t.Fatal("another answer")
		}
	}
	_ = client.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// dripping is a stream that gives one byte for each read, and has no deadlines.
type dripping struct{ io.ReadWriteCloser }

func (d dripping) Read(b []byte) (int, error) { return d.ReadWriteCloser.Read(b[:min(1, len(b))]) }
