package directory

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"

	client "communicator/client/directory"
	"communicator/directory/vend"
	"communicator/wire"
)

// newHost listens on loopback; poor, it allows us less memory than one stream's buffers.
func newHost(t *testing.T, poor bool) host.Host {
	t.Helper()
	options := []libp2p.Option{libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay()}
	if poor {
		limits := rcmgr.PartialLimitConfig{Service: map[string]rcmgr.ResourceLimits{serviceName: {Memory: 64 << 10}}}
		m, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Build(rcmgr.InfiniteLimits)))
		if err != nil {
			t.Fatal(err)
		}
		options = append(options, libp2p.ResourceManager(m))
	}
	h, err := libp2p.New(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// hostDialer opens streams from one host to another.
type hostDialer struct{ from, to host.Host }

func (d hostDialer) Open(ctx context.Context) (io.ReadWriteCloser, peer.ID, error) {
	if err := d.from.Connect(ctx, peer.AddrInfo{ID: d.to.ID(), Addrs: d.to.Addrs()}); err != nil {
		return nil, "", err
	}
	st, err := d.from.NewStream(ctx, d.to.ID(), wire.ProtocolDirectory)
	return st, d.from.ID(), err
}

func TestJourneyOverLibp2p(t *testing.T) {
	w := newWorld(t)
	server, asker := newHost(t, false), newHost(t, false)
	server.SetStreamHandler(wire.ProtocolDirectory, w.HandleDirectory)
	c := client.New(w.cfg.Agent, hostDialer{asker, server})
	defer c.Close()

	p := w.registered("alice")
	p.Client = c // the rest goes over the network, signed for another peer id
	p.rule(vend.Open, 10)
	p.upload(p.pack("over libp2p", true, 48*time.Hour))
	if w.contact(c, p.request()) == nil {
		t.Error("not granted")
	}
	var reserved int64
	service := func(s network.ServiceScope) error { reserved = s.Stat().Memory; return nil }
	if err := server.Network().ResourceManager().ViewService(serviceName, service); err != nil {
		t.Fatal(err)
	}
	if reserved == 0 {
		t.Error("no memory is reserved for open streams")
	}
}

func TestStreamWithoutRoomIsReset(t *testing.T) {
	w := newWorld(t)
	server, asker := newHost(t, true), newHost(t, false)
	server.SetStreamHandler(wire.ProtocolDirectory, w.HandleDirectory)
	c := client.New(w.cfg.Agent, hostDialer{asker, server})
	defer c.Close()
	_, err := c.Space(t.Context(), w.ns)
	var gone *client.UnreachableError
	if !errors.As(err, &gone) {
		t.Errorf("a stream that there was no memory for: %v", err)
	}
}
