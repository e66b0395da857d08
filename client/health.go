package client

import (
	"sync"
	"time"

	"communicator/client/store"
	"communicator/wire"
)

// health remembers, for as long as the process runs, which agents have failed lately.
// It only orders what is tried; nothing is given up because of it.
type health struct {
	mu        sync.Mutex // guards the maps
	senders   map[store.AgentID]time.Time
	receivers map[wire.AgentID]time.Time
	pauses    map[string]pause
	declined  map[wire.EpochPin]bool // addresses whose agent our sending agents will not ask
}

// pause is when something that failed may be tried again, after how many failures.
type pause struct {
	until    time.Time
	failures int
}

// mark puts a sending agent into trouble until a time, or, with the zero time, out of
// it. It says whether that changed anything.
func (h *health) mark(id store.AgentID, until time.Time) bool {
	return set(&h.mu, &h.senders, id, until)
}

// markReceiver does the same for a peer's receiving agent.
func (h *health) markReceiver(id wire.AgentID, until time.Time) bool {
	return set(&h.mu, &h.receivers, id, until)
}

func set[K comparable](mu *sync.Mutex, m *map[K]time.Time, key K, until time.Time) bool {
	mu.Lock()
	defer mu.Unlock()
	_, was := (*m)[key]
	if until.IsZero() {
		delete(*m, key)
		return was
	}
	if *m == nil {
		*m = map[K]time.Time{}
	}
	(*m)[key] = until
	return !was
}

func (h *health) trouble(id store.AgentID, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return now.Before(h.senders[id])
}

func (h *health) receiverTrouble(id wire.AgentID, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return now.Before(h.receivers[id])
}

// mayTry says whether something that keeps failing may be tried now, and counts the try:
// pauses double up to an hour, until worked is called.
func (h *health) mayTry(what string, now time.Time, first time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.pauses[what]
	if now.Before(p.until) {
		return false
	}
	if h.pauses == nil {
		h.pauses = map[string]pause{}
	}
	h.pauses[what] = pause{now.Add(min(first<<min(p.failures, 20), maxTryPause)), p.failures + 1}
	return true
}

// worked forgets the failures of something.
func (h *health) worked(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.pauses, what)
}

// decline notes whether our sending agents refuse to deal with an address's agent.
func (h *health) decline(pin wire.EpochPin, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.declined == nil {
		h.declined = map[wire.EpochPin]bool{}
	}
	if on {
		h.declined[pin] = true
	} else {
		delete(h.declined, pin)
	}
}

func (h *health) isDeclined(pin wire.EpochPin) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.declined[pin]
}

// forgive lets everything that failed be tried again at once: there is a new agent.
func (h *health) forgive() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pauses, h.declined = nil, nil
}

// spent are accepted invitations whose packages upkeep will take away from their hosts.
type spent struct {
	mu   sync.Mutex // guards list
	list []store.Invitation
}

func (s *spent) add(v store.Invitation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, v)
}

func (s *spent) take() []store.Invitation {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.list
	s.list = nil
	return out
}

// flights are the attempts that this process is submitting or asking about, so that two
// of its goroutines do not do the same.
type flights struct {
	mu  sync.Mutex // guards ids
	ids map[store.AttemptID]bool
}

// take reserves an attempt, or says that it is in flight.
func (f *flights) take(id store.AttemptID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ids[id] {
		return false
	}
	if f.ids == nil {
		f.ids = map[store.AttemptID]bool{}
	}
	f.ids[id] = true
	return true
}

func (f *flights) land(id store.AttemptID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ids, id)
}

// bus hands events to everybody who listens. Listeners queue without bound: what a pass
// brings is bounded by what it does.
type bus struct {
	mu        sync.Mutex // guards listeners and their queues
	listeners map[*listener]struct{}
}

type listener struct {
	bus   *bus
	queue []Event
	ready chan struct{} // capacity 1
}

func (b *bus) listen() *listener {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners == nil {
		b.listeners = map[*listener]struct{}{}
	}
	l := &listener{bus: b, ready: make(chan struct{}, 1)}
	b.listeners[l] = struct{}{}
	return l
}

func (b *bus) emit(events ...Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(events) == 0 {
		return
	}
	for l := range b.listeners {
		l.queue = append(l.queue, events...)
		select {
		case l.ready <- struct{}{}:
		default:
		}
	}
}

// drain takes what is queued.
func (l *listener) drain() []Event {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	out := l.queue
	l.queue = nil
	return out
}

func (l *listener) close() {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	delete(l.bus.listeners, l)
}
