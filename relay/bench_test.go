package relay

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"communicator/eventlog"
	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

// loopback is a TCP connection to this process: net.Pipe would measure its own
// hand-over of every write.
func loopback(b *testing.B) (net.Conn, net.Conn) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	theirs, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	return ours, theirs
}

// BenchmarkForward takes submissions of 1 KiB over one stream and delivers them over
// another, with a log that costs no disk: what is left is this package, its log's
// bookkeeping and four ends of streams.
func BenchmarkForward(b *testing.B) {
	key := keyOf("sending agent")
	log, err := eventlog.OpenMemory(eventlog.Options{Signer: key, Projections: Projections(), Growing: Growing, Knows: Knows})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	receiver := keyOf("receiving agent")
	id, err := agenturi.PeerOf(receiver.Public().(ed25519.PublicKey))
	if err != nil {
		b.Fatal(err)
	}
	var done sync.WaitGroup
	outcome := make([]byte, wire.OutcomeSize)
	take := mux.HandlerFunc(func(_ context.Context, body []byte, w mux.ReplyWriter) error {
		if err := proto.Unmarshal(body, new(pb.DeliverRequest)); err != nil {
			return err
		}
		return w.Reply(&pb.DeliverResponse{Status: uint32(wire.StatusOK), Outcome: outcome})
	})
	root := key.Public().(ed25519.PublicKey)
	s := New(Config{
		Agent: wire.AgentIDOf(root), Root: root, Log: log, Access: fakeAccess{},
		Limits: Limits{RequestsPerSecond: 1 << 30, RequestBurst: 1 << 30, QueuedPerAccount: 1 << 30, StorageMax: 1 << 50},
		Open: func(context.Context, agenturi.URI, string) (io.ReadWriteCloser, peer.ID, error) {
			ours, theirs := loopback(b)
			go func() { _ = mux.Serve(context.Background(), theirs, take, mux.Limits{}) }()
			return ours, id, nil
		},
		Observe: func(r Result) {
			if r.Op == OpForward && r.Status == wire.StatusOK {
				done.Done()
			}
		},
	})
	go func() { _ = s.Run(context.Background()) }()
	defer s.Close()
	ours, theirs := loopback(b)
	go func() { _ = s.ServeSubmit(context.Background(), theirs, "client") }()
	c := mux.NewClient(ours, mux.Limits{})
	defer c.Close()
	call := func(req *pb.SubmitRequest) {
		var resp pb.SubmitResponse
		if err := c.Call(context.Background(), req, &resp); err != nil || resp.Status != uint32(wire.StatusOK) {
			b.Errorf("%v, %v", wire.Status(resp.Status), err)
			done.Done()
		}
	}
	call(&pb.SubmitRequest{Op: &pb.SubmitRequest_Hello{Hello: &pb.Hello{Credential: make([]byte, 32)}}})
	uri, sealed, payload := "/ip4/8.8.8.8/tcp/4001/p2p/"+id.String(), make([]byte, wire.SealedSize), make([]byte, 1024)
	_, _ = rand.Read(payload)
	notAfter := uint64(inHours(24))

	b.ReportAllocs()
	b.ResetTimer()
	done.Add(b.N)
	places := make(chan struct{}, 64)
	for i := range b.N {
		places <- struct{}{}
		go func() {
			handle := make([]byte, 32)
			binary.BigEndian.PutUint64(handle, uint64(i))
			call(&pb.SubmitRequest{Op: &pb.SubmitRequest_Submit{Submit: &pb.Submission{
				Handle: handle, Uri: uri, KeyId: make([]byte, 8), Sealed: sealed, Payload: payload, NotAfter: notAfter,
			}}})
			<-places
		}()
	}
	done.Wait()
}
