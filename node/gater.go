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

// gater refuses forbidden destinations after their names have been resolved, and
// everybody whose identity is not an Ed25519 key.
type gater struct{ policy destination.Policy }

var _ connmgr.ConnectionGater = (*gater)(nil)

// InterceptPeerDial refuses the node itself.
func (g *gater) InterceptPeerDial(id peer.ID) bool { return id != g.policy.Self }

// InterceptAddrDial refuses what [destination] forbids.
func (g *gater) InterceptAddrDial(id peer.ID, addr ma.Multiaddr) bool {
	return g.policy.InterceptAddrDial(id, addr)
}

// InterceptAccept accepts: limits are the resource manager's.
func (g *gater) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured refuses other kinds of keys than Ed25519.
func (g *gater) InterceptSecured(_ network.Direction, id peer.ID, _ network.ConnMultiaddrs) bool {
	_, err := agenturi.RootOf(id)
	return err == nil
}

// InterceptUpgraded accepts.
func (g *gater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }
