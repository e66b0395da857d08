package relay

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// hostStream is a libp2p stream over a pipe; what this package does not use panics.
type hostStream struct {
	network.Stream
	pipe  net.Conn
	scope *hostScope
	reset bool
}

func (s *hostStream) Read(b []byte) (int, error)         { return s.pipe.Read(b) }
func (s *hostStream) Write(b []byte) (int, error)        { return s.pipe.Write(b) }
func (s *hostStream) Close() error                       { return s.pipe.Close() }
func (s *hostStream) Reset() error                       { s.reset = true; return s.pipe.Close() }
func (s *hostStream) SetReadDeadline(t time.Time) error  { return s.pipe.SetReadDeadline(t) }
func (s *hostStream) SetWriteDeadline(t time.Time) error { return s.pipe.SetWriteDeadline(t) }
func (s *hostStream) Scope() network.StreamScope         { return s.scope }
func (s *hostStream) Conn() network.Conn                 { return hostConn{} }

type hostConn struct{ network.Conn }

func (hostConn) RemotePeer() peer.ID { return "client" }

// hostScope grants limit bytes to the service submit.
type hostScope struct {
	network.NullScope
	service     string
	used, limit int
}

var errLimit = errors.New("resource limit exceeded")

func (s *hostScope) SetService(name string) error { s.service = name; return nil }
func (s *hostScope) ReleaseMemory(n int)          { s.used -= n }
func (s *hostScope) ReserveMemory(n int, _ uint8) error {
	if s.used+n > s.limit {
		return errLimit
	}
	s.used += n
	return nil
}

func TestHandleSubmitReservesMemory(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		ours, theirs := net.Pipe()
		stream := &hostStream{pipe: theirs, scope: &hostScope{limit: 16 << 20}}
		w.serving.Go(func() { w.s.HandleSubmit(stream) })
		c := mux.NewClient(ours, mux.Limits{})
		var resp pb.SubmitResponse
		if err := c.Call(context.Background(), &pb.SubmitRequest{}, &resp); err != nil {
			t.Fatal(err)
		}
		if got := wire.Status(resp.Status); got != wire.StatusUnsupported {
			t.Fatalf("%v", got)
		}
		if stream.scope.service == "" || stream.scope.used == 0 {
			t.Fatalf("the host's scope: %+v", stream.scope)
		}
		_ = c.Close()
		synctest.Wait()
		if stream.scope.used != 0 {
			t.Fatalf("%d bytes still reserved", stream.scope.used)
		}
	})
}

func TestHandleSubmitWithoutMemory(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		_, theirs := net.Pipe()
		stream := &hostStream{pipe: theirs, scope: &hostScope{limit: 1}}
		w.s.HandleSubmit(stream)
		if !stream.reset {
			t.Fatal("served beyond the host's limit")
		}
	})
}
