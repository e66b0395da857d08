package memnet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
)

// outward is the network of a host that only dials.
type outward struct {
	t    *Transport
	book peerstore.Peerstore
	done chan struct{} // closed by Close

	mu     sync.Mutex // guards what follows
	conns  map[peer.ID]*dialled
	closed bool
}

var (
	_ network.Network = (*outward)(nil)
	_ network.Conn    = (*dialled)(nil)
	_ network.Stream  = (*opened)(nil)
)

func newOutward(t *Transport, book peerstore.Peerstore) *outward {
	return &outward{t: t, book: book, done: make(chan struct{}), conns: map[peer.ID]*dialled{}}
}

// Done is closed with the network.
func (o *outward) Done() <-chan struct{} { return o.done }

// Peerstore has the addresses of peers.
func (o *outward) Peerstore() peerstore.Peerstore { return o.book }

// LocalPeer is the host's identity.
func (o *outward) LocalPeer() peer.ID { return o.t.id }

// connected is the connection to a peer, or nil.
func (o *outward) connected(p peer.ID) *dialled {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.conns[p]
	if c != nil && c.IsClosed() {
		delete(o.conns, p)
		return nil
	}
	return c
}

// DialPeer returns the connection to a peer, which it makes if there is none.
func (o *outward) DialPeer(ctx context.Context, p peer.ID) (network.Conn, error) {
	if c := o.connected(p); c != nil {
		return c, nil
	}
	if none, _ := network.GetNoDial(ctx); none {
		return nil, network.ErrNoConn
	}
	addrs := o.book.Addrs(p)
	if len(addrs) == 0 {
		return nil, swarm.ErrNoAddresses
	}
	var errs []error
	for _, a := range addrs {
		raw, err := o.t.Dial(ctx, a, p)
		if err == nil {
			return o.keep(raw.(*conn))
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("memnet: dial: %w", errors.Join(errs...))
}

// keep remembers a new connection, unless somebody else has made one.
func (o *outward) keep(raw *conn) (network.Conn, error) {
	c := &dialled{conn: raw, opened: time.Now()}
	o.mu.Lock()
	other := o.conns[raw.remoteID]
	closed := o.closed
	if other != nil && other.IsClosed() {
		other = nil
	}
	if !closed && other == nil {
		o.conns[raw.remoteID] = c
	}
	o.mu.Unlock()
	switch {
	case closed:
		return nil, errors.Join(ErrClosed, c.Close())
	case other != nil:
		return other, c.Close()
	}
	return c, nil
}

// ClosePeer ends the connection to a peer.
func (o *outward) ClosePeer(p peer.ID) error {
	o.mu.Lock()
	c := o.conns[p]
	delete(o.conns, p)
	o.mu.Unlock()
	if c == nil {
		return nil
	}
	return c.Close()
}

// Connectedness says whether there is a connection to a peer.
func (o *outward) Connectedness(p peer.ID) network.Connectedness {
	if o.connected(p) == nil {
		return network.NotConnected
	}
	return network.Connected
}

// Peers are those that are connected.
func (o *outward) Peers() (out []peer.ID) {
	for _, c := range o.Conns() {
		out = append(out, c.RemotePeer())
	}
	return out
}

// Conns are the connections.
func (o *outward) Conns() (out []network.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.conns {
		if !c.IsClosed() {
			out = append(out, c)
		}
	}
	return out
}

// ConnsToPeer is the connection to a peer, if there is one.
func (o *outward) ConnsToPeer(p peer.ID) []network.Conn {
	if c := o.connected(p); c != nil {
		return []network.Conn{c}
	}
	return nil
}

// NewStream opens a stream without a protocol.
func (o *outward) NewStream(ctx context.Context, p peer.ID) (network.Stream, error) {
	c, err := o.DialPeer(ctx, p)
	if err != nil {
		return nil, err
	}
	return c.NewStream(ctx)
}

// CanDial says yes to TCP addresses.
func (o *outward) CanDial(_ peer.ID, addr ma.Multiaddr) bool { return o.t.CanDial(addr) }

// ResourceManager limits nothing.
func (o *outward) ResourceManager() network.ResourceManager { return o.t.limits }

// Notify has no effect, as StopNotify and SetStreamHandler.
func (o *outward) Notify(network.Notifiee) {}

// StopNotify has no effect.
func (o *outward) StopNotify(network.Notifiee) {}

// SetStreamHandler has no effect.
func (o *outward) SetStreamHandler(network.StreamHandler) {}

// Listen is refused.
func (o *outward) Listen(...ma.Multiaddr) error { return ErrAddress }

// ListenAddresses is empty.
func (o *outward) ListenAddresses() []ma.Multiaddr { return nil }

// InterfaceListenAddresses is empty.
func (o *outward) InterfaceListenAddresses() ([]ma.Multiaddr, error) { return nil, nil }

// Close ends the connections.
func (o *outward) Close() error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return nil
	}
	o.closed = true
	close(o.done)
	conns := o.conns
	o.conns = map[peer.ID]*dialled{}
	o.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
	return nil
}

// dialled is a connection of a host that only dials.
type dialled struct {
	*conn
	opened time.Time
}

// ID tells the host's connections apart.
func (c *dialled) ID() string { return fmt.Sprintf("%v-%d", c.localID, c.link.num) }

// NewStream opens a stream without a protocol.
func (c *dialled) NewStream(ctx context.Context) (network.Stream, error) {
	s, err := c.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	return &opened{stream: s.(*stream), conn: c, began: time.Now()}, nil
}

// GetStreams is empty: streams are not listed.
func (c *dialled) GetStreams() []network.Stream { return nil }

// Stat says when the connection began.
func (c *dialled) Stat() network.ConnStats {
	return network.ConnStats{Stats: network.Stats{Direction: network.DirOutbound, Opened: c.opened}}
}

// Scope is the connection's account, without limits.
func (c *dialled) Scope() network.ConnScope { return c.scope }

// opened is a stream of a host that only dials.
type opened struct {
	*stream
	conn  *dialled
	began time.Time

	mu       sync.Mutex // guards protocol
	protocol protocol.ID
}

// ID tells the host's streams apart.
func (s *opened) ID() string { return fmt.Sprintf("%s-%d", s.conn.ID(), s.id) }

// Protocol is what was settled, or nothing.
func (s *opened) Protocol() protocol.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.protocol
}

// SetProtocol notes what was settled.
func (s *opened) SetProtocol(id protocol.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.protocol = id
	return nil
}

// Stat says when the stream began.
func (s *opened) Stat() network.Stats {
	return network.Stats{Direction: network.DirOutbound, Opened: s.began}
}

// Conn is the stream's connection.
func (s *opened) Conn() network.Conn { return s.conn }

// Scope is the stream's account, without limits.
func (s *opened) Scope() network.StreamScope { return &network.NullScope{} }
