package memnet

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"
)

// Dialer makes a host that only dials, from the given IP address: a swarm without
// identify, limits or address discovery. It costs a fraction of what [Network.Host] does,
// for clients, of which each has many. It serves nothing, and settles the protocol of a
// stream in a round trip, where other hosts learn of protocols as they connect. The
// network closes the host if its owner does not.
func (n *Network) Dialer(key crypto.PrivKey, from netip.Addr) (host.Host, error) {
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, err
	}
	keys, err := n.peerKeys()
	if err != nil {
		return nil, err
	}
	book := &contacts{known{keys}, pstoremem.NewAddrBook()}
	bus := eventbus.NewBus()
	s, err := swarm.NewSwarm(id, book, bus)
	if err != nil {
		return nil, errors.Join(err, book.Close())
	}
	limits := &network.NullResourceManager{}
	if err := s.AddTransport(&Transport{net: n, from: from, id: id, key: key.GetPublic(), limits: limits}); err != nil {
		return nil, errors.Join(err, s.Close(), book.Close())
	}
	s.SetStreamHandler(func(s network.Stream) { _ = s.ResetWithError(network.StreamProtocolNegotiationFailed) })
	return n.remember(&dialer{swarm: s, bus: bus, protocols: multistream.NewMultistreamMuxer[protocol.ID]()})
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

// contacts is a dialer's peerstore: addresses of its own, all else shared.
type contacts struct {
	known
	peerstore.AddrBook
}

// known lies one level deeper than the addresses, whose methods so take precedence.
type known struct{ peerstore.Peerstore }

// PeerInfo is a peer with its addresses.
func (c *contacts) PeerInfo(p peer.ID) peer.AddrInfo { return peer.AddrInfo{ID: p, Addrs: c.Addrs(p)} }

// Peers are those whose addresses are known.
func (c *contacts) Peers() peer.IDSlice { return c.PeersWithAddrs() }

// Close ends what is the dialer's own.
func (c *contacts) Close() error { return c.AddrBook.(io.Closer).Close() }

// dialer is a host that serves nothing.
type dialer struct {
	swarm     *swarm.Swarm
	bus       event.Bus
	protocols *multistream.MultistreamMuxer[protocol.ID]
}

// ID is the host's identity.
func (d *dialer) ID() peer.ID { return d.swarm.LocalPeer() }

// Peerstore has the addresses of peers.
func (d *dialer) Peerstore() peerstore.Peerstore { return d.swarm.Peerstore() }

// Addrs is empty: nobody can reach the host.
func (d *dialer) Addrs() []ma.Multiaddr { return nil }

// Network has the connections.
func (d *dialer) Network() network.Network { return d.swarm }

// Mux has no protocols.
func (d *dialer) Mux() protocol.Switch { return d.protocols }

// ConnManager trims nothing.
func (d *dialer) ConnManager() connmgr.ConnManager { return connmgr.NullConnMgr{} }

// EventBus tells of connections.
func (d *dialer) EventBus() event.Bus { return d.bus }

// SetStreamHandler has no effect.
func (d *dialer) SetStreamHandler(protocol.ID, network.StreamHandler) {}

// SetStreamHandlerMatch has no effect.
func (d *dialer) SetStreamHandlerMatch(protocol.ID, func(protocol.ID) bool, network.StreamHandler) {}

// RemoveStreamHandler has no effect.
func (d *dialer) RemoveStreamHandler(protocol.ID) {}

// Connect dials a peer unless it is connected.
func (d *dialer) Connect(ctx context.Context, to peer.AddrInfo) error {
	d.Peerstore().AddAddrs(to.ID, to.Addrs, peerstore.TempAddrTTL)
	if d.swarm.Connectedness(to.ID) == network.Connected {
		return nil
	}
	if _, err := d.swarm.DialPeer(ctx, to.ID); err != nil {
		return fmt.Errorf("memnet: dial: %w", err)
	}
	return nil
}

// NewStream opens a stream for one of the protocols, and gives up when the context ends.
func (d *dialer) NewStream(ctx context.Context, p peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	s, err := d.swarm.NewStream(ctx, p)
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
func (d *dialer) Close() error { return errors.Join(d.swarm.Close(), d.Peerstore().Close()) }
