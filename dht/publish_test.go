package dht

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"communicator/dht/record"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	recpb "github.com/libp2p/go-libp2p-record/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

func TestDescriptorByAgent(t *testing.T) {
	inWorld(t, 8, 40, func(t *testing.T, w *world) {
		agent, older, newer := w.descriptors()
		author, reader := w.client(), w.client()
		entry := DescriptorEntry(agent, older)
		if _, err := author.Publish(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
		report, err := author.Publish(t.Context(), DescriptorEntry(agent, newer))
		if err != nil || report.Least() != Replication {
			t.Fatalf("%d copies, %v", report.Least(), err)
		}
		f, err := reader.Lookup(t.Context(), record.AgentKey(agent))
		if err != nil || !bytes.Equal(f.Record, newer) || f.Sequence != 2 {
			t.Errorf("sequence %d, %v", f.Sequence, err)
		}
		if report, err = author.Publish(t.Context(), entry); !errors.Is(err, ErrNotStored) || report.Least() != 0 {
			t.Errorf("the older one was taken again: %d copies, %v", report.Least(), err)
		}
	})
}

func TestOnlyAcknowledgedCopiesCount(t *testing.T) {
	inWorld(t, 9, 24, func(t *testing.T, w *world) {
		author, n := w.client(), w.name()
		value := n.sign(t, 1, "statement")
		if _, err := author.Publish(t.Context()); !errors.Is(err, ErrTooMany) {
			t.Errorf("nothing to publish: %v", err)
		}
		if _, err := author.Publish(t.Context(), Entry{w.name().keys[0], value}); !errors.Is(err, record.ErrLocation) {
			t.Errorf("a record at another's place: %v", err)
		}
		near := w.nearest(n.keys[0])
		w.turn(near[0], mute)
		w.turn(near[1], func(request, reply *kadpb.Message) bool {
			serving(value[1:])(request, reply)
			if request.GetType() == kadpb.Message_PUT_VALUE {
				reply.Record = &recpb.Record{Key: request.GetKey(), Value: []byte("another")}
			}
			return true
		})
		w.turn(near[2], func(request, _ *kadpb.Message) bool { return request.GetType() != kadpb.Message_PUT_VALUE })
		report, err := author.Publish(t.Context(), Entry{n.keys[0], value})
		if err != nil || report.Places[0].Asked != Replication || report.Least() != Replication-3 {
			t.Errorf("%+v, %v", report, err)
		}
		for _, d := range w.nodes {
			if d.cfg.Server {
				w.turn(d, mute)
			}
		}
		// A new author, since streams that are open go on to the old handlers.
		if report, err = w.client().Publish(t.Context(), entries(t, value)...); !errors.Is(err, ErrNotStored) || report.Least() != 0 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// TestServerThatHasJustStarted: who has connected before a node said that it is a server
// finds it all the same.
func TestServerThatHasJustStarted(t *testing.T) {
	inWorld(t, 11, 3, func(t *testing.T, w *world) {
		d, early := w.add(w.host(), Config{}), w.peers[0]
		if err := d.host.Connect(t.Context(), early); err != nil {
			t.Fatal(err)
		}
		if err := d.host.Peerstore().RemoveProtocols(early.ID, d.cfg.protocol()); err != nil {
			t.Fatal(err)
		}
		if err := d.Bootstrap(t.Context(), []peer.AddrInfo{early}); err != nil || d.Stats().Peers != 1 {
			t.Errorf("%d peers, %v", d.Stats().Peers, err)
		}
	})
}

func TestClosedAndAlone(t *testing.T) {
	inWorld(t, 10, 3, func(t *testing.T, w *world) {
		alone := w.add(w.host(), Config{})
		n := w.name()
		if _, err := alone.LookupAll(t.Context(), n.keys, nil); !errors.Is(err, ErrNoPeers) {
			t.Errorf("looks up without peers: %v", err)
		}
		if _, err := alone.Publish(t.Context(), entries(t, n.sign(t, 1, ""))...); !errors.Is(err, ErrNoPeers) || !errors.Is(err, ErrNotStored) {
			t.Errorf("publishes without peers: %v", err)
		}
		client := w.client()
		if err := alone.Bootstrap(t.Context(), []peer.AddrInfo{{ID: client.host.ID(), Addrs: client.host.Addrs()}}); !errors.Is(err, ErrNoPeers) {
			t.Errorf("a client serves to bootstrap from: %v", err)
		}
		if err := alone.Bootstrap(t.Context(), make([]peer.AddrInfo, maxBootstrap+1)); !errors.Is(err, ErrTooMany) {
			t.Errorf("too many: %v", err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := client.LookupAll(ended, n.keys, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %v", err)
		}
		for _, keys := range [][]string{nil, make([]string, maxKeys+1)} {
			if _, err := client.LookupAll(t.Context(), keys, nil); !errors.Is(err, ErrTooMany) {
				t.Errorf("%d keys: %v", len(keys), err)
			}
		}
		if _, err := client.Lookup(t.Context(), "/pk/x"); !errors.Is(err, record.ErrNamespace) {
			t.Errorf("another kind of key: %v", err)
		}
		if err := errors.Join(alone.Close(), alone.Close()); err != nil {
			t.Errorf("closing twice: %v", err)
		}
		if err := alone.Bootstrap(t.Context(), w.peers); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}
