package transport

import (
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	noise "github.com/libp2p/go-libp2p/p2p/security/noise"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// HostFunc makes a host with the given identity that dials and does not listen. The
// caller closes it.
type HostFunc func(identity crypto.PrivKey) (host.Host, error)

// NewHost returns the constructor of hosts for the real network: TCP and QUIC, TLS
// before Noise, without relaying, port mapping or address discovery.
//
// With a proxy ("HOST:PORT" or "socks5://HOST:PORT") everything goes through it as
// TCP, and /dns4 and /dns6 names are resolved by the proxy. /dnsaddr cannot be used
// then, since only a local look-up could tell what it stands for.
func NewHost(proxy string) (HostFunc, error) {
	if proxy == "" {
		return func(id crypto.PrivKey) (host.Host, error) {
			return newHost(id, libp2p.Transport(tcp.NewTCPTransport), libp2p.Transport(quic.NewTransport))
		}, nil
	}
	dial, err := newProxy(proxy)
	if err != nil {
		return nil, err
	}
	return func(id crypto.PrivKey) (host.Host, error) {
		names := newNames()
		return newHost(id, libp2p.MultiaddrResolver(names),
			libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport(), tcp.WithDialerForAddr(dial.through(names))))
	}, nil
}

func newHost(id crypto.PrivKey, more ...libp2p.Option) (host.Host, error) {
	return libp2p.New(append([]libp2p.Option{
		libp2p.Identity(id),
		libp2p.NoListenAddrs,
		libp2p.Security(tls.ID, tls.New),
		libp2p.Security(noise.ID, noise.New),
		libp2p.DisableRelay(),
		libp2p.Ping(false),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.UserAgent("communicator"),
		// A client has few connections and takes no streams: nothing to manage.
		libp2p.ResourceManager(&network.NullResourceManager{}),
	}, more...)...)
}
