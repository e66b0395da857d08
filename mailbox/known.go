package mailbox

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

// known remembers the peers that brought a good put lately, a bounded number of them:
// the one that was remembered first goes first. It takes as much memory as it has held.
type known struct {
	size int // the most that are remembered, at least 1

	mu    sync.Mutex // guards the rest
	peers map[peer.ID]struct{}
	order []peer.ID // grows up to size, and is a ring from then on
	next  int       // the oldest in the ring
}

func newKnown(size int) *known {
	return &known{size: max(size, 1), peers: map[peer.ID]struct{}{}}
}

func (k *known) has(id peer.ID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.peers[id]
	return ok
}

func (k *known) add(id peer.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.peers[id]; ok {
		return
	}
	k.peers[id] = struct{}{}
	if len(k.order) < k.size {
		k.order = append(k.order, id)
		return
	}
	delete(k.peers, k.order[k.next])
	k.order[k.next] = id
	k.next = (k.next + 1) % k.size
}
