package mailbox

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

// known remembers the peers that brought a good put lately, a bounded number of them:
// the one that was remembered first goes first.
type known struct {
	mu    sync.Mutex // guards the rest
	peers map[peer.ID]struct{}
	order []peer.ID // a ring
	next  int
}

func newKnown(size int) *known {
	return &known{peers: make(map[peer.ID]struct{}, size), order: make([]peer.ID, max(size, 1))}
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
	delete(k.peers, k.order[k.next])
	k.peers[id], k.order[k.next] = struct{}{}, id
	k.next = (k.next + 1) % len(k.order)
}
