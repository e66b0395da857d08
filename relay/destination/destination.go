package destination

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"communicator/wire/agenturi"
)

// Reason is why an address may not be dialled.
type Reason uint8

// Reasons. Those up to and including LinkLocal are lifted where private
// destinations are allowed; the others never are.
const (
	Private       Reason = iota + 1 // RFC 1918, unique local, names of local networks
	Loopback                        // 127/8, ::1, localhost
	CarrierNAT                      // 100.64/10, RFC 6598
	Documentation                   // documentation and benchmarking ranges
	InProcess                       // /memory, a transport inside one process
	LinkLocal                       // 169.254/16, fe80::/10, any zone
	Metadata                        // a cloud's metadata service
	Multicast
	Unspecified
	Reserved  // not assigned for unicast, or for protocols' own use
	Embedded  // an IPv6 address that holds an IPv4 one
	Circuit   // /p2p-circuit: through a relay of someone's choosing
	Itself    // this node
	Malformed // no address that a host could dial
)

var reasonText = [...]string{
	"allowed", "private network", "loopback", "carrier NAT", "documentation or benchmarking range",
	"in-process transport", "link-local", "metadata service", "multicast", "unspecified", "reserved range",
	"IPv4 address inside IPv6", "circuit relay", "this node itself", "not a dialable address",
}

func (r Reason) String() string {
	if int(r) < len(reasonText) {
		return reasonText[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// lifted says whether allowing private destinations allows this one.
func (r Reason) lifted() bool { return r <= LinkLocal }

// ErrForbidden is what every [Error] is.
var ErrForbidden = errors.New("destination: forbidden")

// Error says why a destination is refused. It does not name the destination, so
// that it may be logged.
type Error struct{ Reason Reason }

func (e *Error) Error() string        { return "destination: " + e.Reason.String() }
func (e *Error) Is(target error) bool { return target == ErrForbidden }

// Policy is what one node dials.
type Policy struct {
	// AllowPrivate lifts the refusal of private, loopback, link-local, carrier-NAT
	// and test ranges: for private networks and tests.
	AllowPrivate bool
	// Self is the node's own peer id; empty: not checked.
	Self peer.ID
	// Own returns the addresses at which the node listens or is announced; nil:
	// not checked. It must be fast and safe for concurrent use.
	Own func() []multiaddr.Multiaddr
}

// CheckURI looks at a receiving agent's URI as it was submitted.
func (p Policy) CheckURI(u agenturi.URI) error {
	if p.Self != "" && u.Peer == p.Self {
		return &Error{Itself}
	}
	return p.Check(u.Addr)
}

// Check looks at one address, by name or resolved. It returns nil or an [*Error].
func (p Policy) Check(addr multiaddr.Multiaddr) error {
	var own []multiaddr.Multiaddr
	if p.Own != nil {
		own = p.Own()
	}
	return Check(addr, p.AllowPrivate, own...)
}

// InterceptAddrDial is what a libp2p ConnectionGater answers for every address
// that the host is about to dial, after resolving names.
func (p Policy) InterceptAddrDial(id peer.ID, addr multiaddr.Multiaddr) bool {
	return (p.Self == "" || id != p.Self) && p.Check(addr) == nil
}

// Check refuses an address that a sending agent must not dial for a stranger, or
// that is one of the node's own, with an [*Error].
func Check(addr multiaddr.Multiaddr, allowPrivate bool, own ...multiaddr.Multiaddr) error {
	reason := inspect(addr)
	if reason == 0 || allowPrivate && reason.lifted() {
		for _, o := range own {
			if samePlace(addr, o) {
				return &Error{Itself}
			}
		}
		return nil
	}
	return &Error{reason}
}

// inspect walks the components: one host first, then transports.
func inspect(addr multiaddr.Multiaddr) Reason {
	if len(addr) == 0 {
		return Malformed
	}
	worst := Reason(0)
	host, transport := false, false
	for _, c := range addr {
		reason := Reason(0)
		switch code := c.Protocol().Code; code {
		case multiaddr.P_CIRCUIT:
			return Circuit // whatever else it says
		case multiaddr.P_IP4, multiaddr.P_IP6:
			if host {
				return Malformed
			}
			host = true
			ip, ok := netip.AddrFromSlice(c.RawValue())
			if !ok {
				return Malformed
			}
			reason = classify(ip)
		case multiaddr.P_DNS, multiaddr.P_DNS4, multiaddr.P_DNS6, multiaddr.P_DNSADDR:
			if host {
				return Malformed
			}
			host, transport = true, code == multiaddr.P_DNSADDR
			reason = classifyName(c.Value())
		case multiaddr.P_IP6ZONE:
			reason = LinkLocal
		case multiaddr.P_MEMORY:
			host, transport, reason = true, true, InProcess
		case multiaddr.P_TCP, multiaddr.P_UDP:
			if raw := c.RawValue(); !host || len(raw) != 2 || raw[0]|raw[1] == 0 {
				return Malformed
			}
			transport = true
		case multiaddr.P_QUIC_V1, multiaddr.P_WS, multiaddr.P_WSS, multiaddr.P_TLS, multiaddr.P_SNI,
			multiaddr.P_NOISE, multiaddr.P_WEBTRANSPORT, multiaddr.P_WEBRTC_DIRECT, multiaddr.P_CERTHASH,
			multiaddr.P_HTTP_PATH, multiaddr.P_P2P:
		default:
			return Malformed // unix sockets, onions, proxies
		}
		worst = max(worst, reason)
	}
	if !host || !transport {
		return max(worst, Malformed)
	}
	return worst
}

// localNames are the domains without a global meaning (RFC 6761, 6762, 8375, and
// ICANN's reservation of .internal).
var localNames = []string{"local", "internal", "home.arpa", "lan", "intranet", "corp", "home"}

// classifyName refuses what can be told from a name alone.
func classifyName(name string) Reason {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "" {
		return Malformed
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return classify(ip)
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return Loopback
	}
	for _, local := range localNames {
		if name == local || strings.HasSuffix(name, "."+local) {
			return Private
		}
	}
	return 0
}

// samePlace says whether two addresses lead to the same socket: the same host and
// the same port. What is spoken there does not matter.
func samePlace(a, b multiaddr.Multiaddr) bool {
	return len(a) > 1 && len(b) > 1 && a[0].Equal(&b[0]) && a[1].Equal(&b[1])
}
