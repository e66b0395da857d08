package transport

import (
	"context"
	"errors"
	"io"
	"sync"

	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/mux"
	"communicator/wire/pb"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"
)

// Target is an agent and what a client shows it to be served.
type Target struct {
	URI agenturi.URI
	// Addrs are further addresses from the agent's newest descriptor, without /p2p/….
	Addrs []multiaddr.Multiaddr
	// Credential opens the client's account; nil where none is needed.
	Credential *wire.Credential
	// Token opens an account with the credential, once.
	Token *wire.Token
}

// conn is the connection of one key, opened at its first use and again when it broke.
type conn struct {
	pool *Pool
	key  Key

	// Guarded by pool.mu.
	leases map[*Lease]struct{}
	turn   uint64

	busy chan struct{} // holds a value when nobody opens or closes; its taker owns what follows
	mu   sync.Mutex    // guards target
	to   Target

	host    host.Host
	streams map[streamKey]*stream
	closed  bool
}

// streamKey tells streams with an account from those without.
type streamKey struct {
	proto   protocol.ID
	account bool
}

// stream is one protocol's stream after its Hello.
type stream struct {
	*mux.Client
	nonce    [32]byte
	draining bool
}

func newConn(p *Pool, key Key) *conn {
	c := &conn{pool: p, key: key, leases: map[*Lease]struct{}{}, busy: make(chan struct{}, 1),
		streams: map[streamKey]*stream{}}
	c.busy <- struct{}{}
	return c
}

// patient says whether every holder would yield, and was not asked to, and, if that is
// asked for, has settled. The caller holds pool.mu.
func (c *conn) patient(settled bool) bool {
	for l := range c.leases {
		if l.yield == nil || l.asked || settled && !l.settled {
			return false
		}
	}
	return len(c.leases) > 0
}

func (c *conn) setTarget(t Target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.to = t
}

func (c *conn) target() Target {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.to
}

// close ends the streams and the host for good.
func (c *conn) close() {
	<-c.busy
	defer func() { c.busy <- struct{}{} }()
	c.closed = true
	for key, s := range c.streams {
		s.Close()
		delete(c.streams, key)
	}
	if c.host != nil {
		c.host.Close()
		c.host = nil
	}
}

// open returns a live stream after its Hello, and the peer id under which the agent
// knows this client. hello is nil for a protocol without one.
func (c *conn) open(ctx context.Context, key streamKey, hello helloFunc) (*stream, peer.ID, error) {
	select {
	case <-c.busy:
	case <-ctx.Done():
		return nil, "", context.Cause(ctx)
	}
	defer func() { c.busy <- struct{}{} }()
	if c.closed {
		return nil, "", ErrClosed
	}
	if c.host == nil {
		h, err := c.newHost()
		if err != nil {
			return nil, "", err
		}
		c.host = h
	}
	if s := c.streams[key]; s != nil {
		select {
		case <-s.Done():
			s.Close()
			delete(c.streams, key)
		default:
			return s, c.host.ID(), nil
		}
	}
	s, err := c.dial(ctx, key, hello)
	if err != nil {
		return nil, "", err
	}
	c.streams[key] = s
	return s, c.host.ID(), nil
}

func (c *conn) newHost() (host.Host, error) {
	id, _, err := crypto.GenerateEd25519Key(c.pool.opts.Rand)
	if err != nil {
		return nil, err
	}
	return c.pool.opts.Host(id)
}

// call sends one request on the protocol's stream, and once more on a new stream if
// that one broke.
func (l *Lease) call(ctx context.Context, key streamKey, hello helloFunc, do func(ctx context.Context, s *stream, self peer.ID) error) error {
	for again := true; ; again = false {
		s, self, err := l.conn.open(ctx, key, hello)
		if err != nil {
			return err
		}
		err = do(ctx, s, self)
		if err == nil || !again || !broken(s) || ctx.Err() != nil {
			if err != nil {
				err = unreachable(ctx, "request", err)
			}
			return err
		}
	}
}

func broken(s *stream) bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

// request is one call with one answer under [CallTimeout].
func request(ctx context.Context, s *stream, req, resp proto.Message) error {
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	return s.Call(ctx, req, resp)
}

// items reads the answers of a streaming request until the last.
func items[T proto.Message](ctx context.Context, s *stream, req proto.Message, fresh func() T, each func(T) error) error {
	it, err := s.Stream(ctx, req)
	if err != nil {
		return err
	}
	defer it.Close()
	for {
		m := fresh()
		more, err := it.Next(ctx, m)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := each(m); err != nil || !more {
			return err
		}
	}
}

// helloFunc says Hello on a fresh stream and notes the answer.
type helloFunc func(ctx context.Context, s *stream, t Target, account bool) error

func (s *stream) welcome(reply *pb.HelloReply) error {
	if reply == nil {
		return ErrProtocol
	}
	if n := reply.GetNonce(); len(n) == len(s.nonce) {
		copy(s.nonce[:], n)
	} else if len(n) != 0 {
		return ErrProtocol
	}
	s.draining = reply.GetDraining()
	return nil
}
