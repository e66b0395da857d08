package memnet

import (
	"context"
	"errors"
	"net/netip"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	blankhost "github.com/libp2p/go-libp2p/p2p/host/blank"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/multiformats/go-multistream"
)

// Dialer makes a host that only dials, from the given IP address: a swarm without
// identify, limits or address discovery. It costs about a tenth of what [Network.Host]
// does, for clients, of which each has many. It takes no streams, and asks for a
// protocol in a round trip before the first request, where others learn of it as they
// connect. The network closes the host if its owner does not.
func (n *Network) Dialer(key crypto.PrivKey, from netip.Addr) (host.Host, error) {
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, err
	}
	book, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, err
	}
	err = errors.Join(book.AddPrivKey(id, key), book.AddPubKey(id, key.GetPublic()))
	bus := eventbus.NewBus()
	var s *swarm.Swarm
	if err == nil {
		s, err = swarm.NewSwarm(id, book, bus)
	}
	if err != nil {
		return nil, errors.Join(err, book.Close())
	}
	limits := &network.NullResourceManager{}
	t := &Transport{net: n, from: from, id: id, key: key.GetPublic(), limits: limits}
	if err := s.AddTransport(t); err != nil {
		return nil, errors.Join(err, s.Close(), book.Close())
	}
	return n.remember(&dialer{blankhost.NewBlankHost(s, blankhost.WithEventBus(bus))})
}

// dialer is a host whose peerstore goes with it, and that gives up with the context.
type dialer struct{ *blankhost.BlankHost }

// NewStream opens a stream for one of the protocols, and gives up when the context ends.
func (d *dialer) NewStream(ctx context.Context, p peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	s, err := d.Network().NewStream(ctx, p)
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

// Close ends the connections and the peerstore.
func (d *dialer) Close() error {
	return errors.Join(d.BlankHost.Close(), d.Peerstore().Close())
}
