package eventlog

import (
	"sync"
	"time"
)

// gate lets any number of readers in, or shuts them out for the moment in which the
// store is closed and opened. Readers may nest: shutting the gate first waits for a
// moment without readers, then keeps new ones out for no longer than its patience.
// Once closed it turns newcomers away, and those who nest.
type gate struct {
	mu      sync.Mutex // guards the fields; never held while waiting
	readers int
	closed  bool
	shutted chan struct{} // not nil while shut; closed when the gate opens
	waiting chan struct{} // closed when the last reader leaves
}

// enter returns false once the gate is closed.
func (g *gate) enter() bool {
	for {
		g.mu.Lock()
		shut := g.shutted
		if g.closed || shut == nil {
			entered := !g.closed
			if entered {
				g.readers++
			}
			g.mu.Unlock()
			return entered
		}
		g.mu.Unlock()
		<-shut
	}
}

// close returns once nobody is inside, for ever.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.open() // those who wait outside may go
	for left := g.tryShut(false); left != nil; left = g.tryShut(false) {
		<-left
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.readers--
	if g.readers == 0 && g.waiting != nil {
		close(g.waiting)
		g.waiting = nil
	}
}

// shut returns true once the gate is shut and nobody is inside.
func (g *gate) shut(patience time.Duration) bool {
	for keepOut := range 2 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		timeout := timer.C
		for {
			left := g.tryShut(keepOut == 1)
			if left == nil {
				return true
			}
			select {
			case <-left:
				continue
			case <-timeout:
			}
			break
		}
	}
	g.open()
	return false
}

// tryShut shuts the gate if nobody is inside, or with keepOut in any case, and
// returns what to wait for if somebody is.
func (g *gate) tryShut(keepOut bool) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if (g.readers == 0 || keepOut) && g.shutted == nil {
		g.shutted = make(chan struct{})
	}
	if g.readers == 0 {
		return nil
	}
	if g.waiting == nil {
		g.waiting = make(chan struct{})
	}
	return g.waiting
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shutted != nil {
		close(g.shutted)
		g.shutted = nil
	}
}
