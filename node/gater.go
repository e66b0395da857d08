package node

import (
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"communicator/relay/destination"
	"communicator/wire/agenturi"
)

// gater refuses forbidden destinations after their names have been resolved, everybody
// whose identity is not an Ed25519 key, and those who are kept out for their conduct.
type gater struct {
	policy  destination.Policy
	conduct *conduct
}

var _ connmgr.ConnectionGater = (*gater)(nil)

// InterceptPeerDial refuses the node itself.
func (g *gater) InterceptPeerDial(id peer.ID) bool { return id != g.policy.Self }

// InterceptAddrDial refuses what [destination] forbids.
func (g *gater) InterceptAddrDial(id peer.ID, addr ma.Multiaddr) bool {
	return g.policy.InterceptAddrDial(id, addr)
}

// InterceptAccept refuses networks from which peers come again that are kept out. Other
// limits are the resource manager's.
func (g *gater) InterceptAccept(c network.ConnMultiaddrs) bool {
	return g.conduct.open(c.RemoteMultiaddr())
}

// InterceptSecured refuses other kinds of keys than Ed25519, and peers that are kept out.
func (g *gater) InterceptSecured(dir network.Direction, id peer.ID, c network.ConnMultiaddrs) bool {
	if _, err := agenturi.RootOf(id); err != nil {
		return false
	}
	return dir != network.DirInbound || g.conduct.welcome(id, c.RemoteMultiaddr())
}

// InterceptUpgraded accepts.
func (g *gater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }
