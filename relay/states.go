package relay

import (
	"container/list"
	"sync"

	"communicator/wire"
	"communicator/wire/pb"
)

// states keeps in memory what fetches ask for within moments of its being stored: that
// a submission is queued, and its outcome once it is settled. Only what is durable is
// put here. What is not here, because it is older or there was no room, is read from the
// log. It also wakes the fetches that wait.
type states struct {
	max int // bytes

	mu       sync.Mutex
	known    map[wire.HandleHash]*list.Element // guarded by mu, of *known
	order    list.List                         // guarded by mu: the next to go first
	bytes    int                               // guarded by mu
	watching map[wire.HandleHash][]*watch      // guarded by mu
}

// known is what became of one submission. What its state points to never changes.
type known struct {
	hash    wire.HandleHash
	seq     uint64 // of the event that settled it
	state   pb.OutcomeState_State
	outcome []byte
	status  wire.Status
}

// knownOverhead is what one entry takes in memory beside its outcome, about, in bytes.
const knownOverhead = 400

func newStates(max int) *states {
	return &states{max: max, known: make(map[wire.HandleHash]*list.Element), watching: make(map[wire.HandleHash][]*watch)}
}

// queued follows the commit of a new submission, before anything else can happen to it.
func (s *states) queued(h wire.HandleHash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(&known{hash: h, state: pb.OutcomeState_PENDING})
}

// settled follows the commit of what settles a submission, and wakes who waits for it.
// If the submission is not known here it stays so: it may be acknowledged already.
func (s *states) settled(a settlement, seq uint64) {
	h := a.entry.handle
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drop(h) != nil {
		s.keep(&known{h, seq, a.state, a.outcome, a.status})
	}
	for _, w := range s.watching[h] {
		w.wake()
	}
}

// forget follows the decision to drop an outcome. What has not heard of its commit yet
// stays out.
func (s *states) forget(h wire.HandleHash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(h)
}

// claim forgets an outcome and returns the event that made it, 0 if it is not known
// here. It is called on the log's writer, by what drops the outcome: so each is claimed
// or found in the log once.
func (s *states) claim(h wire.HandleHash) (seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.known[h]
	if at == nil || at.Value.(*known).state == pb.OutcomeState_PENDING {
		return 0
	}
	return s.drop(h).seq
}

// keep adds an entry and makes room for it. The caller holds mu.
func (s *states) keep(k *known) {
	s.known[k.hash] = s.order.PushBack(k)
	s.bytes += knownOverhead + len(k.outcome)
	for s.bytes > s.max {
		s.drop(s.order.Front().Value.(*known).hash)
	}
}

// drop removes an entry, if it is there. The caller holds mu.
func (s *states) drop(h wire.HandleHash) *known {
	at := s.known[h]
	if at == nil {
		return nil
	}
	delete(s.known, h)
	k := s.order.Remove(at).(*known)
	s.bytes -= knownOverhead + len(k.outcome)
	return k
}

// get fills in what is known, and returns the indices of what is not.
func (s *states) get(hashes []wire.HandleHash, out []*pb.OutcomeState) (missing []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, h := range hashes {
		at := s.known[h]
		if at == nil {
			missing = append(missing, i)
			continue
		}
		k := at.Value.(*known)
		out[i] = &pb.OutcomeState{State: k.state, Outcome: k.outcome, Status: uint32(k.status)}
	}
	return missing
}

// watch is one fetch's interest in some submissions.
type watch struct {
	s       *states
	hashes  []wire.HandleHash
	settled chan struct{} // capacity 1: some of them may have been settled
}

// watch registers; from here on nothing is missed.
func (s *states) watch(hashes []wire.HandleHash) *watch {
	w := &watch{s: s, hashes: hashes, settled: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range hashes {
		s.watching[h] = append(s.watching[h], w)
	}
	return w
}

func (w *watch) stop() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, h := range w.hashes {
		rest := w.s.watching[h]
		for i := range rest {
			if rest[i] == w {
				rest[i] = rest[len(rest)-1]
				rest = rest[:len(rest)-1]
				break
			}
		}
		if len(rest) == 0 {
			delete(w.s.watching, h)
		} else {
			w.s.watching[h] = rest
		}
	}
}

func (w *watch) wake() {
	select {
	case w.settled <- struct{}{}:
	default: // it is awake already
	}
}
