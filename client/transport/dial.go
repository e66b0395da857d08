package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"syscall"
	"time"

	"communicator/wire"
	"communicator/wire/mux"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/multiformats/go-multiaddr"
)

// dial connects, opens a stream and says Hello on it. An agent takes only so many
// handshakes at a time and hangs up on the others, which says nothing about it: so a
// connection that breaks before it was of any use is tried a few times, at random
// moments, before it counts as a failure.
func (c *conn) dial(ctx context.Context, key streamKey, hello helloFunc) (*stream, error) {
	ctx, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	// The pauses are ours, not those that libp2p keeps to after a failure.
	ctx = network.WithForceDirectDial(ctx, "paced by the client")
	pause := dialPause
	for try := 1; ; try++ {
		s, err := c.dialOnce(ctx, key, hello)
		if err == nil || try == dialTries || !brokeOff(err) {
			if err != nil && brokeOff(err) {
				c.pool.brokenOff(c.key.Agent)
			}
			return s, err
		}
		d, drawn := c.pool.jitter(pause)
		if drawn != nil {
			return nil, errors.Join(err, drawn)
		}
		timer := time.NewTimer(d)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
		pause *= 2
	}
}

func (c *conn) dialOnce(ctx context.Context, key streamKey, hello helloFunc) (*stream, error) {
	t := c.target()
	info := peer.AddrInfo{ID: t.URI.Peer, Addrs: append([]multiaddr.Multiaddr{t.URI.Addr}, t.Addrs...)}
	if err := c.host.Connect(ctx, info); err != nil {
		return nil, unreachable(ctx, "dial", err)
	}
	raw, err := c.host.NewStream(network.WithNoDial(ctx, "connected"), t.URI.Peer, key.proto)
	if err != nil {
		if c.host.Network().Connectedness(t.URI.Peer) != network.Connected {
			err = errors.Join(err, network.ErrNoConn)
		}
		// The connection may be dead without saying so: the next try dials anew.
		_ = c.host.Network().ClosePeer(t.URI.Peer)
		return nil, unreachable(ctx, "stream", err)
	}
	s := &stream{Client: mux.NewClient(raw, mux.Limits{MaxFrame: wire.MaxFrame, MaxInFlight: inFlight})}
	if hello == nil {
		return s, nil
	}
	if err := hello(ctx, s, t, key.account); err != nil {
		s.Close()
		return nil, unreachable(ctx, "hello", err)
	}
	return s, nil
}

// brokeOff says whether an agent that is there hung up. Where nobody listens, nobody
// answers, or somebody else does, another try at once brings nothing.
func brokeOff(err error) bool {
	var gone *UnreachableError
	var mismatch sec.ErrPeerIDMismatch
	if !errors.As(err, &gone) || errors.As(err, &mismatch) || errors.Is(err, ErrProxyAddress) {
		return false
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, syscall.ECONNREFUSED) {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, network.ErrReset) || errors.Is(err, network.ErrNoConn) ||
		errors.Is(err, mux.ErrEnded)
}

// jitter draws from half of d to one and a half.
func (p *Pool) jitter(d time.Duration) (time.Duration, error) {
	var b [8]byte
	if _, err := io.ReadFull(p.opts.Rand, b[:]); err != nil {
		return 0, err
	}
	return d/2 + time.Duration(binary.BigEndian.Uint64(b[:])%uint64(d)), nil
}
