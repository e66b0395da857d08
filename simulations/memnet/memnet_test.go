package memnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"
)

const echo = "/test/echo/1"

// pair runs a test in a bubble with two hosts, of which the second echoes.
func pair(t *testing.T, opts Options, test func(t *testing.T, n *Network, a, b host.Host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := New(opts)
		a, b := newHost(t, n, 1), newHost(t, n, 2)
		b.SetStreamHandler(echo, func(s network.Stream) {
			defer s.Close()
			_, _ = io.Copy(s, s)
		})
		a.Peerstore().AddAddrs(b.ID(), b.Addrs(), peerstore.PermanentAddrTTL)
		test(t, n, a, b)
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if left := n.Conns(); left != 0 {
			t.Errorf("%d connections are left of a closed network", left)
		}
	})
}

func newHost(t *testing.T, n *Network, i int) host.Host {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(bytes.NewReader(bytes.Repeat([]byte{byte(i)}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	h, err := n.Host(key, ma.StringCast(fmt.Sprintf("/ip4/192.0.2.%d/tcp/4001", i)))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func open(t *testing.T, a, b host.Host) network.Stream {
	t.Helper()
	s, err := a.NewStream(t.Context(), b.ID(), echo)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func say(t *testing.T, s network.Stream, text string) {
	t.Helper()
	if _, err := s.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(s, got); err != nil {
		t.Fatal(err)
	}
	if string(got) != text {
		t.Fatalf("heard %q, said %q", got, text)
	}
}

func fixed(d time.Duration) func(peer.ID, peer.ID, int) time.Duration {
	return func(peer.ID, peer.ID, int) time.Duration { return d }
}

func TestDialCostsTwoRoundTripsAndAnEchoOne(t *testing.T) {
	pair(t, Options{Delay: fixed(25 * time.Millisecond)}, func(t *testing.T, n *Network, a, b host.Host) {
		at := time.Now()
		if _, err := a.Network().DialPeer(t.Context(), b.ID()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(at); took != 100*time.Millisecond {
			t.Errorf("a dial took %v of virtual time, not two round trips of 50 ms", took)
		}
		s := open(t, a, b)
		say(t, s, "settle the protocol")
		at = time.Now()
		say(t, s, "hello")
		if took := time.Since(at); took != 50*time.Millisecond {
			t.Errorf("an echo took %v, not one round trip of 50 ms", took)
		}
	})
}

func TestOrderHoldsWhateverTheDelays(t *testing.T) {
	var mu sync.Mutex
	rnd := rand.New(rand.NewPCG(1, 2))
	wild := func(peer.ID, peer.ID, int) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(rnd.IntN(300)) * time.Millisecond
	}
	lossy := func(peer.ID, peer.ID) bool {
		mu.Lock()
		defer mu.Unlock()
		return rnd.IntN(10) < 3
	}
	pair(t, Options{Delay: wild, Lose: lossy}, func(t *testing.T, n *Network, a, b host.Host) {
		s := open(t, a, b)
		want := make([]byte, 3*StreamWindow+17)
		for i := range want {
			want[i] = byte(rnd.Uint32())
		}
		go func() {
			for rest := want; len(rest) > 0; {
				k := min(len(rest), 1+int(rest[0])*100)
				if _, err := s.Write(rest[:k]); err != nil {
					t.Error(err)
					return
				}
				rest = rest[k:]
			}
			if err := s.CloseWrite(); err != nil {
				t.Error(err)
			}
		}()
		got, err := io.ReadAll(s)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back as %d, or in another order", len(want), len(got))
		}
	})
}

func TestPartitionHealsInTime(t *testing.T) {
	pair(t, Options{Delay: fixed(10 * time.Millisecond)}, func(t *testing.T, n *Network, a, b host.Host) {
		s := open(t, a, b)
		say(t, s, "before")
		n.Partition([]peer.ID{a.ID()})
		if _, err := s.Write([]byte("during")); err != nil {
			t.Fatal(err)
		}
		if err := s.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len("during"))
		if _, err := s.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a read across a partition gave %v", err)
		}
		n.Heal()
		if err := s.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(s, got); err != nil || string(got) != "during" {
			t.Fatalf("after healing: %q, %v", got, err)
		}
	})
}

func TestPartitionBreaksConnectionsInTheEnd(t *testing.T) {
	pair(t, Options{Delay: fixed(10 * time.Millisecond)}, func(t *testing.T, n *Network, a, b host.Host) {
		s := open(t, a, b)
		say(t, s, "before")
		n.Partition([]peer.ID{a.ID()}, []peer.ID{b.ID()})
		at := time.Now()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
			t.Fatalf("a read across a lasting partition gave %v", err)
		}
		if took := time.Since(at); took != BreakAfter {
			t.Errorf("the connection lasted %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := a.Network().DialPeer(ctx, b.ID()); err == nil {
			t.Error("dialled across a partition")
		}
		n.Heal()
		time.Sleep(time.Minute) // libp2p's own back-off after the failed dial
		say(t, open(t, a, b), "after")
	})
}

func TestWriterWaitsForReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{})
		defer n.Close()
		a, b := newHost(t, n, 1), newHost(t, n, 2)
		streams := make(chan network.Stream, 1)
		b.SetStreamHandler(echo, func(s network.Stream) { streams <- s })
		a.Peerstore().AddAddrs(b.ID(), b.Addrs(), peerstore.PermanentAddrTTL)
		s := open(t, a, b)
		if _, err := s.Write([]byte("x")); err != nil { // settles the protocol
			t.Fatal(err)
		}
		if err := s.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		sent, err := s.Write(make([]byte, 10*StreamWindow))
		if !errors.Is(err, os.ErrDeadlineExceeded) || sent > StreamWindow {
			t.Fatalf("wrote %d bytes that nobody reads: %v", sent, err)
		}
		remote := <-streams
		if _, err := io.ReadFull(remote, make([]byte, 1+sent)); err != nil {
			t.Fatal(err)
		}
		if err := s.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(make([]byte, StreamWindow/2)); err != nil {
			t.Errorf("the reader has read everything, yet: %v", err)
		}
	})
}

func TestObserverSeesSizesAndBothEnds(t *testing.T) {
	var mu sync.Mutex
	seen := map[EventKind]int{}
	bytesSent := 0
	observe := func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		seen[e.Kind]++
		bytesSent += e.Size
		if e.From == e.To || e.Conn == 0 {
			t.Errorf("odd event %+v", e)
		}
	}
	pair(t, Options{Observe: observe}, func(t *testing.T, n *Network, a, b host.Host) {
		say(t, open(t, a, b), string(make([]byte, 5000)))
		if err := a.Network().ClosePeer(b.ID()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if seen[Dialled] != 4 || seen[Sent] == 0 || seen[Hung] == 0 || bytesSent < 10000 {
			t.Errorf("saw %v and %d bytes", seen, bytesSent)
		}
	})
}

func TestRefusals(t *testing.T) {
	pair(t, Options{Delay: fixed(5 * time.Millisecond)}, func(t *testing.T, n *Network, a, b host.Host) {
		c := newHost(t, n, 3)
		for _, c := range []struct {
			name string
			to   peer.ID
			addr string
		}{
			{"nobody listens", b.ID(), "/ip4/192.0.2.9/tcp/4001"},
			{"someone else listens", c.ID(), "/ip4/192.0.2.2/tcp/4001"},
		} {
			if err := a.Connect(t.Context(), peer.AddrInfo{ID: c.to, Addrs: []ma.Multiaddr{ma.StringCast(c.addr)}}); err == nil && c.to != b.ID() {
				t.Errorf("%s: connected", c.name)
			}
		}
		key, _, err := crypto.GenerateEd25519Key(rand.NewChaCha8([32]byte{}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Host(key, ma.StringCast("/ip4/192.0.2.2/tcp/4001")); err == nil {
			t.Error("two hosts listen at one address")
		}
		for _, bad := range []string{"/ip4/192.0.2.2/udp/1/quic-v1", "/dns4/example.org/tcp/1"} {
			if _, err := n.Host(key, ma.StringCast(bad)); !errors.Is(err, ErrAddress) {
				t.Errorf("%s: %v", bad, err)
			}
		}
	})
}

func TestResetReachesTheOtherEnd(t *testing.T) {
	pair(t, Options{Delay: fixed(time.Millisecond)}, func(t *testing.T, n *Network, a, b host.Host) {
		ended := make(chan error, 1)
		b.SetStreamHandler("/test/wait/1", func(s network.Stream) {
			_, err := io.ReadAll(s)
			ended <- err
			_ = s.Reset()
		})
		s, err := a.NewStream(t.Context(), b.ID(), "/test/wait/1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, network.ErrReset) {
			t.Errorf("the other end read until %v", err)
		}
	})
}

// TestManyHosts joins 60 hosts in a ring and closes it.
func TestManyHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{Delay: fixed(20 * time.Millisecond)})
		const count = 60
		hosts := make([]host.Host, count)
		for i := range hosts {
			hosts[i] = newHost(t, n, i+1)
			hosts[i].SetStreamHandler(echo, func(s network.Stream) {
				defer s.Close()
				_, _ = io.Copy(s, s)
			})
		}
		for i, h := range hosts {
			next := hosts[(i+1)%count]
			h.Peerstore().AddAddrs(next.ID(), next.Addrs(), peerstore.PermanentAddrTTL)
			s := open(t, h, next)
			say(t, s, "hello")
			_ = s.Close()
		}
		if got := n.Conns(); got != count {
			t.Errorf("%d connections in a ring of %d", got, count)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
