package memnet

import (
	"context"
	"sync"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
)

// conn is one end of a connection.
type conn struct {
	link *link
	side int // index in link.ends

	t                 *Transport
	localID, remoteID peer.ID
	remoteKey         crypto.PubKey
	local, remote     ma.Multiaddr
	scope             network.ConnManagementScope

	mu      sync.Mutex // guards what follows
	moved   sync.Cond  // with mu: a stream waits, or the connection ended
	waiting []*stream  // to be accepted
	streams map[uint64]*stream
	nextID  uint64 // odd for the end that dialled, even for the other
	closed  bool
	cause   error // why it closed, for calls on it
}

var _ transport.CapableConn = (*conn)(nil)

func newConn(l *link, side int, here, there *Transport, local, remote ma.Multiaddr, scope network.ConnManagementScope) *conn {
	c := &conn{
		link: l, side: side, t: here, localID: here.id, remoteID: there.id, remoteKey: there.key,
		local: local, remote: remote, scope: scope,
		streams: make(map[uint64]*stream), nextID: uint64(side) + 1,
	}
	c.moved.L = &c.mu
	return c
}

func (c *conn) peerEnd() *conn { return c.link.ends[1-c.side] }

// send puts a frame on the wire; deliver runs at the other end.
func (c *conn) send(size int, deliver func(there *conn)) {
	there := c.peerEnd()
	c.link.send(1-c.side, size, func() { deliver(there) })
}

// OpenStream begins a stream; the other end hears of it with the first frame's
// delay, and the caller does not wait for that.
func (c *conn) OpenStream(context.Context) (network.MuxedStream, error) {
	c.mu.Lock()
	if c.closed {
		defer c.mu.Unlock()
		return nil, c.cause
	}
	s := newStream(c, c.nextID)
	c.nextID += 2
	c.streams[s.id] = s
	c.mu.Unlock()
	c.send(0, func(there *conn) { there.opened(s.id) })
	return s, nil
}

// opened handles the other end's OpenStream.
func (c *conn) opened(id uint64) {
	s := newStream(c, id)
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.streams[id] = s
	room := len(c.waiting) < acceptBacklog
	if room && !c.t.silent {
		c.waiting = append(c.waiting, s)
		c.moved.Signal()
	}
	c.mu.Unlock()
	switch {
	case c.t.silent:
		_ = s.ResetWithError(network.StreamProtocolNegotiationFailed)
	case !room:
		_ = s.ResetWithError(network.StreamResourceLimitExceeded)
	}
}

// AcceptStream waits for the other end to begin a stream. A goroutine waits here for each
// end of each connection, so it waits with a small stack.
func (c *conn) AcceptStream() (network.MuxedStream, error) {
	c.mu.Lock()
	for len(c.waiting) == 0 && !c.closed {
		c.moved.Wait()
	}
	defer c.mu.Unlock()
	if c.closed {
		return nil, c.cause
	}
	s := c.waiting[0]
	c.waiting[0] = nil
	if c.waiting = c.waiting[1:]; len(c.waiting) == 0 {
		c.waiting = nil
	}
	return s, nil
}

// stream returns the stream with the number, or nil if it has gone.
func (c *conn) stream(id uint64) *stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[id]
}

func (c *conn) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, id)
}

// Close closes the connection; frames already sent arrive before the other end
// hears of it.
func (c *conn) Close() error { return c.CloseWithError(network.ConnNoError) }

// CloseWithError is [conn.Close] with a code for the other end.
func (c *conn) CloseWithError(code network.ConnErrorCode) error {
	if !c.reset(false, code) {
		return nil
	}
	c.link.net.observe(Hung, c.link.num, c.localID, c.remoteID, frameOverhead)
	c.send(0, func(there *conn) { there.reset(true, code) })
	c.link.hangUp()
	return nil
}

// reset ends the connection at this end, and says whether it was open.
func (c *conn) reset(byRemote bool, code network.ConnErrorCode) bool {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return false
	}
	c.closed = true
	c.cause = &network.ConnError{Remote: byRemote, ErrorCode: code}
	streams := c.streams
	c.streams = map[uint64]*stream{}
	c.moved.Broadcast()
	c.mu.Unlock()
	for _, s := range streams {
		s.fail(c.cause)
	}
	c.scope.Done()
	if byRemote {
		c.link.hangUp()
	}
	return true
}

// IsClosed says whether the connection has ended at this end.
func (c *conn) IsClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// As finds nothing below this type.
func (c *conn) As(any) bool { return false }

// LocalPeer is this end's identity.
func (c *conn) LocalPeer() peer.ID { return c.localID }

// RemotePeer is the other end's identity.
func (c *conn) RemotePeer() peer.ID { return c.remoteID }

// RemotePublicKey is the other end's key.
func (c *conn) RemotePublicKey() crypto.PubKey { return c.remoteKey }

// ConnState claims what TCP with TLS and yamux would report.
func (c *conn) ConnState() network.ConnectionState {
	return network.ConnectionState{StreamMultiplexer: "/yamux/1.0.0", Security: "/tls/1.0.0", Transport: "tcp"}
}

// LocalMultiaddr is this end's address.
func (c *conn) LocalMultiaddr() ma.Multiaddr { return c.local }

// RemoteMultiaddr is the other end's address.
func (c *conn) RemoteMultiaddr() ma.Multiaddr { return c.remote }

// Scope is the connection's account in the host's resource manager.
func (c *conn) Scope() network.ConnScope { return c.scope }

// Transport is the host's transport.
func (c *conn) Transport() transport.Transport { return c.t }
