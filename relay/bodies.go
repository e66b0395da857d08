package relay

import (
	"container/list"
	"sync"

	"communicator/relay/queue"
	"communicator/wire/pb"
)

// bodies keeps fresh submissions in memory until their first attempt, so that most are
// not read back from the log. What goes for want of room, the oldest first, and what is
// attempted again is read from there.
type bodies struct {
	max int // bytes

	mu    sync.Mutex
	kept  map[queue.ID]*list.Element // guarded by mu, of *body
	order list.List                  // guarded by mu: the oldest first
	bytes int                        // guarded by mu
}

type body struct {
	id  queue.ID
	req *pb.DeliverRequest
}

// size is what a body takes in memory, about, in bytes.
func (b *body) size() int { return bodyOverhead + len(b.req.Sealed) + len(b.req.Payload) }

// bodyOverhead is what one body takes beside its content, in bytes.
const bodyOverhead = 300

func newBodies(max int) *bodies { return &bodies{max: max, kept: make(map[queue.ID]*list.Element)} }

// keep follows the commit of a submission, before it is queued. It is called once for
// each.
func (b *bodies) keep(id queue.ID, req *pb.DeliverRequest) {
	b.mu.Lock()
	defer b.mu.Unlock()
	it := &body{id, req}
	b.kept[id] = b.order.PushBack(it)
	b.bytes += it.size()
	for b.bytes > b.max {
		b.remove(b.order.Front())
	}
}

// take returns a submission, if it is still here, and lets go of it.
func (b *bodies) take(id queue.ID) *pb.DeliverRequest {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.kept[id]
	if at == nil {
		return nil
	}
	return b.remove(at).req
}

// remove lets go of one. The caller holds mu.
func (b *bodies) remove(at *list.Element) *body {
	it := b.order.Remove(at).(*body)
	delete(b.kept, it.id)
	b.bytes -= it.size()
	return it
}
