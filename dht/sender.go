package dht

import (
	"bufio"
	"context"
	"sync"
	"time"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/encoding/protodelim"
)

// sender carries requests for the library and for this package: protobuf messages with
// a uvarint length, one request at a time on a stream. The library's own holds one
// stream to a peer, on which the requests of all searches queue, and reads replies of
// up to 4 MiB.
type sender struct {
	host      host.Host
	protocols []protocol.ID
	timeout   time.Duration // of one request

	mu   sync.Mutex // guards idle; never held across I/O
	idle map[peer.ID][]*channel
}

// channel is a stream that one request at a time uses.
type channel struct {
	network.Stream
	in    *bufio.Reader
	since time.Time // when it was last used
}

func newSender(h host.Host, protocols []protocol.ID, timeout time.Duration) *sender {
	return &sender{host: h, protocols: protocols, timeout: timeout, idle: map[peer.ID][]*channel{}}
}

// SendRequest sends a request and returns the reply. It is a stranger's: any part of it
// may be missing. A search that the context carries sees both.
func (s *sender) SendRequest(ctx context.Context, p peer.ID, m *kadpb.Message) (*kadpb.Message, error) {
	search := searchOf(ctx)
	m = search.request(m)
	reply, err := s.request(ctx, p, m)
	search.reply(p, m, reply, err)
	return reply, err
}

func (s *sender) request(ctx context.Context, p peer.ID, m *kadpb.Message) (*kadpb.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if c := s.take(p); c != nil {
		if reply, err := s.exchange(ctx, p, c, m); err == nil || ctx.Err() != nil {
			return reply, err
		} // the peer may have closed what was idle
	}
	c, err := s.open(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.exchange(ctx, p, c, m)
}

// SendMessage sends what has no reply. Nothing in this overlay does, with provider
// records disabled.
func (s *sender) SendMessage(ctx context.Context, p peer.ID, m *kadpb.Message) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	c, err := s.open(ctx, p)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Reset() })
	defer stop()
	if _, err := protodelim.MarshalTo(c, m); err != nil {
		_ = c.Reset()
		return err
	}
	return c.Close()
}

func (s *sender) open(ctx context.Context, p peer.ID) (*channel, error) {
	stream, err := s.host.NewStream(ctx, p, s.protocols...)
	if err != nil {
		return nil, err
	}
	return &channel{Stream: stream, in: bufio.NewReader(stream)}, nil
}

// exchange ends the stream on any fault and keeps it otherwise.
func (s *sender) exchange(ctx context.Context, p peer.ID, c *channel, m *kadpb.Message) (*kadpb.Message, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.Reset() })
	began := time.Now()
	reply := new(kadpb.Message)
	_, err := protodelim.MarshalTo(c, m)
	if err == nil {
		err = protodelim.UnmarshalOptions{MaxSize: maxReply}.UnmarshalFrom(c.in, reply)
	}
	if !stop() || err != nil {
		_ = c.Reset()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	s.host.Peerstore().RecordLatency(p, time.Since(began))
	s.keep(p, c)
	return reply, nil
}

// take returns the stream to the peer that was used last, or nil.
func (s *sender) take(p peer.ID) *channel {
	s.mu.Lock()
	idle := s.idle[p]
	if len(idle) == 0 {
		s.mu.Unlock()
		return nil
	}
	c := idle[len(idle)-1]
	if time.Since(c.since) <= idleTime {
		s.idle[p] = idle[:len(idle)-1]
		s.mu.Unlock()
		return c
	}
	delete(s.idle, p)
	s.mu.Unlock()
	closeAll(idle)
	return nil
}

func (s *sender) keep(p peer.ID, c *channel) {
	c.since = time.Now()
	s.mu.Lock()
	room := len(s.idle[p]) < maxIdle && s.idle != nil
	if room {
		s.idle[p] = append(s.idle[p], c)
	}
	s.mu.Unlock()
	if !room {
		_ = c.Close()
	}
}

// OnDisconnect forgets a peer's streams.
func (s *sender) OnDisconnect(_ context.Context, p peer.ID) {
	s.mu.Lock()
	idle := s.idle[p]
	delete(s.idle, p)
	s.mu.Unlock()
	closeAll(idle)
}

func (s *sender) close() {
	s.mu.Lock()
	all := s.idle
	s.idle = nil
	s.mu.Unlock()
	for _, idle := range all {
		closeAll(idle)
	}
}

func closeAll(streams []*channel) {
	for _, c := range streams {
		_ = c.Reset()
	}
}
