package node

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"communicator/internal/budget"
)

// conduct is how peers use the streams that they open. Whoever wastes too many is
// disconnected, and kept out for a while: limits alone make an attacker's streams few,
// but not the work of opening, cutting off and opening them again, for which those wait
// who have something to say. A peer that is kept out and comes again all the same costs
// its network's budget, and from an empty one connections are refused before their
// handshake, the dearest part of one.
//
// A stream is wasted when it ends without an answer, or when the node breaks it off
// while its connection lasts; not one for which the node itself had no room, which it
// never began to read. Honest clients open streams to ask, and have at most
// [unansweredPerPeer] of them waiting for their first answer.
type conduct struct {
	now        func() time.Time
	exempt     func(netip.Addr) bool // networks without a budget
	disconnect func(peer.ID)
	wasted     *budget.Table[peer.ID]
	returns    *budget.Networks

	mu         sync.Mutex // guards unanswered
	unanswered map[peer.ID]int
	shunned    atomic.Int64 // peers that were disconnected
}

func newConduct(now func() time.Time, exempt func(netip.Addr) bool, disconnect func(peer.ID)) *conduct {
	return &conduct{
		now: now, exempt: exempt, disconnect: disconnect,
		wasted:     budget.New[peer.ID](wastedOfPeer, maxWatched),
		returns:    budget.NewNetworks(returnsOfHost, returnsOfSite, maxWatched),
		unanswered: map[peer.ID]int{},
	}
}

// watch hands a stream that a peer has opened to its handler.
func (c *conduct) watch(s network.Stream, handler network.StreamHandler) {
	p := s.Conn().RemotePeer()
	if !c.enter(p) {
		_ = s.ResetWithError(network.StreamResourceLimitExceeded)
		c.waste(p)
		return
	}
	w := &watched{Stream: s}
	w.answer = sync.OnceFunc(func() { c.answered(p) })
	defer func() { // a handler that panics has not answered either
		wasted := w.begun.Load() && (!w.replied.Load() || w.broken.Load())
		w.answer()
		if wasted && !s.Conn().IsClosed() {
			c.waste(p)
		}
	}()
	handler(w)
}

// enter counts a stream that has had no answer yet, or says that there are too many.
func (c *conduct) enter(p peer.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unanswered[p] >= unansweredPerPeer {
		return false
	}
	c.unanswered[p]++
	return true
}

func (c *conduct) answered(p peer.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unanswered[p]--; c.unanswered[p] == 0 {
		delete(c.unanswered, p)
	}
}

// waste charges a peer for a stream, and parts with it when it has no more of them.
func (c *conduct) waste(p peer.ID) {
	now := c.now()
	if c.wasted.Spend(p, now) || c.wasted.Wait(p, now) > shunnedAnyway {
		return
	}
	c.wasted.Overdraw(p, now)
	c.shunned.Add(1)
	c.disconnect(p)
}

// welcome says whether a peer that has proved who it is may stay. One that may not is
// charged to its network.
func (c *conduct) welcome(p peer.ID, from ma.Multiaddr) bool {
	now := c.now()
	if !c.wasted.Spent(p, now) {
		return true
	}
	c.returns.Spend(c.networks(from), now)
	return false
}

// open says whether a connection from an address is taken at all.
func (c *conduct) open(from ma.Multiaddr) bool {
	return c.returns.Wait(c.networks(from), c.now()) == 0
}

// networks is where a connection comes from, without what is exempt.
func (c *conduct) networks(from ma.Multiaddr) []netip.Addr {
	ip, err := manet.ToIP(from)
	if err != nil {
		return nil
	}
	addr, ok := netip.AddrFromSlice(ip)
	if !ok || c.exempt(addr.Unmap()) {
		return nil
	}
	return []netip.Addr{addr}
}

// watched is a stream that notes how it is used.
type watched struct {
	network.Stream
	answer  func()      // the first answer, or the end
	begun   atomic.Bool // the node has read
	replied atomic.Bool // the node has written
	gone    atomic.Bool // the peer has broken the stream off
	broken  atomic.Bool // the node has
}

// Read notes that the node reads, and that the peer broke the stream off: the node's own reset that follows is
// no fault of it.
func (w *watched) Read(b []byte) (int, error) {
	w.begun.Store(true)
	n, err := w.Stream.Read(b)
	if err != nil && errors.Is(err, network.ErrReset) {
		w.gone.Store(true)
	}
	return n, err
}

func (w *watched) Write(b []byte) (int, error) {
	n, err := w.Stream.Write(b)
	if n > 0 && !w.replied.Load() {
		w.replied.Store(true)
		w.answer()
	}
	return n, err
}

func (w *watched) Reset() error { return w.ResetWithError(0) }

func (w *watched) ResetWithError(code network.StreamErrorCode) error {
	if !w.gone.Load() {
		w.broken.Store(true)
	}
	return w.Stream.ResetWithError(code)
}
