package memnet

import (
	"context"
	"net/netip"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"
)

// Dialer makes a host that only dials, from the given IP address, with the connections
// and streams of this network and nothing around them: no swarm, identify, limits or
// address discovery, and no goroutine. It costs a small fraction of what [Network.Host]
// does, for clients, of which each has many. It serves nothing, tells of no events, dials
// a peer's addresses one after the other whenever it is asked to, and settles the
// protocol of a stream in a round trip, where other hosts learn of protocols as they
// connect. The network closes the host if its owner does not.
func (n *Network) Dialer(key crypto.PrivKey, from netip.Addr) (host.Host, error) {
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, err
	}
	keys, err := n.peerKeys()
	if err != nil {
		return nil, err
	}
	t := &Transport{net: n, from: from, id: id, key: key.GetPublic(), limits: &network.NullResourceManager{}, silent: true}
	return n.remember(&dialer{newOutward(t, &contacts{known: known{keys}})})
}

// peerKeys is what dialers share: which key a peer has is no secret and never changes.
func (n *Network) peerKeys() (peerstore.Peerstore, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrClosed
	}
	if n.keys == nil {
		keys, err := pstoremem.NewPeerstore()
		if err != nil {
			return nil, err
		}
		n.keys = keys
	}
	return n.keys, nil
}

// dialer is a host that serves nothing.
type dialer struct{ net *outward }

// ID is the host's identity.
func (d *dialer) ID() peer.ID { return d.net.LocalPeer() }

// Peerstore has the addresses of peers.
func (d *dialer) Peerstore() peerstore.Peerstore { return d.net.Peerstore() }

// Addrs is empty: nobody can reach the host.
func (d *dialer) Addrs() []ma.Multiaddr { return nil }

// Network has the connections.
func (d *dialer) Network() network.Network { return d.net }

// Mux has no protocols.
func (d *dialer) Mux() protocol.Switch { return multistream.NewMultistreamMuxer[protocol.ID]() }

// ConnManager trims nothing.
func (d *dialer) ConnManager() connmgr.ConnManager { return connmgr.NullConnMgr{} }

// EventBus tells of nothing.
func (d *dialer) EventBus() event.Bus { return eventbus.NewBus() }

// SetStreamHandler has no effect.
func (d *dialer) SetStreamHandler(protocol.ID, network.StreamHandler) {}

// SetStreamHandlerMatch has no effect.
func (d *dialer) SetStreamHandlerMatch(protocol.ID, func(protocol.ID) bool, network.StreamHandler) {}

// RemoveStreamHandler has no effect.
func (d *dialer) RemoveStreamHandler(protocol.ID) {}

// Connect dials a peer unless it is connected.
func (d *dialer) Connect(ctx context.Context, to peer.AddrInfo) error {
	d.Peerstore().AddAddrs(to.ID, to.Addrs, peerstore.TempAddrTTL)
	_, err := d.net.DialPeer(ctx, to.ID)
	return err
}

// NewStream opens a stream for one of the protocols, and gives up when the context ends.
func (d *dialer) NewStream(ctx context.Context, p peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	s, err := d.net.NewStream(ctx, p)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	chosen, err := multistream.SelectOneOf(protocols, s)
	if stop() && err == nil {
		err = s.SetProtocol(chosen)
	} else if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		_ = s.Reset()
		return nil, err
	}
	return s, nil
}

// Close ends the connections.
func (d *dialer) Close() error { return d.net.Close() }
