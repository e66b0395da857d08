package relay

import "sync"

// group lets callers share an append: what is handed in while others' is being synced
// goes to the log as one request, on the goroutine of one of its callers. The log syncs
// together what waits in any case; this saves it the rest of a request for each.
type group[T any] struct {
	run func([]T) // handles all of them, at most groupMost

	mu      sync.Mutex
	waiting []*member[T] // guarded by mu: in the order of their coming
	running int          // guarded by mu: at most groupRuns
}

// member is one caller. It is woken once: when its item was handled, or to lead.
type member[T any] struct {
	item T
	lead bool
	wake chan struct{}
}

const (
	// groupMost bounds one request, so that its bodies fit a transaction of the log.
	groupMost = 64
	// groupRuns is how many requests are under way: one is being synced while the
	// next fills the log's next batch.
	groupRuns = 2
)

// do returns when the item was handled.
func (g *group[T]) do(item T) {
	g.mu.Lock()
	if g.running < groupRuns {
		g.running++
		g.lead(item)
		return
	}
	m := &member[T]{item: item, wake: make(chan struct{}, 1)}
	g.waiting = append(g.waiting, m)
	g.mu.Unlock()
	<-m.wake
	if m.lead {
		g.mu.Lock()
		g.lead(item)
	}
}

// lead handles an item with those that wait, then passes the lead on. The caller holds
// mu, which lead gives back.
func (g *group[T]) lead(item T) {
	others := g.take()
	g.mu.Unlock()
	items := make([]T, 1, 1+len(others))
	items[0] = item
	for _, m := range others {
		items = append(items, m.item)
	}
	g.run(items)
	g.mu.Lock()
	if len(g.waiting) > 0 {
		next := g.waiting[0]
		g.waiting = g.waiting[1:]
		next.lead = true
		next.wake <- struct{}{}
	} else {
		g.running--
	}
	g.mu.Unlock()
	for _, m := range others {
		m.wake <- struct{}{}
	}
}

// take returns those who wait, as many as go into one request. The caller holds mu.
func (g *group[T]) take() []*member[T] {
	n := min(len(g.waiting), groupMost-1)
	some := g.waiting[:n:n]
	if g.waiting = g.waiting[n:]; len(g.waiting) == 0 {
		g.waiting = nil
	}
	return some
}
