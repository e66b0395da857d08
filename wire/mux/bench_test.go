package mux_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"communicator/wire/mux"
)

// BenchmarkCall measures whole calls over loopback TCP, asker and answerer in one
// process: the goal is 100,000 small calls a second on two cores.
func BenchmarkCall(b *testing.B) {
	for _, size := range []int{32, 1 << 10, 16 << 10} {
		for _, callers := range []int{1, 64, 256} {
			b.Run(fmt.Sprintf("%dB/%d", size, callers), func(b *testing.B) { benchmarkCall(b, size, callers) })
		}
	}
}

func benchmarkCall(b *testing.B, size, callers int) {
	near, far := loopback(b)
	limits := mux.Limits{MaxInFlight: 256, MaxServing: 8 << 20}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	reply := &response{Status: 1}
	go func() {
		ended <- mux.Serve(ctx, far, mux.HandlerFunc(func(_ context.Context, _ []byte, w mux.ReplyWriter) error {
			return w.Reply(reply)
		}), limits)
	}()
	client := mux.NewClient(near, limits)
	defer func() { _ = client.Close(); cancel(); <-ended }()
	req := &request{Payload: make([]byte, size)}
	b.ReportAllocs()
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, callers)
	b.ResetTimer()
	for range callers {
		go func() {
			var resp response
			for left.Add(-1) >= 0 {
				if err := client.Call(ctx, req, &resp); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range callers {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

func loopback(b *testing.B) (near, far net.Conn) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			b.Error(err)
		}
		accepted <- c
	}()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		b.Fatal(err)
	}
	return near, <-accepted
}
