package drill

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"communicator/wire"
	"communicator/wire/agenturi"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/sync/errgroup"
)

// orders are what a process of hostile peers is told.
type orders struct {
	Agents  []string // URIs, without tokens
	Peers   int
	Streams int      // slow ones, of all peers together
	From    []string // the addresses that they come from
	KeyID   []byte   // of the receiving agent's sealing key
}

// perAddress is how many connections an agent takes from one address: so many peers
// share one.
const perAddress = 8

// tally counts what hostile peers did and saw.
type tally struct {
	Peers   atomic.Int64 // that got a connection
	Opened  atomic.Int64 // streams
	Open    atomic.Int64 // slow streams that are open now
	Ended   atomic.Int64 // streams that the agent ended
	Refused atomic.Int64 // requests
	Dropped atomic.Int64 // handshakes
}

// manner is one way to be hostile; it is repeated until ctx ends.
type manner func(v *villain, ctx context.Context) error

// manners, of which peers take turns. Those that hold streams are first.
var manners = []manner{(*villain).hold, (*villain).drip, (*villain).garbage, (*villain).giant, (*villain).handshake, (*villain).flood}

const holding = 2 // of manners

// villain is one hostile peer with an identity and a connection of its own.
type villain struct {
	host    host.Host
	to      agenturi.URI
	streams int // that it may hold
	from    string
	tally   *tally
	keyID   []byte
}

// beHostile is a process of hostile peers. It says "ready" once all of them are at
// work, and what they did when its standard input ends.
func beHostile(text string) error {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	count := &tally{}
	villains := make([]*villain, o.Peers)
	g := errgroup.Group{}
	g.SetLimit(connecting)
	for i := range villains {
		g.Go(func() (err error) {
			villains[i], err = newVillain(ctx, o, i, count)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var working sync.WaitGroup
	for i, v := range villains {
		working.Go(func() {
			for ctx.Err() == nil {
				_ = manners[i%len(manners)](v, ctx) // being refused is what is expected
				pause(ctx, 100*time.Millisecond)
			}
		})
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	fmt.Printf("%d peers connected; %d streams opened, %d slow ones open at the end, %d ended by the agents; %d requests refused; %d handshakes dropped\n",
		count.Peers.Load(), count.Opened.Load(), count.Open.Load(), count.Ended.Load(), count.Refused.Load(), count.Dropped.Load())
	cancel()
	working.Wait()
	return err
}

func newVillain(ctx context.Context, o orders, i int, count *tally) (*villain, error) {
	v := &villain{tally: count, keyID: o.KeyID, from: o.From[i/perAddress%len(o.From)]}
	v.streams = max(1, o.Streams*len(manners)/holding/max(1, o.Peers))
	var err error
	if v.to, err = agenturi.Parse(o.Agents[i/len(manners)%len(o.Agents)]); err != nil {
		return nil, err
	}
	id, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	v.host, err = libp2p.New(libp2p.Identity(id), libp2p.NoListenAddrs, libp2p.DisableRelay(), libp2p.Ping(false),
		libp2p.DisableMetrics(), libp2p.DisableIdentifyAddressDiscovery(), libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport(),
			tcp.WithDialerForAddr(func(ma.Multiaddr) (tcp.ContextDialer, error) { return v.dialer(), nil })))
	if err != nil {
		return nil, err
	}
	if v.connect(ctx) == nil {
		count.Peers.Add(1)
	}
	return v, nil
}

// dialer dials from the villain's own address.
func (v *villain) dialer() *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(v.from)}}
}

func (v *villain) connect(ctx context.Context) error {
	return v.host.Connect(ctx, peer.AddrInfo{ID: v.to.Peer, Addrs: []ma.Multiaddr{v.to.Addr}})
}

// open makes a stream of one of the protocols, and connects again if it must.
func (v *villain) open(ctx context.Context, proto protocol.ID) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := v.connect(ctx); err != nil {
		return nil, err
	}
	s, err := v.host.NewStream(ctx, v.to.Peer, proto)
	if err == nil {
		v.tally.Opened.Add(1)
	}
	return s, err
}

var protocols = []protocol.ID{wire.ProtocolSubmit, wire.ProtocolMailbox, wire.ProtocolDeliver, wire.ProtocolBlob, wire.ProtocolDescriptor}

// hold opens streams and says nothing on them.
func (v *villain) hold(ctx context.Context) error { return v.slow(ctx, nil) }

// drip begins a frame on each stream and sends it a byte a second.
func (v *villain) drip(ctx context.Context) error {
	return v.slow(ctx, binary.AppendUvarint(nil, wire.MaxFrame/2))
}

// slow keeps streams open that get nothing done: after what they begin with, if
// anything, they send a byte a second.
func (v *villain) slow(ctx context.Context, first []byte) error {
	var held sync.WaitGroup
	defer held.Wait()
	for i := range v.streams {
		held.Go(func() {
			for ctx.Err() == nil {
				if s, err := v.open(ctx, protocols[i%len(protocols)]); err == nil {
					v.tally.Open.Add(1)
					v.dribble(ctx, s, first)
					v.tally.Open.Add(-1)
				}
				pause(ctx, 500*time.Millisecond)
			}
		})
	}
	return nil
}

func (v *villain) dribble(ctx context.Context, s network.Stream, first []byte) {
	defer s.Reset()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, s)
		if ctx.Err() == nil {
			v.tally.Ended.Add(1)
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for next := first; ; next = first[:min(1, len(first))] {
		if _, err := s.Write(next); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ended:
			return
		case <-ctx.Done():
			return
		}
	}
}

// garbage sends what is no frame.
func (v *villain) garbage(ctx context.Context) error {
	return v.blurt(ctx, noise(4<<10))
}

// giant announces a frame of many gigabytes.
func (v *villain) giant(ctx context.Context) error {
	return v.blurt(ctx, binary.AppendUvarint(nil, 1<<34))
}

// blurt writes something on a new stream and waits for its end.
func (v *villain) blurt(ctx context.Context, b []byte) error {
	for _, proto := range protocols {
		s, err := v.open(ctx, proto)
		if err != nil {
			return err
		}
		_, _ = s.Write(b)
		_ = s.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.Copy(io.Discard, s)
		v.tally.Ended.Add(1)
		_ = s.Reset()
	}
	return nil
}

// handshake begins a connection and leaves in the middle of it.
func (v *villain) handshake(ctx context.Context) error {
	_, address, err := manet.DialArgs(v.to.Addr)
	if err != nil {
		return err
	}
	c, err := v.dialer().DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	v.tally.Dropped.Add(1)
	// What libp2p begins with, and the first bytes of a TLS record that never ends.
	for _, line := range []string{"/multistream/1.0.0\n", "/tls/1.0.0\n"} {
		if _, err := c.Write(append([]byte{byte(len(line))}, line...)); err != nil {
			return err
		}
	}
	if _, err := c.Write([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc}); err != nil {
		return err
	}
	pause(ctx, time.Second)
	return nil
}

// pause waits, but not beyond ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
