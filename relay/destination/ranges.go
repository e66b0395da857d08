package destination

import "net/netip"

// A rule refuses one range. Rules are tried in order, so the narrower come first.
type rule struct {
	prefix netip.Prefix
	reason Reason
}

func rules(list ...any) []rule {
	out := make([]rule, 0, len(list)/2)
	for i := 0; i < len(list); i += 2 {
		out = append(out, rule{netip.MustParsePrefix(list[i].(string)), list[i+1].(Reason)})
	}
	return out
}

// metadata lists the addresses at which clouds hand credentials to whoever asks
// from inside. They are refused on private networks too.
var metadata = rules(
	"169.254.169.254/32", Metadata, // AWS, Google, Azure, OpenStack, DigitalOcean, Oracle
	"169.254.169.253/32", Metadata, // AWS: resolver
	"169.254.169.123/32", Metadata, // AWS: time
	"169.254.170.2/32", Metadata, // AWS ECS: task credentials
	"169.254.170.23/32", Metadata, // AWS EKS: pod identity
	"169.254.0.23/32", Metadata, // Tencent
	"169.254.42.42/32", Metadata, // Scaleway
	"100.100.100.200/32", Metadata, // Alibaba
	"168.63.129.16/32", Metadata, // Azure: wire server, in public space
	"192.0.0.192/32", Metadata, // Oracle classic
	"fd00:ec2::/32", Metadata, // AWS
	"fd20:ce::254/128", Metadata, // Google
	"fd00:42::42/128", Metadata, // Scaleway
	"fd00:a9fe:a9fe::254/128", Metadata, // Linode
)

// special4 is what is not globally reachable in IPv4.
var special4 = rules(
	"0.0.0.0/8", Unspecified,
	"10.0.0.0/8", Private,
	"100.64.0.0/10", CarrierNAT,
	"127.0.0.0/8", Loopback,
	"169.254.0.0/16", LinkLocal,
	"172.16.0.0/12", Private,
	"192.0.0.0/24", Reserved,
	"192.0.2.0/24", Documentation,
	"192.88.99.0/24", Reserved, // 6to4 relays
	"192.168.0.0/16", Private,
	"198.18.0.0/15", Documentation, // benchmarking
	"198.51.100.0/24", Documentation,
	"203.0.113.0/24", Documentation,
	"224.0.0.0/4", Multicast,
	"240.0.0.0/4", Reserved, // with the broadcast address
)

// special6 is what is not globally reachable in IPv6; whatever lies outside
// global6 and matches nothing here is refused as [Reserved].
var special6 = rules(
	"::/128", Unspecified,
	"::1/128", Loopback,
	"::/96", Embedded, // IPv4-compatible
	"::ffff:0:0/96", Embedded, // IPv4-mapped
	"::ffff:0:0:0/96", Embedded, // IPv4-translated
	"64:ff9b::/96", Embedded, // NAT64
	"64:ff9b:1::/48", Embedded, // NAT64, local use
	"100::/64", Reserved, // discard
	"2001::/32", Embedded, // Teredo
	"2001:2::/48", Documentation, // benchmarking
	"2001::/23", Reserved, // protocol assignments
	"2001:db8::/32", Documentation,
	"2002::/16", Embedded, // 6to4
	"3fff::/20", Documentation,
	"5f00::/16", Reserved, // segment routing
	"fc00::/7", Private, // unique local
	"fe80::/10", LinkLocal,
	"fec0::/10", Private, // site-local, deprecated
	"ff00::/8", Multicast,
)

var global6 = netip.MustParsePrefix("2000::/3")

// classify returns why an address may not be dialled, or 0.
func classify(ip netip.Addr) Reason {
	if reason := match(metadata, ip); reason != 0 {
		return reason
	}
	if ip.Is4() {
		return match(special4, ip)
	}
	if reason := match(special6, ip); reason != 0 {
		return reason
	}
	if !global6.Contains(ip) {
		return Reserved
	}
	return 0
}

// match compares without unmapping: an IPv4-mapped address is Embedded, not what
// it embeds. Its zone is dropped, since Prefix.Contains is false for any zone.
func match(list []rule, ip netip.Addr) Reason {
	ip = ip.WithZone("")
	for _, r := range list {
		if r.contains(ip) {
			return r.reason
		}
	}
	return 0
}

// contains is Prefix.Contains, which by itself never holds for a mapped address
// in the ::ffff:0:0/96 range.
func (r rule) contains(ip netip.Addr) bool {
	if ip.Is4In6() {
		return r.prefix == mapped
	}
	return r.prefix.Contains(ip)
}

var mapped = netip.MustParsePrefix("::ffff:0:0/96")
