package dht

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"
)

// guard stands before the library's handler: it bounds the streams of each peer and of
// all, the size of a request, and the rate of a peer's requests, before any is parsed.
// The library itself reads requests of up to 4 MiB, as many as come.
type guard struct {
	mu      sync.Mutex // guards what follows
	streams int
	guests  map[peer.ID]*guest
}

// guest is a peer that has streams open, or had until lately.
type guest struct {
	streams int
	rate    *rate.Limiter
}

func newGuard() *guard { return &guard{guests: map[peer.ID]*guest{}} }

// wrap puts the guard before a handler.
func (g *guard) wrap(handler network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) {
		p := s.Conn().RemotePeer()
		limiter := g.enter(p)
		if limiter == nil {
			_ = s.ResetWithError(network.StreamResourceLimitExceeded)
			return
		}
		defer g.leave(p)
		handler(&guarded{Stream: s, rate: limiter})
	}
}

// enter counts a stream in, or returns nil if there is no room for it.
func (g *guard) enter(p peer.ID) *rate.Limiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.streams == maxStreams {
		return nil
	}
	h := g.guests[p]
	if h == nil {
		if len(g.guests) >= maxGuests {
			g.tidy()
		}
		h = &guest{rate: rate.NewLimiter(requestsPerSecond, requestBurst)}
		g.guests[p] = h
	}
	if h.streams == maxStreamsPerPeer {
		return nil
	}
	g.streams++
	h.streams++
	return h.rate
}

func (g *guard) leave(p peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.streams--
	g.guests[p].streams--
}

// tidy forgets peers without streams. Those with streams are at most maxStreams.
func (g *guard) tidy() {
	for p, h := range g.guests {
		if h.streams == 0 {
			delete(g.guests, p)
		}
	}
}

// guarded is a stream of requests, each a uvarint length and as many bytes. It follows
// the lengths as they pass.
type guarded struct {
	network.Stream
	rate *rate.Limiter

	left   uint64 // of the request that is passing
	length uint64 // of the next one, as far as it has been read
	shift  uint
}

// Read passes on what the peer sends. It ends the stream on a request that is too
// large, and holds a peer up that asks too fast.
func (s *guarded) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		if s.left > 0 {
			m := min(s.left, uint64(len(rest)))
			s.left, rest = s.left-m, rest[m:]
			continue
		}
		if code := s.lengthByte(rest[0]); code != network.StreamNoError {
			_ = s.ResetWithError(code)
			return 0, errRequest
		}
		rest = rest[1:]
	}
	return n, err
}

// lengthByte takes one byte of a length. After its last byte the request has its turn.
func (s *guarded) lengthByte(b byte) network.StreamErrorCode {
	s.length |= uint64(b&0x7f) << s.shift
	if s.shift += 7; s.length > maxRequest || s.shift > maxLengthBits {
		return network.StreamProtocolViolation
	}
	if b >= 0x80 {
		return network.StreamNoError
	}
	s.left, s.length, s.shift = s.length, 0, 0
	if !s.admit() {
		return network.StreamRateLimited
	}
	return network.StreamNoError
}

// admit waits until the peer may have another request served, within reason.
func (s *guarded) admit() bool {
	turn := s.rate.Reserve()
	wait := turn.Delay()
	if wait > maxHold {
		turn.Cancel()
		return false
	}
	if wait > 0 {
		time.Sleep(wait)
	}
	return true
}
