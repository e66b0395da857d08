package dht

import (
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// serverHost is the host as the library sees it. To a FIND_NODE for a peer's id the
// library answers with whatever addresses the peerstore has, those of connected
// clients included, so that anyone who has learned a client's id could ask its agent
// where it is. Through this host it knows the addresses of the overlay's servers alone.
type serverHost struct {
	host.Host
	kad   protocol.ID
	guard *guard
}

// SetStreamHandler puts the guard before the library's handler.
func (h serverHost) SetStreamHandler(id protocol.ID, handler network.StreamHandler) {
	h.Host.SetStreamHandler(id, h.guard.wrap(handler))
}

func (h serverHost) Peerstore() peerstore.Peerstore {
	return serverStore{Peerstore: h.Host.Peerstore(), self: h.ID(), kad: h.kad}
}

type serverStore struct {
	peerstore.Peerstore
	self peer.ID
	kad  protocol.ID
}

func (s serverStore) PeerInfo(p peer.ID) peer.AddrInfo {
	if p != s.self {
		if spoken, err := s.SupportsProtocols(p, s.kad); err != nil || len(spoken) == 0 {
			return peer.AddrInfo{ID: p}
		}
	}
	return s.Peerstore.PeerInfo(p)
}
