package relay

import (
	"sync"

	"communicator/wire"
)

// waiters wakes fetches when an outcome they ask for is known.
type waiters struct {
	mu       sync.Mutex
	watching map[wire.HandleHash]map[*watch]struct{} // guarded by mu
}

func newWaiters() *waiters {
	return &waiters{watching: make(map[wire.HandleHash]map[*watch]struct{})}
}

// watch is one fetch's interest.
type watch struct {
	w       *waiters
	hashes  []wire.HandleHash
	settled chan struct{} // capacity 1: some of them may have been settled
}

// watch registers; from here on nothing is missed.
func (w *waiters) watch(hashes []wire.HandleHash) *watch {
	it := &watch{w: w, hashes: hashes, settled: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range hashes {
		if w.watching[h] == nil {
			w.watching[h] = make(map[*watch]struct{})
		}
		w.watching[h][it] = struct{}{}
	}
	return it
}

func (it *watch) stop() {
	it.w.mu.Lock()
	defer it.w.mu.Unlock()
	for _, h := range it.hashes {
		delete(it.w.watching[h], it)
		if len(it.w.watching[h]) == 0 {
			delete(it.w.watching, h)
		}
	}
}

// settle is called after an outcome's commit.
func (w *waiters) settle(h wire.HandleHash) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for it := range w.watching[h] {
		select {
		case it.settled <- struct{}{}:
		default: // it is awake already
		}
	}
}
