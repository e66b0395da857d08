package memnet

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	pstore "github.com/libp2p/go-libp2p/p2p/host/peerstore"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
)

// peers is a host's peerstore: libp2p's in memory, but for the protocols of peers. There
// the hosts of a network have the same few lists of protocols in common, where each would
// have a table of tables for each of its peers.
type peers struct {
	peerstore.Metrics
	peerstore.KeyBook
	addresses
	peerstore.PeerMetadata
	protocols
}

// addresses are libp2p's, which expire and may be signed for.
type addresses interface {
	peerstore.AddrBook
	peerstore.CertifiedAddrBook
	io.Closer
}

var _ peerstore.Peerstore = (*peers)(nil)

func newPeers(n *Network) *peers {
	return &peers{Metrics: pstore.NewMetrics(), KeyBook: pstoremem.NewKeyBook(), addresses: pstoremem.NewAddrBook(),
		PeerMetadata: pstoremem.NewPeerMetadata(), protocols: protocols{net: n, of: map[peer.ID][]protocol.ID{}}}
}

// Peers are those of whom a key or an address is known.
func (p *peers) Peers() (out peer.IDSlice) {
	out = append(p.PeersWithKeys(), p.PeersWithAddrs()...)
	slices.Sort(out)
	return slices.Compact(out)
}

// PeerInfo is a peer with its addresses.
func (p *peers) PeerInfo(id peer.ID) peer.AddrInfo { return peer.AddrInfo{ID: id, Addrs: p.Addrs(id)} }

// RemovePeer forgets a peer, except for its addresses.
func (p *peers) RemovePeer(id peer.ID) {
	p.KeyBook.RemovePeer(id)
	p.protocols.RemovePeer(id)
	p.PeerMetadata.RemovePeer(id)
	p.Metrics.RemovePeer(id)
}

// Close ends what forgets addresses that have expired.
func (p *peers) Close() error { return p.addresses.Close() }

// protocols is a [peerstore.ProtoBook].
type protocols struct {
	net *Network
	mu  sync.Mutex // guards of
	of  map[peer.ID][]protocol.ID
}

var errTooManyProtocols = errors.New("memnet: too many protocols")

// shared returns the list that all hosts have in common, for one in any order.
func (n *Network) shared(list []protocol.ID) []protocol.ID {
	list = slices.Clone(list)
	slices.Sort(list)
	list = slices.Compact(list)
	var key strings.Builder
	for _, id := range list {
		key.WriteString(string(id))
		key.WriteByte(0)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if known, ok := n.lists[key.String()]; ok {
		return known
	}
	n.lists[key.String()] = list
	return list
}

// change replaces a peer's list.
func (p *protocols) change(id peer.ID, to func(old []protocol.ID) []protocol.ID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := to(p.of[id])
	if len(list) > maxProtocols {
		return errTooManyProtocols
	}
	if len(list) == 0 {
		delete(p.of, id)
		return nil
	}
	p.of[id] = p.net.shared(list)
	return nil
}

// SetProtocols replaces what a peer speaks.
func (p *protocols) SetProtocols(id peer.ID, list ...protocol.ID) error {
	return p.change(id, func([]protocol.ID) []protocol.ID { return list })
}

// AddProtocols adds to what a peer speaks.
func (p *protocols) AddProtocols(id peer.ID, list ...protocol.ID) error {
	return p.change(id, func(old []protocol.ID) []protocol.ID { return slices.Concat(old, list) })
}

// RemoveProtocols takes from what a peer speaks.
func (p *protocols) RemoveProtocols(id peer.ID, list ...protocol.ID) error {
	return p.change(id, func(old []protocol.ID) []protocol.ID {
		return slices.DeleteFunc(slices.Clone(old), func(one protocol.ID) bool { return slices.Contains(list, one) })
	})
}

// GetProtocols is what a peer speaks.
func (p *protocols) GetProtocols(id peer.ID) ([]protocol.ID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.of[id]), nil
}

// SupportsProtocols are those of the list that a peer speaks, in the list's order.
func (p *protocols) SupportsProtocols(id peer.ID, list ...protocol.ID) ([]protocol.ID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]protocol.ID, 0, len(list))
	for _, one := range list {
		if slices.Contains(p.of[id], one) {
			out = append(out, one)
		}
	}
	return out, nil
}

// FirstSupportedProtocol is the first of the list that a peer speaks, or nothing.
func (p *protocols) FirstSupportedProtocol(id peer.ID, list ...protocol.ID) (protocol.ID, error) {
	all, err := p.SupportsProtocols(id, list...)
	if err != nil || len(all) == 0 {
		return "", err
	}
	return all[0], nil
}

// RemovePeer forgets what a peer speaks.
func (p *protocols) RemovePeer(id peer.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.of, id)
}
