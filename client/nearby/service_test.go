package nearby

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"communicator/simulations/memnet"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// air is a local network in memory on which everybody is found by everybody else.
type air struct {
	t   *testing.T
	net *memnet.Network

	mu    sync.Mutex // guards what follows
	n     int
	heard map[host.Host]func(peer.AddrInfo)
}

func newAir(t *testing.T) *air {
	a := &air{t: t, net: memnet.New(memnet.Options{}), heard: map[host.Host]func(peer.AddrInfo){}}
	t.Cleanup(func() { a.net.Close() })
	return a
}

func (a *air) host(key crypto.PrivKey) (host.Host, error) {
	a.mu.Lock()
	a.n++
	addr, err := ma.NewMultiaddr(fmt.Sprintf("/ip4/192.0.2.%d/tcp/4001", a.n))
	a.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return a.net.Host(key, addr)
}

func (a *air) find(h host.Host, found func(peer.AddrInfo)) (io.Closer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for other, tell := range a.heard {
		go tell(peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})
		go found(peer.AddrInfo{ID: other.ID(), Addrs: other.Addrs()})
	}
	a.heard[h] = found
	return io.NopCloser(nil), nil
}

func (a *air) open(name string, n byte) *Service {
	a.t.Helper()
	s, err := Open(Options{Name: name, Package: testPackage(a.t, n), host: a.host, find: a.find})
	check(a.t, err)
	a.t.Cleanup(func() { s.Close() })
	return s
}

// until waits for a list.
func (a *air) until(s *Service, want func([]Peer) bool) []Peer {
	a.t.Helper()
	return until(a.t, s, want)
}

func until(t *testing.T, s *Service, want func([]Peer) bool) []Peer {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		list, changed := s.Peers()
		if want(list) {
			return list
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("the list stays %+v", list)
		}
	}
}

func some(n int) func([]Peer) bool { return func(p []Peer) bool { return len(p) == n } }

// met is what an exchange of two services comes to.
type met struct {
	match *Match
	err   error
}

// pair lets two services choose each other.
func pair(t *testing.T, a, b *Service, aID, bID string) (atA, atB met) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var wait sync.WaitGroup
	wait.Go(func() { atA.match, atA.err = a.Exchange(ctx, bID) })
	atB.match, atB.err = b.Exchange(ctx, aID)
	wait.Wait()
	return atA, atB
}

func TestTwoMeet(t *testing.T) {
	for _, verdicts := range [][2]bool{{true, true}, {true, false}} {
		net := newAir(t)
		a, b := net.open("Alex", 1), net.open("", 2)
		atA, atB := net.until(a, some(1)), net.until(b, some(1))
		if atA[0].Name != "" || atB[0].Name != "Alex" || atA[0].Chosen {
			t.Fatalf("lists %+v and %+v", atA, atB)
		}
		x, y := pair(t, a, b, atB[0].ID, atA[0].ID)
		check(t, errors.Join(x.err, y.err))
		if x.match.Words != y.match.Words || string(x.match.Package) != string(b.opts.Package) || y.match.Name != "Alex" {
			t.Errorf("%v and %v", x.match.Words, y.match.Words)
		}
		var sameA bool
		var errA error
		var wait sync.WaitGroup
		wait.Go(func() { sameA, errA = x.match.Agree(t.Context(), verdicts[0]) })
		sameB, errB := y.match.Agree(t.Context(), verdicts[1])
		wait.Wait()
		check(t, errors.Join(errA, errB))
		if want := verdicts[0] && verdicts[1]; sameA != want || sameB != want {
			t.Errorf("%v: agreed %v and %v", verdicts, sameA, sameB)
		}
		if _, err := a.Exchange(t.Context(), atA[0].ID); !errors.Is(err, ErrSpent) {
			t.Errorf("a second exchange: %v", err)
		}
		check(t, errors.Join(a.Close(), b.Close()))
	}
}

func TestSeveralAreNear(t *testing.T) {
	net := newAir(t)
	a, b, c := net.open("Alex", 1), net.open("Blair", 2), net.open("Carol", 3)
	list := net.until(a, some(2))
	if list[0].Name != "Blair" || list[1].Name != "Carol" {
		t.Fatalf("list %+v", list)
	}
	if _, err := a.Exchange(t.Context(), "nobody"); !errors.Is(err, ErrNoPeer) {
		t.Errorf("nobody: %v", err)
	}
	idOf := func(s *Service, name string) string {
		for _, p := range net.until(s, some(2)) {
			if p.Name == name {
				return p.ID
			}
		}
		t.Fatal("not listed")
		return ""
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	bAtA, aAtB := idOf(a, "Blair"), idOf(b, "Alex")
	go func() { _, err := a.Exchange(ctx, bAtA); done <- err }()
	net.until(b, func(list []Peer) bool { // Blair sees who has chosen her
		return len(list) == 2 && list[0].Name == "Alex" && list[0].Chosen && !list[1].Chosen
	})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	net.until(b, some(1)) // Alex has gone
	if _, err := b.Exchange(t.Context(), aAtB); !errors.Is(err, ErrNoPeer) {
		t.Errorf("who has gone: %v", err)
	}
	check(t, c.Close())
	net.until(b, some(0))
}

// TestPeerBreaksOff: the other side goes away in the middle.
func TestPeerBreaksOff(t *testing.T) {
	net := newAir(t)
	a, b := net.open("", 1), net.open("", 2)
	list := net.until(a, some(1))
	net.until(b, some(1))
	done := make(chan error, 1)
	go func() { _, err := a.Exchange(t.Context(), list[0].ID); done <- err }()
	net.until(b, func(p []Peer) bool { return len(p) == 1 && p[0].Chosen })
	check(t, b.Close())
	if err := <-done; !errors.Is(err, ErrGone) {
		t.Errorf("%v", err)
	}
}

// TestRudePeers dial against the rule, say nonsense, or come twice: none is listed, and
// who behaves still is.
func TestRudePeers(t *testing.T) {
	net := newAir(t)
	s := net.open("Alex", 1)
	// open returns nil if the stream was refused before its protocol was settled.
	open := func(h host.Host) network.Stream {
		t.Helper()
		stream, err := h.NewStream(t.Context(), s.host.ID(), Protocol)
		if errors.Is(err, network.ErrReset) {
			return nil
		}
		check(t, err)
		check(t, stream.SetDeadline(time.Now().Add(10*time.Second)))
		return stream
	}
	dial := func(lower bool) (host.Host, network.Stream) {
		t.Helper()
		for {
			key, _, err := crypto.GenerateEd25519Key(seeded(byte(time.Now().UnixNano())))
			check(t, err)
			id, err := peer.IDFromPrivateKey(key)
			check(t, err)
			if (string(id) < string(s.host.ID())) != lower {
				continue
			}
			h, err := net.host(key)
			check(t, err)
			t.Cleanup(func() { h.Close() })
			check(t, h.Connect(t.Context(), peer.AddrInfo{ID: s.host.ID(), Addrs: s.host.Addrs()}))
			return h, open(h)
		}
	}
	refused := func(name string, stream network.Stream) {
		t.Helper()
		if stream == nil {
			return
		}
		_ = writeFrame(stream, helloFrame("Zoe"))
		if _, err := readFrame(stream); !errors.Is(err, ErrGone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, stream := dial(false)
	refused("a higher id that dials", stream)

	_, stream = dial(true)
	_, err := stream.Write([]byte(strings.Repeat("\xff", 100)))
	check(t, err)
	refused("nonsense", stream)

	h, stream := dial(true)
	check(t, writeFrame(stream, helloFrame("Blair")))
	if f, err := readFrame(stream); err != nil || f.kind != kindHello {
		t.Fatalf("not greeted: %v", err)
	}
	net.until(s, some(1))
	refused("a second stream of one peer", open(h))

	for range 2 * queued { // more than is read ahead, before anything was chosen
		check(t, writeFrame(stream, frame{kind: kindChoose}))
	}
	list := net.until(s, func(p []Peer) bool { return len(p) == 1 && p[0].Chosen })
	if _, err := s.Exchange(t.Context(), list[0].ID); !errors.Is(err, ErrProtocol) {
		t.Errorf("who chooses for ever: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	net := newAir(t)
	pkg := testPackage(t, 1)
	for name, test := range map[string]struct {
		o    Options
		want error
	}{
		"long name":         {Options{Name: strings.Repeat("x", 33), Package: pkg}, ErrBadName},
		"unprintable name":  {Options{Name: "a\nb", Package: pkg}, ErrBadName},
		"no package":        {Options{}, ErrPackage},
		"nothing to search": {Options{Package: pkg, find: func(host.Host, func(peer.AddrInfo)) (io.Closer, error) { return nil, ErrNoNetwork }}, ErrNoNetwork},
	} {
		test.o.host = net.host
		if _, err := Open(test.o); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyLocalAddresses(t *testing.T) {
	for addr, want := range map[string]bool{
		"/ip4/192.168.1.7/tcp/1": true, "/ip4/10.0.0.1/tcp/1": true, "/ip4/127.0.0.1/tcp/1": true,
		"/ip4/169.254.3.3/tcp/1": true, "/ip6/fe80::1/tcp/1": true, "/ip6/fd00::1/tcp/1": true, "/ip6/::1/tcp/1": true,
		"/ip4/203.0.113.7/tcp/1": false, "/ip6/2001:db8::1/tcp/1": false, "/dns4/example.org/tcp/1": false,
	} {
		m, err := ma.NewMultiaddr(addr)
		check(t, err)
		if isLocal(m) != want {
			t.Errorf("%s: %v", addr, !want)
		}
	}
}
