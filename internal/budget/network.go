package budget

import (
	"net/netip"
	"time"
)

// Prefix lengths that one customer of a provider typically has: an IPv4 address, an
// IPv6 /56 at home, a /48 at a site.
const (
	hostBits4 = 32
	hostBits6 = 56
	siteBits6 = 48
)

// Host is the network that one customer has at least: the IPv4 address itself, or the
// IPv6 /56. It is not valid if the address is not.
func Host(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return prefix(addr, hostBits4)
	}
	return prefix(addr, hostBits6)
}

// site is the IPv6 /48 around the address. IPv4 has none.
func site(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return netip.Prefix{}
	}
	return prefix(addr, siteBits6)
}

func prefix(addr netip.Addr, bits int) netip.Prefix {
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // the zero address
	}
	return p
}

// Networks is a bucket for each network that addresses are in.
type Networks struct{ hosts, sites *Table[netip.Prefix] }

// NewNetworks makes tables for hosts and sites, which remember at most so many each.
func NewNetworks(host, site Rate, max int) *Networks {
	return &Networks{New[netip.Prefix](host, max), New[netip.Prefix](site, max)}
}

// Spend takes one from the bucket of each network that one of the addresses is in.
func (n *Networks) Spend(addrs []netip.Addr, now time.Time) {
	n.each(addrs, func(t *Table[netip.Prefix], p netip.Prefix) { t.Spend(p, now) })
}

// Wait is how long one of the buckets stays empty, 0 if none is.
func (n *Networks) Wait(addrs []netip.Addr, now time.Time) (longest time.Duration) {
	n.each(addrs, func(t *Table[netip.Prefix], p netip.Prefix) { longest = max(longest, t.Wait(p, now)) })
	return longest
}

func (n *Networks) each(addrs []netip.Addr, f func(*Table[netip.Prefix], netip.Prefix)) {
	for _, a := range addrs {
		if p := Host(a); p.IsValid() {
			f(n.hosts, p)
		}
		if p := site(a); p.IsValid() {
			f(n.sites, p)
		}
	}
}
