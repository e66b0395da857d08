package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/sys/unix"

	"communicator/node/config"
	"communicator/relay/destination"
	"communicator/wire/agenturi"
)

// ErrUnreachable is a receiving agent that could not be reached. What libp2p says
// of it names addresses and peers, and so is dropped.
var ErrUnreachable = errors.New("node: agent cannot be reached")

// open makes a stream to another agent: what the relay forwards over.
func (n *Node) open(ctx context.Context, to agenturi.URI, proto string) (io.ReadWriteCloser, peer.ID, error) {
	if err := n.policy.CheckURI(to); err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	n.host.Peerstore().AddAddr(to.Peer, to.Addr, peerstore.TempAddrTTL)
	if own, ok := n.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		own.Backoff().Clear(to.Peer) // the relay's queue decides when to try again
	}
	s, err := n.host.NewStream(ctx, to.Peer, protocol.ID(proto))
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, "", cause
		}
		if n.overlay != nil {
			n.overlay.find(to) // for the next attempt, if the agent has moved
		}
		return nil, "", ErrUnreachable
	}
	return s, s.Conn().RemotePeer(), nil
}

// exempt says whether an address counts against no limit of its network: loopback, where
// private addresses are allowed.
func (n *Node) exempt(addr netip.Addr) bool { return n.settings.AllowPrivate && addr.IsLoopback() }

// addrsOf returns the IP addresses that a peer is connected from, without those exempt.
func (n *Node) addrsOf(id peer.ID) []netip.Addr {
	var addrs []netip.Addr
	for _, c := range n.host.Network().ConnsToPeer(id) {
		ip, err := manet.ToIP(c.RemoteMultiaddr())
		if err != nil {
			continue
		}
		if addr, ok := netip.AddrFromSlice(ip); ok && !n.exempt(addr) {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// announced is what others are told of where the host listens.
func announced(c config.Config) (func([]ma.Multiaddr) []ma.Multiaddr, error) {
	fixed := make([]ma.Multiaddr, 0, len(c.Announce))
	for _, s := range c.Announce {
		addr, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, err
		}
		fixed = append(fixed, addr)
	}
	return func(listening []ma.Multiaddr) []ma.Multiaddr {
		if len(fixed) > 0 {
			return fixed
		}
		return reachable(listening, c.AllowPrivate)
	}, nil
}

// reachable keeps the addresses that another agent would dial.
func reachable(addrs []ma.Multiaddr, allowPrivate bool) []ma.Multiaddr {
	var kept []ma.Multiaddr
	for _, a := range addrs {
		if destination.Check(a, allowPrivate) == nil {
			kept = append(kept, a)
		}
	}
	return kept
}

// addresses lists where the node is reached: the announced ones, or those that it
// listens at, public ones only unless private ones are allowed.
func (n *Node) addresses() []ma.Multiaddr {
	listening, err := n.host.Network().InterfaceListenAddresses()
	if err != nil {
		listening = n.host.Network().ListenAddresses()
	}
	return n.announced(listening)
}

// uri is how the node is handed to others: the first announced address, else the
// first reachable one, else, for an operator behind address translation who has not
// announced one yet, the first listener.
func (n *Node) uri() (agenturi.URI, error) {
	addrs := n.addresses()
	if len(addrs) == 0 {
		var err error
		if addrs, err = n.host.Network().InterfaceListenAddresses(); err != nil || len(addrs) == 0 {
			addrs = n.host.Network().ListenAddresses()
		}
	}
	if len(addrs) == 0 {
		return agenturi.URI{}, errors.New("node: listens nowhere")
	}
	return agenturi.Of(addrs[0], n.host.ID())
}

// listen makes the host reachable. An IPv6 address on a machine without IPv6 is
// passed over and returned; any other failure is the operator's to mend.
func listen(h host.Host, addrs []string) (skipped []string, err error) {
	for _, s := range addrs {
		addr, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, err
		}
		err = listenAt(h.Network(), addr)
		switch {
		case err == nil:
		case len(addrs) > 1 && addr[0].Protocol().Code == ma.P_IP6 &&
			(errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)):
			skipped = append(skipped, s)
		default:
			return nil, fmt.Errorf("listen at %s: %w", s, err)
		}
	}
	return skipped, nil
}

// listenAt prefers libp2p's call that keeps the cause of a failure.
func listenAt(n network.Network, addr ma.Multiaddr) error {
	if single, ok := n.(interface{ AddListenAddr(ma.Multiaddr) error }); ok {
		return single.AddListenAddr(addr)
	}
	return n.Listen(addr)
}
