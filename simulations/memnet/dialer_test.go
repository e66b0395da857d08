package memnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
)

func dialerKey(t *testing.T, i int) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(bytes.NewReader(bytes.Repeat([]byte{byte(i)}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newDialer(t *testing.T, n *Network, i int) host.Host {
	t.Helper()
	h, err := n.Dialer(dialerKey(t, i), netip.MustParseAddr("198.51.100.1"))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A dialer talks to an ordinary host that identifies its peers, is known by its own key,
// and says no to protocols that the host lacks.
func TestDialer(t *testing.T) {
	pair(t, Options{Delay: fixed(25 * time.Millisecond)}, func(t *testing.T, n *Network, _, b host.Host) {
		d := newDialer(t, n, 9)
		to := peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()}
		if err := d.Connect(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		s := open(t, d, b)
		say(t, s, "hello")
		if s.Protocol() != echo {
			t.Errorf("protocol %q", s.Protocol())
		}
		conns := b.Network().ConnsToPeer(d.ID())
		if len(conns) != 1 || !conns[0].RemotePublicKey().Equals(dialerKey(t, 9).GetPublic()) {
			t.Errorf("the host sees %d connections", len(conns))
		}
		if d.Peerstore().PeerInfo(b.ID()).Addrs[0].String() != b.Addrs()[0].String() || len(d.Peerstore().Peers()) != 1 {
			t.Errorf("knows %v", d.Peerstore().Peers())
		}
		other := newDialer(t, n, 10)
		if err := other.Connect(t.Context(), peer.AddrInfo{ID: b.ID()}); err == nil {
			t.Error("a dialer knows an address that another one was told")
		}
		if _, err := d.NewStream(t.Context(), b.ID(), "/test/none/1"); err == nil {
			t.Error("a stream for a protocol that nobody serves")
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if left := len(b.Network().Conns()); left != 0 {
			t.Errorf("%d connections after closing", left)
		}
	})
}

// A dialer that waits for an answer gives up with its context, and leaves nothing behind.
func TestDialerGivesUp(t *testing.T) {
	pair(t, Options{}, func(t *testing.T, n *Network, _, b host.Host) {
		d := newDialer(t, n, 9)
		d.Peerstore().AddAddrs(b.ID(), b.Addrs(), peerstore.PermanentAddrTTL)
		if _, err := d.Network().DialPeer(t.Context(), b.ID()); err != nil {
			t.Fatal(err)
		}
		n.Partition([]peer.ID{b.ID()})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := d.NewStream(network.WithNoDial(ctx, "test"), b.ID(), echo)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		n.Heal()
	})
}

// Hosts that their owners have closed do not pile up.
func TestClosedHostsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{})
		for i := range 100 {
			if err := newDialer(t, n, i).Close(); err != nil {
				t.Fatal(err)
			}
		}
		if len(n.hosts) > 10 {
			t.Errorf("%d hosts are remembered", len(n.hosts))
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A severed host is gone for everybody else at once, and another one of its identity can
// take its place while it is still being closed.
func TestSever(t *testing.T) {
	pair(t, Options{}, func(t *testing.T, n *Network, a, b host.Host) {
		s := open(t, a, b)
		say(t, s, "hello")
		Sever(b)
		if _, err := s.Read(make([]byte, 1)); err == nil {
			t.Error("a stream to a severed host goes on")
		}
		if err := b.Connect(t.Context(), peer.AddrInfo{ID: a.ID(), Addrs: a.Addrs()}); err == nil {
			t.Error("a severed host dials")
		}
		again := newHost(t, n, 2)
		again.SetStreamHandler(echo, func(s network.Stream) { _, _ = s.Write([]byte("new")) })
		if _, err := a.Network().DialPeer(network.WithForceDirectDial(t.Context(), "test"), again.ID()); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 3)
		if _, err := io.ReadFull(open(t, a, again), got); err != nil || string(got) != "new" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// A partition by rule holds for hosts that come after it.
func TestPartitionByRule(t *testing.T) {
	pair(t, Options{}, func(t *testing.T, n *Network, a, b host.Host) {
		n.PartitionBy(func(id peer.ID) int {
			if id == b.ID() {
				return 1
			}
			return 0
		})
		late := newDialer(t, n, 11)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := late.Connect(ctx, peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()}); err == nil {
			t.Error("a host that came later reaches the other side")
		}
		if err := late.Connect(t.Context(), peer.AddrInfo{ID: a.ID(), Addrs: a.Addrs()}); err != nil {
			t.Error(err)
		}
		n.Heal()
		if err := late.Connect(t.Context(), peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()}); err != nil {
			t.Error(err)
		}
	})
}
