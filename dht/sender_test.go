package dht

import (
	"context"
	"errors"
	"testing"
	"time"

	"communicator/dht/record"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
)

// TestStreamsAreUsedAgain, a few for each peer, and one that the peer has closed costs
// nothing but itself.
func TestStreamsAreUsedAgain(t *testing.T) {
	inWorld(t, 50, 2, func(t *testing.T, w *world) {
		a, b := w.nodes[0], w.nodes[1]
		ping := func() error {
			_, err := a.sender.SendRequest(t.Context(), b.host.ID(), kadpb.NewMessage(kadpb.Message_PING, nil, 0))
			return err
		}
		idle := func() int {
			a.sender.mu.Lock()
			defer a.sender.mu.Unlock()
			return len(a.sender.idle[b.host.ID()])
		}
		failed := make(chan error)
		for range 8 {
			go func() { failed <- ping() }()
		}
		for range 8 {
			if err := <-failed; err != nil {
				t.Fatal(err)
			}
		}
		if idle() != maxIdle {
			t.Errorf("%d streams are kept", idle())
		}
		at := time.Now()
		if err := ping(); err != nil || time.Since(at) != roundTrip || idle() != maxIdle {
			t.Errorf("a request on a stream that is open takes %v, %v", time.Since(at), err)
		}
		for _, c := range b.host.Network().ConnsToPeer(a.host.ID()) {
			for _, s := range c.GetStreams() {
				_ = s.Reset()
			}
		}
		if err := ping(); err != nil {
			t.Errorf("after the peer closed its streams: %v", err)
		}
		time.Sleep(idleTime + time.Second)
		if err := ping(); err != nil || idle() != 1 {
			t.Errorf("old streams are kept: %d, %v", idle(), err)
		}
		if err := b.host.Network().ClosePeer(a.host.ID()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if idle() != 0 {
			t.Error("streams of a peer that has gone are kept")
		}
	})
}

func TestRequestsEnd(t *testing.T) {
	inWorld(t, 51, 3, func(t *testing.T, w *world) {
		a := w.nodes[0]
		w.turn(w.nodes[1], hangs)
		w.turn(w.nodes[2], serving(make([]byte, maxReply)))
		get := kadpb.NewMessage(kadpb.Message_GET_VALUE, []byte(record.AgentKey([32]byte{})), 0)
		at := time.Now()
		if _, err := a.sender.SendRequest(t.Context(), w.peers[1].ID, get); !errors.Is(err, context.DeadlineExceeded) ||
			time.Since(at) != DefaultRequest {
			t.Errorf("after %v: %v", time.Since(at), err)
		}
		if _, err := a.sender.SendRequest(t.Context(), w.peers[2].ID, get); err == nil {
			t.Error("a reply of any size is read")
		}
		if err := a.sender.SendMessage(t.Context(), w.peers[2].ID, get); err != nil {
			t.Errorf("a message without a reply: %v", err)
		}
		if err := a.sender.SendMessage(t.Context(), peer.ID("nobody"), get); err == nil {
			t.Error("a message to nobody")
		}
	})
}

// FuzzReply: whatever a peer answers, a search takes it or leaves it.
func FuzzReply(f *testing.F) {
	key := record.AgentKey([32]byte{})
	good := kadpb.NewMessage(kadpb.Message_GET_VALUE, []byte(key), 0)
	good.CloserPeers = []*kadpb.Message_Peer{{Id: []byte("peer")}, nil}
	for _, m := range []*kadpb.Message{good, {}} {
		raw, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		reply := new(kadpb.Message)
		if proto.Unmarshal(raw, reply) != nil {
			return
		}
		s := &search{key: key, read: true, depth: map[peer.ID]int{}, answers: map[peer.ID]answer{}}
		request := s.request(kadpb.NewMessage(kadpb.Message_FIND_NODE, []byte(key), 0))
		s.reply("peer", request, reply, nil)
		if a := s.answers["peer"]; len(a.value) > record.MaxValue || s.longest != 1 {
			t.Errorf("%d bytes, %d hops", len(a.value), s.longest)
		}
	})
}
