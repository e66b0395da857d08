package mailbox

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"

	"communicator/mailbox/address"
	"communicator/wire"
	"communicator/wire/mux"
	"communicator/wire/pb"
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

// opened connects two hosts and opens a stream.
func opened(t *testing.T, from, to host.Host, p protocol.ID) network.Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := from.Connect(ctx, peer.AddrInfo{ID: to.ID(), Addrs: to.Addrs()}); err != nil {
		t.Fatal(err)
	}
	st, err := from.NewStream(ctx, to.ID(), p)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// serve registers an agent's handlers on a host.
func serve(h host.Host, a *agent) {
	h.SetStreamHandler(wire.ProtocolDeliver, a.HandleDeliver)
	h.SetStreamHandler(wire.ProtocolMailbox, a.HandleMailbox)
	h.SetStreamHandler(wire.ProtocolBlob, a.HandleBlob)
}

func TestJourneyOverLibp2p(t *testing.T) {
	a := newAgent(t)
	server, client := newHost(t, false), newHost(t, false)
	serve(server, a)

	dial := func(p protocol.ID) *mux.Client {
		c := mux.NewClient(opened(t, client, server, p), mux.Limits{})
		t.Cleanup(func() { c.Close() })
		return c
	}
	o := a.owner(1) // for its key alone
	o.c, o.remote = dial(wire.ProtocolMailbox), client.ID()
	o.hello(1)
	p := a.attempt(o.create(0), "hello")
	if code := a.code(dial(wire.ProtocolDeliver), p); code != address.Stored {
		t.Errorf("outcome %v", code)
	}
	if got := o.collect(); len(got) != 1 || got[0] != "hello" {
		t.Errorf("collected %q", got)
	}
	u := &blobUser{a, dial(wire.ProtocolBlob)}
	if _, status := u.get(exampleBlob(1).Id); status != wire.StatusNotFound {
		t.Errorf("blob: %v", status)
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
	a := newAgent(t)
	server, client := newHost(t, true), newHost(t, false)
	serve(server, a)
	c := mux.NewClient(opened(t, client, server, wire.ProtocolDeliver), mux.Limits{})
	defer c.Close()
	err := c.Call(t.Context(), &pb.DeliverRequest{}, &pb.DeliverResponse{})
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a stream that there was no memory for: %v", err)
	}
}
