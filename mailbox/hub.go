package mailbox

import (
	"sync"

	"communicator/wire"
)

// hub wakes those who watch a mailbox. A wake-up carries nothing: the watcher looks
// at the rows from its own position on, so that one that comes early, late or merged
// with another loses nothing. A watcher registers before it looks for the first time.
type hub struct {
	max int

	mu       sync.Mutex // guards watchers and count
	watchers map[wire.MailboxID]map[*watcher]struct{}
	count    int
}

// watcher is woken through a channel that holds one wake-up.
type watcher struct{ wake chan struct{} }

func newHub(max int) *hub {
	return &hub{max: max, watchers: map[wire.MailboxID]map[*watcher]struct{}{}}
}

// join registers a watcher; false if there are too many.
func (h *hub) join(mb wire.MailboxID) (*watcher, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count >= h.max {
		return nil, false
	}
	w := &watcher{make(chan struct{}, 1)}
	if h.watchers[mb] == nil {
		h.watchers[mb] = map[*watcher]struct{}{}
	}
	h.watchers[mb][w] = struct{}{}
	h.count++
	return w, true
}

func (h *hub) leave(mb wire.MailboxID, w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers[mb], w)
	if len(h.watchers[mb]) == 0 {
		delete(h.watchers, mb)
	}
	h.count--
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
