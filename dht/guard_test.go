package dht

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/encoding/protodelim"
)

// opened is a stream from one node to another.
func opened(t *testing.T, from, to *DHT) network.Stream {
	t.Helper()
	s, err := from.host.NewStream(t.Context(), to.host.ID(), to.cfg.protocol())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ping(s network.Stream) error {
	if _, err := protodelim.MarshalTo(s, kadpb.NewMessage(kadpb.Message_PING, nil, 0)); err != nil {
		return err
	}
	return protodelim.UnmarshalFrom(bufio.NewReader(s), new(kadpb.Message))
}

func TestStreamsOfAPeerAreBounded(t *testing.T) {
	inWorld(t, 60, 3, func(t *testing.T, w *world) {
		server, greedy, other := w.nodes[0], w.nodes[1], w.nodes[2]
		var streams []network.Stream
		for range maxStreamsPerPeer {
			s := opened(t, greedy, server)
			if err := ping(s); err != nil {
				t.Fatal(err)
			}
			streams = append(streams, s)
		}
		if err := ping(opened(t, greedy, server)); err == nil {
			t.Error("one stream more than a peer may have")
		}
		if err := ping(opened(t, other, server)); err != nil {
			t.Errorf("another peer's: %v", err)
		}
		_ = streams[0].Reset()
		synctest.Wait()
		time.Sleep(roundTrip)
		if err := ping(opened(t, greedy, server)); err != nil {
			t.Errorf("in the place of one that was closed: %v", err)
		}
	})
}

func TestRequestsAreBounded(t *testing.T) {
	inWorld(t, 61, 2, func(t *testing.T, w *world) {
		server, greedy := w.nodes[0], w.nodes[1]
		for name, head := range map[string][]byte{
			"too large":         binary.AppendUvarint(nil, maxRequest+1),
			"far too large":     binary.AppendUvarint(nil, 1<<40),
			"an endless length": bytes.Repeat([]byte{0x80}, 9),
		} {
			s := opened(t, greedy, server)
			if _, err := s.Write(head); err != nil {
				t.Fatal(err)
			}
			var end *network.StreamError
			if _, err := s.Read(make([]byte, 1)); !errors.As(err, &end) || end.ErrorCode != network.StreamProtocolViolation {
				t.Errorf("%s: %v", name, err)
			}
		}
		// The largest that there is, byte by byte at its beginning, and two at once.
		m := kadpb.NewMessage(kadpb.Message_PING, make([]byte, maxRequest-100), 0)
		var raw bytes.Buffer
		for range 2 {
			if _, err := protodelim.MarshalTo(&raw, m); err != nil {
				t.Fatal(err)
			}
		}
		s := opened(t, greedy, server)
		for range 5 {
			if _, err := s.Write(raw.Next(1)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Write(raw.Bytes()); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(s)
		for range 2 {
			if err := protodelim.UnmarshalFrom(in, new(kadpb.Message)); err != nil {
				t.Errorf("within the limit: %v", err)
			}
		}
	})
}

func TestAFloodIsHeldUp(t *testing.T) {
	inWorld(t, 62, 2, func(t *testing.T, w *world) {
		server, greedy := w.nodes[0], w.nodes[1]
		const flood = requestBurst + 4*requestsPerSecond
		s := opened(t, greedy, server)
		at := time.Now()
		go func() {
			for range flood {
				_, _ = protodelim.MarshalTo(s, kadpb.NewMessage(kadpb.Message_PING, nil, 0))
			}
		}()
		in := bufio.NewReader(s)
		for range flood {
			if err := protodelim.UnmarshalFrom(in, new(kadpb.Message)); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(at); took < 4*time.Second-roundTrip || took > 5*time.Second {
			t.Errorf("%d requests took %v", flood, took)
		}
	})
}

func TestGuardForgets(t *testing.T) {
	g := newGuard()
	for i := range maxGuests + 5 {
		p := peer.ID(binary.BigEndian.AppendUint32(nil, uint32(i)))
		if g.enter(p) == nil {
			t.Fatalf("peer %d is kept out", i)
		}
		g.leave(p)
	}
	if len(g.guests) > maxGuests || g.streams != 0 {
		t.Errorf("%d peers, %d streams", len(g.guests), g.streams)
	}
	for i := range maxStreams {
		if g.enter(peer.ID(binary.BigEndian.AppendUint32(nil, uint32(i)))) == nil {
			t.Fatalf("stream %d is kept out", i)
		}
	}
	if g.enter("another") != nil {
		t.Error("more streams than a node has")
	}
}
