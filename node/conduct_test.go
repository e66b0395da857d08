package node

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"communicator/mailbox/address"
	"communicator/wire"
)

// visitor is a peer with one stream; what conduct does not use panics.
type visitor struct {
	network.Stream
	id      peer.ID
	reading error // what reading ends with
	lost    bool  // the connection
	reset   bool
}

func (v *visitor) Conn() network.Conn                           { return visit{v: v} }
func (v *visitor) Read([]byte) (int, error)                     { return 0, v.reading }
func (v *visitor) Write(b []byte) (int, error)                  { return len(b), nil }
func (v *visitor) Close() error                                 { return nil }
func (v *visitor) Reset() error                                 { return v.ResetWithError(0) }
func (v *visitor) ResetWithError(network.StreamErrorCode) error { v.reset = true; return nil }

// visit is the visitor's connection.
type visit struct {
	network.Conn
	v *visitor
}

func (c visit) RemotePeer() peer.ID { return c.v.id }
func (c visit) IsClosed() bool      { return c.v.lost }

// porch is a conduct with a clock of its own.
type porch struct {
	*conduct
	now   time.Time
	shown []peer.ID // the door
}

func newPorch() *porch {
	p := &porch{now: time.Unix(0, 0)}
	p.conduct = newConduct(func() time.Time { return p.now }, netip.Addr.IsLoopback,
		func(id peer.ID) { p.shown = append(p.shown, id) })
	return p
}

func TestOnlyWastedStreamsCount(t *testing.T) {
	answer := func(s network.Stream) { _, _ = s.Write([]byte("answer")) }
	for name, c := range map[string]struct {
		visit  visitor
		handle network.StreamHandler
		wasted bool
	}{
		"asked and answered":               {visitor{}, func(s network.Stream) { answer(s); _ = s.Close() }, false},
		"answered, then the peer resets":   {visitor{reading: network.ErrReset}, func(s network.Stream) { answer(s); _, _ = s.Read(nil); _ = s.Reset() }, false},
		"answered, then broken off":        {visitor{reading: io.ErrUnexpectedEOF}, func(s network.Stream) { answer(s); _, _ = s.Read(nil); _ = s.Reset() }, true},
		"nothing asked":                    {visitor{reading: io.EOF}, func(s network.Stream) { _, _ = s.Read(nil); _ = s.Close() }, true},
		"opened and reset by the peer":     {visitor{reading: network.ErrReset}, func(s network.Stream) { _, _ = s.Read(nil); _ = s.Reset() }, true},
		"too slow":                         {visitor{reading: os.ErrDeadlineExceeded}, func(s network.Stream) { _, _ = s.Read(nil); _ = s.Reset() }, true},
		"too slow, and the connection too": {visitor{lost: true}, func(s network.Stream) { _, _ = s.Read(nil); _ = s.Reset() }, false},
		"no room for it":                   {visitor{}, func(s network.Stream) { _ = s.Reset() }, false},
	} {
		p := newPorch()
		for range wastedOfPeer.Burst + 1 {
			v := c.visit
			v.id = "visitor"
			p.watch(&v, c.handle)
		}
		if got := len(p.shown) == 1; got != c.wasted {
			t.Errorf("%s: disconnected %v", name, p.shown)
		}
		if len(p.unanswered) > 0 {
			t.Errorf("%s: %v streams still wait", name, p.unanswered)
		}
	}
}

// TestWhoWastesStreamsIsKeptOut follows a peer out of the door, back again and again
// until its network is not heard any more, and home.
func TestWhoWastesStreamsIsKeptOut(t *testing.T) {
	p := newPorch()
	from, other := ma.StringCast("/ip4/192.0.2.1/tcp/4001"), ma.StringCast("/ip4/192.0.2.2/tcp/4001")
	for range 2 * wastedOfPeer.Burst { // those that were open already end, too
		p.watch(&visitor{id: "waster"}, func(s network.Stream) { _, _ = s.Read(nil); _ = s.Reset() })
	}
	if len(p.shown) != 1 || p.shunned.Load() != 1 {
		t.Fatalf("disconnected %d times, counted %d", len(p.shown), p.shunned.Load())
	}
	for i := range returnsOfHost.Burst {
		if !p.open(from) {
			t.Fatalf("the network is refused after %d returns", i)
		}
		if p.welcome("waster", from) {
			t.Fatal("who is kept out comes in")
		}
	}
	if p.open(from) || !p.open(other) {
		t.Error("its network is heard, or another one is not")
	}
	if !p.welcome("neighbour", from) {
		t.Error("another peer of that network is kept out")
	}
	p.now = p.now.Add(time.Hour / time.Duration(returnsOfHost.PerHour))
	if !p.open(from) {
		t.Error("the network is refused for ever")
	}
	p.now = p.now.Add(time.Duration(wastedOfPeer.Burst+1) * time.Hour / time.Duration(wastedOfPeer.PerHour))
	if !p.welcome("waster", from) {
		t.Error("the peer is kept out for ever")
	}
	loopback := ma.StringCast("/ip4/127.0.0.1/tcp/4001")
	for range 10 * returnsOfHost.Burst {
		p.wasted.Overdraw("local", p.now)
		p.welcome("local", loopback)
	}
	if !p.open(loopback) {
		t.Error("a network that is exempt is refused")
	}
}

func TestStreamsWithoutAnAnswerAreFew(t *testing.T) {
	p := newPorch()
	release, done := make(chan struct{}), make(chan struct{})
	entered := make(chan struct{})
	for range unansweredPerPeer {
		go func() {
			p.watch(&visitor{id: "silent"}, func(network.Stream) { entered <- struct{}{}; <-release })
			done <- struct{}{}
		}()
		<-entered
	}
	served := false
	serve := func(s network.Stream) { served = true; _, _ = s.Write([]byte("answer")) }
	v := &visitor{id: "silent"}
	if p.watch(v, serve); served || !v.reset {
		t.Error("one more stream is served")
	}
	if p.watch(&visitor{id: "other"}, serve); !served {
		t.Error("another peer's stream is not")
	}
	close(release)
	for range unansweredPerPeer {
		<-done
	}
	served = false
	if p.watch(&visitor{id: "silent"}, serve); !served {
		t.Error("a stream is refused when the others have ended")
	}
}

// TestPeersThatWasteStreamsAreDisconnected lets a peer send garbage to a running node,
// which parts with it. Others do not notice.
func TestPeersThatWasteStreamsAreDisconnected(t *testing.T) {
	n := run(t, onDisk(initDir(t)))
	defer n.end()
	ctx := t.Context()
	p := newPerson(t, nil, time.Now)
	defer p.close()
	p.at(ctx, n.token(1))
	b := p.makeBox(ctx, n.URI())

	waster := run(t, onDisk(initDir(t)))
	defer waster.end()
	home := peer.AddrInfo{ID: n.host.ID(), Addrs: n.host.Addrs()}
	if err := waster.host.Connect(ctx, home); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	over := sync.OnceFunc(func() { close(closed) })
	waster.host.Network().Notify(&network.NotifyBundle{DisconnectedF: func(_ network.Network, c network.Conn) {
		if c.RemotePeer() == n.host.ID() {
			over()
		}
	}})
	// Some more than it may: on a slow machine it is forgiven some meanwhile.
	for range 10 * wastedOfPeer.Burst {
		s, err := waster.host.NewStream(network.WithNoDial(ctx, "it was disconnected"), n.host.ID(), protocol.ID(wire.ProtocolMailbox))
		if err != nil {
			break
		}
		_, _ = s.Write([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
		_, err = io.Copy(io.Discard, s)
		if err != nil && !errors.Is(err, network.ErrReset) {
			break
		}
	}
	<-closed
	get(t, n, "/metrics", "communicator_node_peers_shunned_total 1")
	var came atomic.Int64
	n.host.Network().Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
		if c.RemotePeer() == waster.host.ID() {
			came.Add(1)
		}
	}})
	if err := waster.host.Connect(ctx, home); err == nil {
		// TLS has opened it here before the other side refused it: wait until that is known.
		if s, err := waster.host.NewStream(ctx, n.host.ID(), protocol.ID(wire.ProtocolDescriptor)); err == nil {
			_ = s.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, _ = s.Read(make([]byte, 1))
		}
	}
	if came.Load() > 0 {
		t.Error("it may come again at once")
	}
	via := run(t, onDisk(initDir(t)))
	defer via.end()
	if o := p.outcome(ctx, p.at(ctx, via.token(1)), submit(t, p, b, 0)); o.Code != address.Stored {
		t.Errorf("a message of somebody else: %v", o.Code)
	}
}
