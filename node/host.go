package node

import (
	"errors"
	"net/netip"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	connmanager "github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"

	"communicator/node/config"
)

// HostSettings are what a host is made of. A host made from them must not listen
// yet: the node tells it to, once its handlers are registered.
type HostSettings struct {
	Key     crypto.PrivKey
	Gater   connmgr.ConnectionGater
	Limits  network.ResourceManager
	Trim    connmgr.ConnManager
	Addrs   func([]ma.Multiaddr) []ma.Multiaddr // what to announce of where it listens
	Options []libp2p.Option                     // all of the above, and a plain host otherwise
}

// newTCPHost is the host of production: TCP, TLS first and Noise accepted.
func newTCPHost(s HostSettings) (host.Host, error) {
	return libp2p.New(append(s.Options,
		libp2p.Identity(s.Key),
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Security(noise.ID, noise.New),
		libp2p.NoListenAddrs,
	)...)
}

// hostSettings applies the configuration.
func hostSettings(c config.Config, key crypto.PrivKey, g connmgr.ConnectionGater, addrs func([]ma.Multiaddr) []ma.Multiaddr) (HostSettings, error) {
	limits, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(resourceLimits(c.Limits)),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: c.Limits.ConnectionsPerAddress}},
			[]rcmgr.ConnLimitPerSubnet{
				{PrefixLength: 56, ConnCount: c.Limits.ConnectionsPerAddress},
				{PrefixLength: 48, ConnCount: connsPerSite * c.Limits.ConnectionsPerAddress},
			}),
		rcmgr.WithNetworkPrefixLimit(exempt(c, loopback4), exempt(c, loopback6)),
		rcmgr.WithConnRateLimiters(dialRates(c)),
	)
	if err != nil {
		return HostSettings{}, err
	}
	low, high := c.Limits.ConnectionsIn*300/512, c.Limits.ConnectionsIn*400/512
	trim, err := connmanager.NewConnManager(max(1, low), max(2, high), connmanager.WithGracePeriod(trimGrace))
	if err != nil {
		return HostSettings{}, errors.Join(err, limits.Close())
	}
	return HostSettings{
		Key: key, Gater: g, Limits: limits, Trim: trim, Addrs: addrs,
		Options: []libp2p.Option{
			libp2p.ConnectionGater(g),
			libp2p.ResourceManager(limits),
			libp2p.ConnectionManager(trim),
			libp2p.AddrsFactory(addrs),
			libp2p.UserAgent("communicator"),
			libp2p.DisableRelay(),
			libp2p.ForceReachabilityPublic(), // no AutoNAT probing
			libp2p.DisableIdentifyAddressDiscovery(),
			libp2p.DisableMetrics(), // theirs have peers' addresses as labels
			libp2p.Ping(false),
			libp2p.WithDialTimeout(dialTimeout),
		},
	}, nil
}

// resourceLimits sets every limit: the library's own defaults leave 64 inbound
// connections on a server with 1 GiB.
func resourceLimits(l config.Limits) rcmgr.ConcreteLimitConfig {
	in, out := l.ConnectionsIn, l.ConnectionsOut
	conns := func(in, out, streams int) rcmgr.ResourceLimits {
		return rcmgr.ResourceLimits{
			Conns: rcmgr.LimitVal(in + out), ConnsInbound: rcmgr.LimitVal(in), ConnsOutbound: rcmgr.LimitVal(out),
			FD:      rcmgr.LimitVal(in + out),
			Streams: rcmgr.LimitVal(2 * streams), StreamsInbound: rcmgr.LimitVal(streams), StreamsOutbound: rcmgr.LimitVal(streams),
			Memory: rcmgr.LimitVal64(int64(in+out) * memoryPerConn),
		}
	}
	all := conns(in, out, (in+out)*streamsPerConn)
	peer := conns(l.ConnectionsPerAddress, l.ConnectionsPerAddress, streamsPerPeer)
	free := rcmgr.ResourceLimits{ // counted elsewhere
		Conns: rcmgr.Unlimited, ConnsInbound: rcmgr.Unlimited, ConnsOutbound: rcmgr.Unlimited, FD: rcmgr.Unlimited,
		Streams: rcmgr.Unlimited, StreamsInbound: rcmgr.Unlimited, StreamsOutbound: rcmgr.Unlimited,
		Memory: rcmgr.Unlimited64,
	}
	none := rcmgr.ResourceLimits{
		Conns: rcmgr.BlockAllLimit, ConnsInbound: rcmgr.BlockAllLimit, ConnsOutbound: rcmgr.BlockAllLimit, FD: rcmgr.BlockAllLimit,
		Streams: rcmgr.BlockAllLimit, StreamsInbound: rcmgr.BlockAllLimit, StreamsOutbound: rcmgr.BlockAllLimit,
		Memory: rcmgr.BlockAllLimit64,
	}
	perConn := conns(1, 1, streamsPerConn)
	perConn.Memory = memoryPerConn
	return rcmgr.PartialLimitConfig{
		System: all, Transient: conns(handshakesAtOnce, out, streamsPerConn*handshakesAtOnce),
		AllowlistedSystem: none, AllowlistedTransient: none,
		ServiceDefault: free, ServicePeerDefault: free,
		ProtocolDefault: free, ProtocolPeerDefault: conns(0, 0, streamsPerPeer),
		PeerDefault: peer, Conn: perConn, Stream: free,
	}.Build(rcmgr.InfiniteLimits)
}

var (
	loopback4 = netip.MustParsePrefix("127.0.0.0/8")
	loopback6 = netip.MustParsePrefix("::1/128")
)

// exempt frees loopback of the limit per address where private addresses are
// allowed; an empty list takes the place of the library's own exemption.
func exempt(c config.Config, loopback netip.Prefix) []rcmgr.NetworkPrefixLimit {
	if !c.AllowPrivate {
		return []rcmgr.NetworkPrefixLimit{}
	}
	return []rcmgr.NetworkPrefixLimit{{Network: loopback, ConnCount: c.Limits.ConnectionsIn + c.Limits.ConnectionsOut}}
}

func dialRates(c config.Config) *rate.Limiter {
	host := rate.Limit{RPS: 1 / dialsEvery.Seconds(), Burst: dialsPerAddress}
	site := rate.Limit{RPS: connsPerSite / dialsEvery.Seconds(), Burst: connsPerSite * dialsPerAddress}
	l := &rate.Limiter{SubnetRateLimiter: rate.SubnetLimiter{
		IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: host}},
		IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: host}, {PrefixLength: 48, Limit: site}},
		GracePeriod:      trimGrace,
	}}
	if c.AllowPrivate {
		l.NetworkPrefixLimits = []rate.PrefixLimit{{Prefix: loopback4}, {Prefix: loopback6}}
	}
	return l
}
