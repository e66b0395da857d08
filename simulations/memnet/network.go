package memnet

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Errors of the network.
var (
	ErrRefused   = errors.New("memnet: connection refused")
	ErrWrongPeer = errors.New("memnet: another peer listens at the address")
	ErrInUse     = errors.New("memnet: address is in use")
	ErrSevered   = errors.New("memnet: host was severed")
	ErrClosed    = errors.New("memnet: network is closed")
	ErrAddress   = errors.New("memnet: not an /ip4 or /ip6 address with a /tcp port")
)

// Options say how the network behaves. The zero value is a perfect network without
// delay. Hooks are called from many goroutines, never with a lock held.
type Options struct {
	// Delay is how long bytes sent as one frame travel. Nil means no delay. The
	// receiver is empty for a dial to an address where nobody listens.
	Delay func(from, to peer.ID, bytes int) time.Duration
	// Lose decides, once for each transmission, whether a frame has to be sent
	// again. Nil loses nothing.
	Lose func(from, to peer.ID) bool
	// Observe sees what an observer of every wire would see, as it is sent. It
	// must not call back into the network.
	Observe func(Event)
}

// EventKind says what an observer saw.
type EventKind uint8

// Kinds of events.
const (
	Dialled EventKind = iota + 1 // a flight of a connection's handshake
	Sent                         // a frame; contents are encrypted, sizes are not
	Hung                         // one side closed the connection
)

// Event is one thing that an observer saw on the wire.
type Event struct {
	Time     time.Time
	Kind     EventKind
	Conn     uint64 // numbers connections in the order of their first flight
	From, To peer.ID
	Size     int // bytes, headers included
}

// Network joins hosts. All methods are safe for concurrent use.
type Network struct {
	opts Options

	mu        sync.Mutex // guards what follows; never held across a wait or a hook
	listeners map[netip.AddrPort]*listener
	links     map[*link]struct{} // live connections
	group     func(peer.ID) int  // of the partition in force; nil when there is none
	changed   chan struct{}      // closed and replaced when the partition changes
	hosts     []host.Host
	keys      peerstore.Peerstore      // of peers, for dialers; nil before the first
	lists     map[string][]protocol.ID // of protocols that peers speak, which never change
	nextConn  uint64
	nextPort  uint16
	closed    bool
}

// New returns a network without hosts.
func New(opts Options) *Network {
	return &Network{
		opts:      opts,
		listeners: make(map[netip.AddrPort]*listener),
		links:     make(map[*link]struct{}),
		lists:     make(map[string][]protocol.ID),
		changed:   make(chan struct{}),
		nextPort:  firstPort,
	}
}

// Host makes a libp2p host that listens at addr, such as /ip4/192.0.2.1/tcp/4001,
// and dials from the same IP address. Port 0 makes a host that only dials. Options
// come on top of, and override, a host without resource limits, relaying, metrics
// or ping. The network closes the host if its owner does not.
func (n *Network) Host(key crypto.PrivKey, addr ma.Multiaddr, options ...libp2p.Option) (host.Host, error) {
	at, err := addrPort(addr)
	if err != nil {
		return nil, err
	}
	if n.listenerAt(at) != nil {
		return nil, ErrInUse
	}
	if at.Port() != 0 {
		options = append([]libp2p.Option{libp2p.ListenAddrs(addr)}, options...)
	}
	h, err := n.build(key, at.Addr(), append(options, defaults))
	if err != nil {
		return nil, err
	}
	return n.remember(h)
}

// build does what libp2p's constructor would, without its container of constructors,
// which a host keeps for life: a quarter of a megabyte that a network of thousands would
// rather not have. An option that asks for more than a host on this network has is
// without effect.
func (n *Network) build(key crypto.PrivKey, from netip.Addr, options []libp2p.Option) (host.Host, error) {
	c := &libp2p.Config{PeerKey: key}
	if err := c.Apply(options...); err != nil {
		return nil, err
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, err
	}
	book := newPeers(n)
	bus := eventbus.NewBus()
	s, err := swarm.NewSwarm(id, book, bus, swarmOptions(c)...)
	if err != nil {
		return nil, errors.Join(err, book.Close())
	}
	err = errors.Join(book.AddPrivKey(id, key), book.AddPubKey(id, key.GetPublic()), s.AddTransport(&Transport{
		net: n, from: from, id: id, key: key.GetPublic(), limits: c.ResourceManager, gater: c.ConnectionGater}))
	if err == nil && len(c.ListenAddrs) > 0 {
		err = s.Listen(c.ListenAddrs...)
	}
	var h *basichost.BasicHost
	if err == nil {
		h, err = basichost.NewHost(s, &basichost.HostOpts{
			EventBus: bus, ConnManager: c.ConnManager, AddrsFactory: c.AddrsFactory, EnablePing: !c.DisablePing,
			UserAgent: c.UserAgent, ProtocolVersion: c.ProtocolVersion,
		})
	}
	if err != nil {
		return nil, errors.Join(err, s.Close(), book.Close())
	}
	h.Start()
	return h, nil
}

func swarmOptions(c *libp2p.Config) []swarm.Option {
	o := append(c.SwarmOpts, swarm.WithResourceManager(c.ResourceManager))
	if c.ConnectionGater != nil {
		o = append(o, swarm.WithConnectionGater(c.ConnectionGater))
	}
	if c.DialTimeout != 0 {
		o = append(o, swarm.WithDialTimeout(c.DialTimeout))
	}
	if c.MultiaddrResolver != nil {
		o = append(o, swarm.WithMultiaddrResolver(c.MultiaddrResolver))
	}
	return o
}

// remember has the network close a host. Those that their owners have closed are
// forgotten from time to time.
func (n *Network) remember(h host.Host) (host.Host, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, errors.Join(ErrClosed, h.Close())
	}
	if len(n.hosts) == cap(n.hosts) {
		n.hosts = slices.DeleteFunc(n.hosts, func(h host.Host) bool {
			select {
			case <-h.Network().(interface{ Done() <-chan struct{} }).Done():
				return true
			default:
				return false
			}
		})
	}
	n.hosts = append(n.hosts, h)
	return h, nil
}

// defaults fills in what a host on this network does without unless asked for.
func defaults(cfg *libp2p.Config) error {
	cfg.DisableMetrics = true
	cfg.DisablePing = true
	cfg.DisableIdentifyAddressDiscovery = true
	if cfg.ResourceManager == nil {
		cfg.ResourceManager = &network.NullResourceManager{}
	}
	if cfg.ConnManager == nil {
		cfg.ConnManager = connmgr.NullConnMgr{}
	}
	return nil
}

// Partition cuts the network into groups: a host hears only those of its own
// group. Hosts in no group form one more. A new partition replaces the last.
func (n *Network) Partition(groups ...[]peer.ID) {
	group := make(map[peer.ID]int)
	for i, members := range groups {
		for _, id := range members {
			group[id] = i + 1
		}
	}
	n.repartition(func(id peer.ID) int { return group[id] })
}

// PartitionBy is [Network.Partition] for hosts that come and go: group says to which group
// a host belongs, those that do not exist yet included. It must give the same answer until
// the partition changes, and must not call back into the network.
func (n *Network) PartitionBy(group func(peer.ID) int) { n.repartition(group) }

// Heal ends the partition.
func (n *Network) Heal() { n.repartition(nil) }

func (n *Network) repartition(group func(peer.ID) int) {
	n.mu.Lock()
	n.group = group
	close(n.changed)
	n.changed = make(chan struct{})
	links := make([]*link, 0, len(n.links))
	for l := range n.links {
		links = append(links, l)
	}
	n.mu.Unlock()
	for _, l := range links {
		l.setCut(n.cut(l.ends[0].localID, l.ends[1].localID))
	}
}

// Sever ends what a host has on its network, as when a machine's process is killed: its
// connections are reset, and it neither listens nor dials any more. The host itself goes
// on until its owner closes it; its addresses are free at once.
func Sever(h host.Host) {
	s, ok := h.Network().(*swarm.Swarm)
	if !ok {
		return
	}
	t, ok := s.TransportForDialing(anyAddress).(*Transport)
	if !ok {
		return // closed, or on another network
	}
	t.severed.Store(true)
	n := t.net
	n.mu.Lock()
	var listeners []*listener
	for _, l := range n.listeners {
		if l.t == t {
			listeners = append(listeners, l)
		}
	}
	var links []*link
	for l := range n.links {
		if l.ends[0].t == t || l.ends[1].t == t {
			links = append(links, l)
		}
	}
	n.mu.Unlock()
	for _, l := range listeners {
		_ = l.Close()
	}
	for _, l := range links {
		l.abort()
	}
}

// anyAddress is one that a [Transport] dials.
var anyAddress = ma.StringCast("/ip4/192.0.2.1/tcp/1")

func (n *Network) cut(a, b peer.ID) bool {
	n.mu.Lock()
	group := n.group
	n.mu.Unlock()
	return group != nil && group(a) != group(b)
}

// changes returns a channel that is closed when the partition next changes.
func (n *Network) changes() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed
}

// Conns counts the live connections.
func (n *Network) Conns() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.links)
}

// Close closes every host and connection and joins what they started.
func (n *Network) Close() error {
	n.mu.Lock()
	n.closed = true
	hosts, keys := n.hosts, n.keys
	n.hosts, n.keys = nil, nil
	n.mu.Unlock()
	var errs []error
	for _, h := range hosts {
		errs = append(errs, h.Close())
	}
	n.mu.Lock()
	links := make([]*link, 0, len(n.links))
	for l := range n.links {
		links = append(links, l)
	}
	n.mu.Unlock()
	for _, l := range links {
		l.abort()
	}
	if keys != nil {
		errs = append(errs, keys.Close())
	}
	return errors.Join(errs...)
}

func (n *Network) delay(from, to peer.ID, size int) time.Duration {
	var d time.Duration
	if n.opts.Delay != nil {
		d = max(0, n.opts.Delay(from, to, size))
	}
	if n.opts.Lose == nil {
		return d
	}
	again := firstRetransmit
	for range maxRetransmits {
		if !n.opts.Lose(from, to) {
			break
		}
		d += again
		again *= 2
	}
	return d
}

func (n *Network) observe(kind EventKind, conn uint64, from, to peer.ID, size int) {
	if n.opts.Observe != nil {
		n.opts.Observe(Event{Time: time.Now(), Kind: kind, Conn: conn, From: from, To: to, Size: size})
	}
}

// dialling hands out a connection's number and the port that it is dialled from.
func (n *Network) dialling() (conn uint64, port uint16, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return 0, 0, ErrClosed
	}
	n.nextConn++
	port = n.nextPort
	n.nextPort++
	if n.nextPort == 0 {
		n.nextPort = firstPort
	}
	return n.nextConn, port, nil
}

func (n *Network) listenerAt(at netip.AddrPort) *listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.listeners[at]
}

func (n *Network) addLink(l *link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.links[l] = struct{}{}
	return true
}

func (n *Network) removeLink(l *link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.links, l)
}

// addrPort reads the IP address and port of a TCP multiaddr, which may go on with
// /p2p/….
func addrPort(addr ma.Multiaddr) (netip.AddrPort, error) {
	tcp, _ := ma.SplitFunc(addr, func(c ma.Component) bool { return c.Protocol().Code == ma.P_P2P })
	na, err := manet.ToNetAddr(tcp)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	at, err := netip.ParseAddrPort(na.String())
	if err != nil || na.Network() != "tcp" {
		return netip.AddrPort{}, ErrAddress
	}
	return at, nil
}

func multiaddrOf(at netip.AddrPort) ma.Multiaddr {
	family := "ip4"
	if at.Addr().Is6() {
		family = "ip6"
	}
	return ma.StringCast(fmt.Sprintf("/%s/%s/tcp/%d", family, at.Addr(), at.Port()))
}
