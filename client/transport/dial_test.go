package transport

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/mux"
	"communicator/wire/pb"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
)

// door is a connection gater that hangs up on the first callers, before or after the
// handshake.
type door struct {
	early, late atomic.Int64 // still to be turned away
	seen        atomic.Int64
	dialled     atomic.Int64 // by the host that has the door itself
}

func (d *door) InterceptPeerDial(peer.ID) bool                      { return true }
func (d *door) InterceptAddrDial(peer.ID, multiaddr.Multiaddr) bool { d.dialled.Add(1); return true }
func (d *door) InterceptAccept(network.ConnMultiaddrs) bool {
	d.seen.Add(1)
	return d.early.Add(-1) < 0
}
func (d *door) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }
func (d *door) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return d.late.Add(-1) < 0
}

// newAgent serves Hello with further options of its host.
func newAgent(t *testing.T, more ...libp2p.Option) Target {
	t.Helper()
	id, _, err := crypto.GenerateEd25519Key(rand.Reader)
	check(t, err)
	h, err := libp2p.New(append([]libp2p.Option{libp2p.Identity(id), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0")}, more...)...)
	check(t, err)
	t.Cleanup(func() { h.Close() })
	h.SetStreamHandler(wire.ProtocolSubmit, func(st network.Stream) {
		mux.Serve(context.Background(), st, mux.HandlerFunc(func(_ context.Context, _ []byte, w mux.ReplyWriter) error {
			return w.Reply(&pb.SubmitResponse{Status: uint32(wire.StatusOK), Hello: &pb.HelloReply{}})
		}), mux.Limits{})
	})
	uri, err := agenturi.Of(h.Addrs()[0], h.ID())
	check(t, err)
	return Target{URI: uri, Credential: &wire.Credential{1}}
}

func greet(t *testing.T, p *Pool, to Target, relationship byte) error {
	t.Helper()
	l, err := p.Take(t.Context(), Key{Relationship: [16]byte{relationship}, Agent: to.URI.Agent}, to)
	check(t, err)
	defer l.Release()
	_, err = l.Hello(t.Context())
	return err
}

func TestBrokenOffDialIsTriedAgain(t *testing.T) {
	for name, turn := range map[string]func(*door){
		"before the handshake": func(d *door) { d.early.Store(3) },
		"after the handshake":  func(d *door) { d.late.Store(3) },
	} {
		t.Run(name, func(t *testing.T) {
			d := &door{}
			turn(d)
			to := newAgent(t, libp2p.ConnectionGater(d))
			if err := greet(t, newPool(t, Options{}), to, 1); err != nil {
				t.Fatalf("%v: %v", err, errors.Unwrap(err))
			}
			if n := d.seen.Load(); n != 4 {
				t.Errorf("dialled %d times", n)
			}
		})
	}
}

func TestDialIsTriedOnlySoOften(t *testing.T) {
	d := &door{}
	d.early.Store(1000)
	to := newAgent(t, libp2p.ConnectionGater(d))
	p := newPool(t, Options{})
	var gone *UnreachableError
	if err := greet(t, p, to, 1); !errors.As(err, &gone) {
		t.Fatalf("got %v", err)
	}
	if n := d.seen.Load(); n != dialTries {
		t.Errorf("dialled %d times", n)
	}
	d.early.Store(0)
	check(t, greet(t, p, to, 1)) // no pause of libp2p's stands in the way
}

func TestNobodyThereFailsAtOnce(t *testing.T) {
	s := newServer(t)
	s.host.Close()
	d := &door{}
	hosts := func(id crypto.PrivKey) (host.Host, error) {
		return newHost(id, libp2p.Transport(tcp.NewTCPTransport), libp2p.ConnectionGater(d))
	}
	if err := greet(t, newPool(t, Options{Host: hosts}), s.target(), 1); err == nil {
		t.Fatal("greeted nobody")
	}
	if n := d.dialled.Load(); n != 1 {
		t.Errorf("dialled %d times", n)
	}
}

// TestBurst: clients that are all turned away more than once, as by an agent that takes
// fewer handshakes at a time, all get through.
func TestBurst(t *testing.T) {
	const clients = 8
	d := &door{}
	d.early.Store(2 * clients)
	to := newAgent(t, libp2p.ConnectionGater(d))
	p := newPool(t, Options{MaxOpen: clients})
	var all sync.WaitGroup
	for i := range byte(clients) {
		all.Go(func() {
			if err := greet(t, p, to, i+1); err != nil {
				t.Errorf("%v: %v", err, errors.Unwrap(err))
			}
		})
	}
	all.Wait()
	if n := d.seen.Load(); n != 3*clients {
		t.Errorf("dialled %d times", n)
	}
}
