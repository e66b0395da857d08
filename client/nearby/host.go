package nearby

import (
	"net"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	noise "github.com/libp2p/go-libp2p/p2p/security/noise"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// newHost makes a host that listens on the local network under an identity of its own,
// and speaks with addresses of local networks alone.
func newHost(key crypto.PrivKey) (host.Host, error) {
	limits, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(resourceLimits()), rcmgr.WithMetricsDisabled())
	if err != nil {
		return nil, err
	}
	return libp2p.New(
		libp2p.Identity(key),
		libp2p.ListenAddrStrings("/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0"),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(tls.ID, tls.New),
		libp2p.Security(noise.ID, noise.New),
		libp2p.DisableRelay(),
		libp2p.Ping(false),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.UserAgent("communicator"),
		libp2p.ConnectionGater(localOnly{}),
		libp2p.ResourceManager(limits),
	)
}

func resourceLimits() rcmgr.ConcreteLimitConfig {
	limit := func(conns, streams int) rcmgr.ResourceLimits {
		c, s := rcmgr.LimitVal(conns), rcmgr.LimitVal(streams)
		return rcmgr.ResourceLimits{
			Conns: c, ConnsInbound: c, ConnsOutbound: c, FD: maxFileHandles,
			Streams: s, StreamsInbound: s, StreamsOutbound: s, Memory: maxMemory,
		}
	}
	free := rcmgr.ResourceLimits{ // counted by system and peer
		Conns: rcmgr.Unlimited, ConnsInbound: rcmgr.Unlimited, ConnsOutbound: rcmgr.Unlimited, FD: rcmgr.Unlimited,
		Streams: rcmgr.Unlimited, StreamsInbound: rcmgr.Unlimited, StreamsOutbound: rcmgr.Unlimited,
		Memory: rcmgr.Unlimited64,
	}
	return rcmgr.PartialLimitConfig{
		System: limit(maxConns, maxStreams), Transient: limit(maxConns, maxStreams),
		PeerDefault:    limit(maxConnsPeer, maxStreamsPeer),
		ServiceDefault: free, ServicePeerDefault: free, ProtocolDefault: free, ProtocolPeerDefault: free,
		Conn: limit(1, maxStreamsPeer), Stream: free,
		AllowlistedSystem: free, AllowlistedTransient: free,
	}.Build(rcmgr.InfiniteLimits)
}

// localOnly refuses connections that do not stay on a local network.
type localOnly struct{}

var _ connmgr.ConnectionGater = localOnly{}

func (localOnly) InterceptPeerDial(peer.ID) bool { return true }

func (localOnly) InterceptAddrDial(_ peer.ID, addr ma.Multiaddr) bool { return isLocal(addr) }

func (localOnly) InterceptAccept(c network.ConnMultiaddrs) bool { return isLocal(c.RemoteMultiaddr()) }

func (localOnly) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}

func (localOnly) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// isLocal says whether an address is of a private network (RFC 1918, RFC 4193), of the
// link (RFC 3927, RFC 4291) or of this machine.
func isLocal(addr ma.Multiaddr) bool {
	ip, err := manet.ToIP(addr)
	return err == nil && (ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsLoopback())
}

// multicastInterfaces says whether there is any network on which others could be found.
func multicastInterfaces() bool {
	all, err := net.Interfaces()
	for _, i := range all {
		if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagMulticast != 0 {
			return true
		}
	}
	return err != nil // nobody knows: let the search say
}
