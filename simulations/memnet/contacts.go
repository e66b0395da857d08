package memnet

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"
)

// contacts is a dialer's peerstore: addresses of its own, which it keeps as long as it
// lives, all else shared.
type contacts struct {
	known

	mu    sync.Mutex // guards what follows
	addrs map[peer.ID][]ma.Multiaddr
}

// known lies one level deeper than the addresses, whose methods so take precedence.
type known struct{ peerstore.Peerstore }

var _ peerstore.Peerstore = (*contacts)(nil)

// AddAddr adds an address of a peer.
func (c *contacts) AddAddr(p peer.ID, addr ma.Multiaddr, ttl time.Duration) {
	c.AddAddrs(p, []ma.Multiaddr{addr}, ttl)
}

// AddAddrs adds addresses of a peer, without /p2p/… at their ends.
func (c *contacts) AddAddrs(p peer.ID, addrs []ma.Multiaddr, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range addrs {
		a, _ = peer.SplitAddr(a)
		if a == nil || slices.ContainsFunc(c.addrs[p], a.Equal) {
			continue
		}
		if c.addrs == nil {
			c.addrs = map[peer.ID][]ma.Multiaddr{}
		}
		c.addrs[p] = append(c.addrs[p], a)
	}
}

// SetAddr adds an address of a peer.
func (c *contacts) SetAddr(p peer.ID, addr ma.Multiaddr, ttl time.Duration) { c.AddAddr(p, addr, ttl) }

// SetAddrs adds addresses of a peer.
func (c *contacts) SetAddrs(p peer.ID, addrs []ma.Multiaddr, ttl time.Duration) {
	c.AddAddrs(p, addrs, ttl)
}

// UpdateAddrs has no effect: nothing expires.
func (c *contacts) UpdateAddrs(peer.ID, time.Duration, time.Duration) {}

// Addrs are a peer's addresses.
func (c *contacts) Addrs(p peer.ID) []ma.Multiaddr {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.addrs[p])
}

// AddrStream gives the addresses that are known by now.
func (c *contacts) AddrStream(_ context.Context, p peer.ID) <-chan ma.Multiaddr {
	addrs := c.Addrs(p)
	out := make(chan ma.Multiaddr, len(addrs))
	for _, a := range addrs {
		out <- a
	}
	close(out)
	return out
}

// ClearAddrs forgets a peer's addresses.
func (c *contacts) ClearAddrs(p peer.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.addrs, p)
}

// PeersWithAddrs are those whose addresses are known.
func (c *contacts) PeersWithAddrs() (out peer.IDSlice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range c.addrs {
		out = append(out, p)
	}
	return out
}

// PeerInfo is a peer with its addresses.
func (c *contacts) PeerInfo(p peer.ID) peer.AddrInfo { return peer.AddrInfo{ID: p, Addrs: c.Addrs(p)} }

// Peers are those whose addresses are known.
func (c *contacts) Peers() peer.IDSlice { return c.PeersWithAddrs() }

// Close leaves to others what is shared.
func (c *contacts) Close() error { return nil }
