package model

// kind is what an event does when its time comes.
type kind uint8

const (
	submitArrives  kind = iota + 1 // obj attempt, a sending agent, x ask
	receiptArrives                 // obj attempt, x ask, y what the agent said
	pollArrives                    // obj attempt, a sending agent, x ask
	outcomeArrives                 // obj attempt, x ask, y 1 if there is one
	askFails                       // obj attempt, x ask, y 1 if the agent could not be reached
	waitEnds                       // obj attempt, a sending agent, x ask: the time that a poll may wait
	putArrives                     // obj attempt, a sending, b receiving agent, x put
	putAnswered                    // obj attempt, a sending, b receiving agent, x put, y answer
	putFails                       // obj attempt, a sending, b receiving agent, x put
	queueWakes                     // a agent
	messageWakes                   // obj message
	watchArrives                   // obj box, a receiving agent, b user
	pushArrives                    // obj delivery, a receiving agent, b user
	ackArrives                     // obj delivery, a receiving agent, b user
	answerDue                      // obj side
	agentUp                        // a agent
	agentJoined                    // a agent
	agentMissed                    // a agent: its users give it up
	agentNoticed                   // a agent, b user: its leaving is noticed
	setCloses                      // obj set
	setAges                        // obj set
	frameSent                      // a from, b to, x size
	lookupBegins                   // of a user who is drawn then
	lookupEnds                     // a hops, x µs that it took, y 1 found, 2 true
	sample                         // agents' loads
)

// event is something that will happen. life is that of agent a where it matters whether
// it has stopped meanwhile, and of user b's device likewise in life2.
type event struct {
	at    int64
	seq   uint64
	obj   uint32
	gen   uint32
	a, b  int32
	life  uint32
	life2 uint32
	x     int32
	y     uint8
	kind  kind
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// heap is a 4-ary heap of values: shallower than a binary one, and four children share
// cache lines.
type heap struct{ s []event }

func (h *heap) push(e event) {
	h.s = append(h.s, e)
	i := len(h.s) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&h.s[parent]) {
			break
		}
		h.s[i] = h.s[parent]
		i = parent
	}
	h.s[i] = e
}

func (h *heap) pop() event {
	top := h.s[0]
	n := len(h.s) - 1
	last := h.s[n]
	h.s = h.s[:n]
	if n == 0 {
		return top
	}
	i := 0
	for {
		child := 4*i + 1
		if child >= n {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, n); c++ {
			if h.s[c].before(&h.s[least]) {
				least = c
			}
		}
		if !h.s[least].before(&last) {
			break
		}
		h.s[i] = h.s[least]
		i = least
	}
	h.s[i] = last
	return top
}
