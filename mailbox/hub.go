package mailbox

import (
	"net/netip"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/internal/budget"
	"communicator/wire"
)

// hub wakes those who watch a mailbox. A wake-up carries nothing: the watcher looks
// at the rows from its own position on, so that one that comes early, late or merged
// with another loses nothing. A watcher registers before it looks for the first time.
//
// Whoever has drawn a key can watch the mailbox that it names, so watchers of mailboxes
// that do not exist here are counted apart and few: an owner may come before the first
// address is made or after the last one is void, but strangers must not take the places
// of those for whom mail can come.
type hub struct {
	mu       sync.Mutex // guards what follows
	watchers map[wire.MailboxID]map[*watcher]struct{}
	held     tally // watchers of mailboxes that exist
	others   tally
}

// watcher is woken through a channel that holds one wake-up.
type watcher struct {
	wake    chan struct{}
	mailbox wire.MailboxID
	from    origin
	counted *tally
}

// origin is who asks, and from which networks.
type origin struct {
	peer     peer.ID
	networks []netip.Prefix // IPv4 /32 and IPv6 /56; none where they are exempt
}

// tally counts watchers, all of them and those of one origin.
type tally struct {
	max      WatchLimits
	all      int
	peers    map[peer.ID]int
	networks map[netip.Prefix]int
}

func newHub(l Limits) *hub {
	return &hub{
		watchers: map[wire.MailboxID]map[*watcher]struct{}{},
		held:     newTally(l.Watches), others: newTally(l.EmptyWatches),
	}
}

func newTally(max WatchLimits) tally {
	return tally{max: max, peers: map[peer.ID]int{}, networks: map[netip.Prefix]int{}}
}

// join registers a watcher; false if there are too many. Exists says whether the
// mailbox does.
func (h *hub) join(mb wire.MailboxID, from origin, exists bool) (*watcher, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &watcher{wake: make(chan struct{}, 1), mailbox: mb, from: from, counted: &h.held}
	if !exists {
		w.counted = &h.others
	}
	if !w.counted.fits(from) {
		return nil, false
	}
	w.counted.add(from, 1)
	if h.watchers[mb] == nil {
		h.watchers[mb] = map[*watcher]struct{}{}
	}
	h.watchers[mb][w] = struct{}{}
	return w, true
}

func (h *hub) leave(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers[w.mailbox], w)
	if len(h.watchers[w.mailbox]) == 0 {
		delete(h.watchers, w.mailbox)
	}
	w.counted.add(w.from, -1)
}

func (t *tally) fits(from origin) bool {
	if t.all >= t.max.All || t.peers[from.peer] >= t.max.PerPeer {
		return false
	}
	for _, n := range from.networks {
		if t.networks[n] >= t.max.PerNetwork {
			return false
		}
	}
	return true
}

func (t *tally) add(from origin, n int) {
	t.all += n
	count(t.peers, from.peer, n)
	for _, network := range from.networks {
		count(t.networks, network, n)
	}
}

// count keeps no entry for nothing.
func count[K comparable](m map[K]int, key K, n int) {
	if m[key] += n; m[key] == 0 {
		delete(m, key)
	}
}

// wake is called after the commit that brought something.
func (h *hub) wake(mb wire.MailboxID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers[mb] {
		w.poke()
	}
}

func (h *hub) wakeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, all := range h.watchers {
		for w := range all {
			w.poke()
		}
	}
}

func (w *watcher) poke() {
	select {
	case w.wake <- struct{}{}:
	default: // one is waiting already
	}
}

// originOf says where a peer is connected from.
func (s *Service) originOf(remote peer.ID) origin {
	from := origin{peer: remote}
	if s.cfg.AddrsOf == nil {
		return from
	}
	for _, addr := range s.cfg.AddrsOf(remote) {
		if network := budget.Host(addr); network.IsValid() {
			from.networks = append(from.networks, network)
		}
	}
	return from
}
