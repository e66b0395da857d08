package transport

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	"golang.org/x/net/proxy"
)

// socks dials through a SOCKS5 proxy (RFC 1928).
type socks struct{ dialer proxy.ContextDialer }

func newProxy(address string) (*socks, error) {
	address = strings.TrimPrefix(address, "socks5://")
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return nil, ErrProxy
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, ErrProxy
	}
	d, err := proxy.SOCKS5("tcp", address, nil, proxy.Direct)
	if err != nil {
		return nil, ErrProxy
	}
	dialer, ok := d.(proxy.ContextDialer)
	if !ok {
		return nil, ErrProxy
	}
	return &socks{dialer}, nil
}

// through makes the TCP transport's dialer, which turns placeholders back into names.
func (s *socks) through(n *names) tcp.DialerForAddr {
	return func(multiaddr.Multiaddr) (tcp.ContextDialer, error) { return &named{s.dialer, n}, nil }
}

type named struct {
	dialer proxy.ContextDialer
	names  *names
}

func (d *named) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d.dialer.DialContext(ctx, "tcp", d.names.restore(address))
}

// names stands in for a resolver, so that no look-up is made here, beside the proxy:
// each host name gets a placeholder in 198.18.0.0/15 (RFC 2544, never routed), under
// which libp2p carries it to the dialer, which asks the proxy for the name.
type names struct {
	mu     sync.Mutex // guards the maps
	byName map[string]netip.Addr
	byAddr map[netip.Addr]string
}

func newNames() *names {
	return &names{byName: map[string]netip.Addr{}, byAddr: map[netip.Addr]string{}}
}

// maxNames is how many placeholders there are; a host dials far fewer.
const maxNames = 1 << 16

func (n *names) placeholder(name string) (netip.Addr, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a, ok := n.byName[name]; ok {
		return a, true
	}
	i := len(n.byName)
	if i >= maxNames {
		return netip.Addr{}, false
	}
	a := netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
	n.byName[name], n.byAddr[a] = a, name
	return a, true
}

func (n *names) restore(address string) string {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if name, ok := n.byAddr[at.Addr()]; ok {
		return net.JoinHostPort(name, strconv.Itoa(int(at.Port())))
	}
	return address
}

// ResolveDNSComponent replaces the first /dns, /dns4 or /dns6 by a placeholder.
func (n *names) ResolveDNSComponent(_ context.Context, addr multiaddr.Multiaddr, _ int) ([]multiaddr.Multiaddr, error) {
	for i, c := range addr {
		switch c.Protocol().Code {
		case multiaddr.P_DNS, multiaddr.P_DNS4, multiaddr.P_DNS6:
		default:
			continue
		}
		a, ok := n.placeholder(c.Value())
		if !ok {
			return nil, ErrProxyAddress
		}
		stand, err := multiaddr.NewComponent("ip4", a.String())
		if err != nil {
			return nil, err
		}
		out := append(multiaddr.Multiaddr{}, addr[:i]...)
		out = append(out, *stand)
		return []multiaddr.Multiaddr{append(out, addr[i+1:]...)}, nil
	}
	return []multiaddr.Multiaddr{addr}, nil
}

// ResolveDNSAddr refuses: what /dnsaddr stands for is in a TXT record, which a SOCKS5
// proxy cannot look up.
func (n *names) ResolveDNSAddr(context.Context, peer.ID, multiaddr.Multiaddr, int, int) ([]multiaddr.Multiaddr, error) {
	return nil, ErrProxyAddress
}
