package lookup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"communicator/client/directory"
	"communicator/dht"
	"communicator/wire"
	"communicator/wire/agenturi"
)

// Joined is a person's part in the network of directories and overlay: a host with an
// identity of its own, which is used for nothing else and forgotten at Close. It asks
// and never serves.
type Joined struct {
	host host.Host
	dht  *dht.DHT
}

// HostFunc makes a host that dials and does not listen: client/transport.NewHost has
// it, through a proxy if there is one.
type HostFunc func(identity crypto.PrivKey) (host.Host, error)

// Join makes the host, and enters the overlay through the nodes of these URIs: those
// that the person named, and those that are remembered, for instance from manifests,
// each node once and at most 32. It returns the error of that, if no node could be
// reached, together with a Joined that can still ask directories. What the person named
// and is no URI is an error, [ErrURI], without a Joined; what others wrote is passed over.
//
// If all of them have private or loopback addresses the overlay is taken for a private
// network's, and cfg for its configuration.
func Join(ctx context.Context, newHost HostFunc, cfg dht.Config, named, remembered []string) (*Joined, error) {
	peers, private, err := entries(named, remembered)
	if err != nil {
		return nil, err
	}
	identity, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	h, err := newHost(identity)
	if err != nil {
		return nil, err
	}
	cfg.Server = false
	if private {
		cfg.Private, cfg.AnyGroup = true, true
	}
	d, err := dht.New(h, cfg)
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	j := &Joined{h, d}
	if len(peers) == 0 {
		return j, dht.ErrNoPeers
	}
	return j, d.Bootstrap(ctx, peers)
}

// entries reads the nodes to enter through; private is whether none of them is public.
func entries(named, remembered []string) (peers []peer.AddrInfo, private bool, err error) {
	for i, text := range slices.Concat(named, remembered) {
		uri, err := agenturi.Parse(text)
		if err != nil && i < len(named) {
			return nil, false, fmt.Errorf("%w: number %d of %d", ErrURI, i+1, len(named))
		}
		if err != nil || len(peers) == maxEntries || slices.ContainsFunc(peers, func(p peer.AddrInfo) bool { return p.ID == uri.Peer }) {
			continue
		}
		peers = append(peers, peer.AddrInfo{ID: uri.Peer, Addrs: []ma.Multiaddr{uri.Addr}})
	}
	public := slices.ContainsFunc(peers, func(p peer.AddrInfo) bool {
		return !manet.IsPrivateAddr(p.Addrs[0]) && !manet.IsIPLoopback(p.Addrs[0])
	})
	return peers, len(peers) > 0 && !public, nil
}

// Overlay is what lookups read.
func (j *Joined) Overlay() *dht.DHT { return j.dht }

// Dial implements [Dialer].
func (j *Joined) Dial(ctx context.Context, text string) (Directory, error) {
	c, err := j.Directory(ctx, text)
	if err != nil {
		return nil, err
	}
	return Over(c), nil
}

// Directory connects to a directory node.
func (j *Joined) Directory(ctx context.Context, text string) (*directory.Client, error) {
	uri, err := agenturi.Parse(text)
	if err != nil {
		return nil, err
	}
	if err := j.host.Connect(ctx, peer.AddrInfo{ID: uri.Peer, Addrs: []ma.Multiaddr{uri.Addr}}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return directory.New(uri.Agent, streamDialer{j.host, uri}), nil
}

type streamDialer struct {
	host host.Host
	uri  agenturi.URI
}

func (d streamDialer) Open(ctx context.Context) (io.ReadWriteCloser, peer.ID, error) {
	s, err := d.host.NewStream(ctx, d.uri.Peer, protocol.ID(wire.ProtocolDirectory))
	if err != nil {
		return nil, "", err
	}
	return s, d.host.ID(), nil
}

// Close leaves the network. Repairs that are under way are given up.
func (j *Joined) Close() error { return errors.Join(j.dht.Close(), j.host.Close()) }
