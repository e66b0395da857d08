package memnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
)

// Transport is one host's way into a [Network].
type Transport struct {
	net    *Network
	from   netip.Addr
	id     peer.ID
	key    crypto.PubKey
	limits network.ResourceManager
	gater  connmgr.ConnectionGater // may be nil
	silent bool                    // takes no streams

	severed atomic.Bool // see [Sever]
}

var _ transport.Transport = (*Transport)(nil)

// CanDial says yes to TCP addresses.
func (t *Transport) CanDial(addr ma.Multiaddr) bool {
	_, err := addrPort(addr)
	return err == nil
}

// Protocols claims TCP.
func (t *Transport) Protocols() []int { return []int{ma.P_TCP} }

// Proxy says that this is no proxy.
func (t *Transport) Proxy() bool { return false }

// Listen makes the host reachable at the address.
func (t *Transport) Listen(addr ma.Multiaddr) (transport.Listener, error) {
	at, err := addrPort(addr)
	if err != nil {
		return nil, err
	}
	l := &listener{t: t, at: at, queue: make(chan *conn, acceptBacklog), done: make(chan struct{})}
	t.net.mu.Lock()
	defer t.net.mu.Unlock()
	if t.net.closed {
		return nil, ErrClosed
	}
	if t.severed.Load() {
		return nil, ErrSevered
	}
	if t.net.listeners[at] != nil {
		return nil, ErrInUse
	}
	t.net.listeners[at] = l
	return l, nil
}

// Dial connects to the peer at the address, in two round trips.
func (t *Transport) Dial(ctx context.Context, addr ma.Multiaddr, id peer.ID) (transport.CapableConn, error) {
	at, err := addrPort(addr)
	if err != nil {
		return nil, err
	}
	if t.severed.Load() {
		return nil, ErrSevered
	}
	scope, err := t.limits.OpenConnection(network.DirOutbound, true, addr)
	if err != nil {
		return nil, err
	}
	c, err := t.dial(ctx, at, id, scope)
	if err != nil {
		scope.Done()
		return nil, err
	}
	if t.gater != nil && !t.gater.InterceptSecured(network.DirOutbound, id, c) {
		_ = c.CloseWithError(network.ConnGated)
		return nil, errors.New("memnet: the host's gater refused the connection")
	}
	return c, nil
}

func (t *Transport) dial(ctx context.Context, at netip.AddrPort, id peer.ID, scope network.ConnManagementScope) (*conn, error) {
	if err := scope.SetPeer(id); err != nil {
		return nil, err
	}
	num, port, err := t.net.dialling()
	if err != nil {
		return nil, err
	}
	there := peer.ID("")
	if l := t.net.listenerAt(at); l != nil {
		there = l.t.id
	}
	legs := []struct{ from, to peer.ID }{{t.id, there}, {there, t.id}, {t.id, there}}
	for _, leg := range legs {
		if err := t.net.travel(ctx, num, leg.from, leg.to); err != nil {
			return nil, err
		}
		if t.net.listenerAt(at) == nil { // refused, seen half a round trip later
			if err := t.net.travel(ctx, num, there, t.id); err != nil {
				return nil, err
			}
			return nil, ErrRefused
		}
	}
	l := t.net.listenerAt(at)
	if l == nil {
		return nil, ErrRefused
	}
	if l.t.id != id {
		return nil, ErrWrongPeer
	}
	if t.severed.Load() {
		return nil, ErrSevered
	}
	out, err := l.connect(t, num, netip.AddrPortFrom(t.from, port), scope)
	if err != nil {
		return nil, err
	}
	if err := t.net.travel(ctx, num, there, t.id); err != nil {
		_ = out.CloseWithError(network.ConnNoError)
		return nil, err
	}
	return out, nil
}

// travel takes as long as a flight of a handshake from one host to the other, and
// waits while a partition separates them.
func (n *Network) travel(ctx context.Context, num uint64, from, to peer.ID) error {
	n.observe(Dialled, num, from, to, handshakeSize)
	for {
		changed := n.changes()
		if n.cut(from, to) {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		timer := time.NewTimer(n.delay(from, to, handshakeSize))
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// listener waits for connections at one address.
type listener struct {
	t     *Transport
	at    netip.AddrPort
	queue chan *conn
	done  chan struct{}

	mu     sync.Mutex // guards closed, and that nothing is queued afterwards
	closed bool
}

// connect makes both ends of a connection and queues this side's for Accept.
func (l *listener) connect(from *Transport, num uint64, at netip.AddrPort, scope network.ConnManagementScope) (*conn, error) {
	local, remote := multiaddrOf(l.at), multiaddrOf(at)
	here, err := l.t.limits.OpenConnection(network.DirInbound, true, remote)
	if err != nil {
		return nil, ErrRefused
	}
	if err := here.SetPeer(from.id); err != nil {
		here.Done()
		return nil, ErrRefused
	}
	wire := newLink(l.t.net, num)
	out := newConn(wire, 0, from, l.t, remote, local, scope)
	in := newConn(wire, 1, l.t, from, local, remote, here)
	wire.ends = [2]*conn{out, in}
	if g := l.t.gater; g != nil && (!g.InterceptAccept(in) || !g.InterceptSecured(network.DirInbound, from.id, in)) {
		here.Done()
		return nil, ErrRefused
	}
	if !l.t.net.addLink(wire) {
		here.Done()
		return nil, ErrClosed
	}
	wire.setCut(l.t.net.cut(from.id, l.t.id))
	if !l.offer(in) {
		wire.kill()
		here.Done()
		return nil, ErrRefused
	}
	return out, nil
}

// offer queues a connection for Accept unless the queue is full or closed.
func (l *listener) offer(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	select {
	case l.queue <- c:
		return true
	default:
		return false
	}
}

// Accept returns the next connection.
func (l *listener) Accept() (transport.CapableConn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, transport.ErrListenerClosed
	}
}

// Close frees the address and resets connections that nobody has accepted.
func (l *listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.t.net.mu.Lock()
	if l.t.net.listeners[l.at] == l {
		delete(l.t.net.listeners, l.at)
	}
	l.t.net.mu.Unlock()
	close(l.done)
	for {
		select {
		case c := <-l.queue:
			_ = c.Close()
		default:
			return nil
		}
	}
}

// Addr is the address as [net.Listener] gives it.
func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at) }

// Multiaddr is the address that the host listens at.
func (l *listener) Multiaddr() ma.Multiaddr { return multiaddrOf(l.at) }
