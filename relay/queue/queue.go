package queue

import (
	"math"
	"time"
)

// ID names one submission, in the order in which they were accepted.
type ID uint64

// Kind is what happened.
type Kind uint8

// Kinds of input, with the fields of [Input] that they use.
const (
	// Tick: the time that [Effects.Wake] named has come. Harmless at any time.
	Tick Kind = iota
	// Add: a submission was accepted, or found at start: ID, Destination,
	// NotAfter, Jitter, Random. A known ID changes nothing.
	Add
	// Taken: the receiving agent took it and its outcome is stored: ID.
	Taken
	// Deferred: the receiving agent answered that it takes nothing now: ID,
	// RetryAfter, Random.
	Deferred
	// Refused: the receiving agent will not take this one as it is, but answers:
	// ID, Random.
	Refused
	// Failed: no answer, or not from the agent that the URI names: ID, Random.
	Failed
	// Held: this node could not make the attempt or store its outcome; says
	// nothing of the destination: ID, Random.
	Held
)

// Input is one thing that happened. Inputs about an ID that is not in flight (or
// for Add, is known) are ignored.
type Input struct {
	Kind        Kind
	ID          ID
	Destination string
	NotAfter    time.Time
	Jitter      time.Duration // mean of the delay that the sender asks for
	RetryAfter  time.Duration
	Random      float64 // uniform in [0,1), fresh for each input
}

// Send asks for one attempt. The answer comes back as an input with the same ID.
type Send struct {
	ID          ID
	Destination string
	Attempt     int // 1 for the first since the queue was made
}

// Effects is what a step asks for. The caller empties it between steps and may
// keep its slices.
type Effects struct {
	Send    []Send
	Abandon []ID // expired: already gone from the queue
	// Wake is when to step with [Tick] at the latest; zero: not until the next
	// input. Every step sets it anew.
	Wake time.Time
}

// Reset empties the effects and keeps their memory.
func (e *Effects) Reset() { e.Send, e.Abandon, e.Wake = e.Send[:0], e.Abandon[:0], time.Time{} }

// Stat counts what the queue holds.
type Stat struct {
	Items        int // submissions, in flight included
	InFlight     int // sends, probes included
	Probes       int // of them, to destinations that have not answered yet
	Destinations int
	Paused       int // destinations whose last attempts failed
}

// Queue is the state. It is not safe for concurrent use.
type Queue struct {
	cfg    Config
	items  map[ID]*item     // for look-up only, never iterated
	dests  map[string]*dest // likewise
	expiry heap[*item, byExpiry]
	// due holds the destinations that could send, by when: those that have
	// answered and those that have not, each under its own cap.
	due [classes]heap[*dest, byDue]

	turns    uint64 // breaks ties between destinations
	inFlight int    // sends to proven destinations
	probes   int    // sends to unproven ones
	paused   int    // destinations with failures > 0
}

// New returns an empty queue.
func New(cfg Config) *Queue {
	return &Queue{cfg: cfg.withDefaults(), items: make(map[ID]*item), dests: make(map[string]*dest)}
}

// Stat counts.
func (q *Queue) Stat() Stat {
	return Stat{len(q.items), q.inFlight + q.probes, q.probes, len(q.dests), q.paused}
}

// Step folds one input into the state at the time now and appends what follows
// to effects. Time must not go backwards; if it does, nothing is lost but
// everything waits.
func (q *Queue) Step(now time.Time, in Input, effects *Effects) {
	at := now.UnixNano()
	switch in.Kind {
	case Tick:
	case Add:
		q.add(at, in)
	default:
		if it := q.items[in.ID]; it != nil && it.flying {
			q.answer(at, it, in, effects)
		}
	}
	q.expire(at, effects)
	q.dispatch(at, effects)
	q.setWake(at, effects)
}

func (q *Queue) add(now int64, in Input) {
	if q.items[in.ID] != nil {
		return
	}
	d := q.dests[in.Destination]
	if d == nil {
		d = &dest{uri: in.Destination, pos: absent}
		q.dests[in.Destination] = d
	}
	it := &item{
		id: in.ID, dest: d, notAfter: in.NotAfter.UnixNano(),
		waitPos: absent, expiryPos: absent,
	}
	it.due = now + q.jitter(in.Jitter, time.Duration(it.notAfter-now), in.Random)
	q.items[in.ID] = it
	q.expiry.push(it)
	d.waiting.push(it)
	q.schedule(now, d)
}

// jitter draws from the exponential distribution that the sender asked for.
func (q *Queue) jitter(mean, left time.Duration, random float64) int64 {
	mean = min(mean, q.cfg.JitterMax)
	if mean <= 0 || left <= 0 {
		return 0
	}
	draw := -math.Log1p(-random) // -ln(1-u): 0 for u = 0
	return int64(min(time.Duration(min(draw, jitterTail)*float64(mean)), left/2))
}

// answer takes an item out of flight and decides its and its destination's future.
func (q *Queue) answer(now int64, it *item, in Input, effects *Effects) {
	d := it.dest
	q.land(it)
	switch in.Kind {
	case Taken:
		q.answered(d)
		q.forget(it)
	case Refused:
		q.answered(d)
		q.again(now, it, in.Random)
	case Deferred:
		q.pause(now, d, in)
		q.wait(it, now)
	case Failed:
		if it.answersAtSend == d.answers {
			q.pause(now, d, in)
			q.wait(it, now)
		} else {
			q.again(now, it, in.Random) // others were answered meanwhile
		}
	case Held:
		q.again(now, it, in.Random)
	}
	if it.expired && in.Kind != Taken {
		q.abandon(it, effects)
	}
	q.schedule(now, d)
}

// land gives the send's place back.
func (q *Queue) land(it *item) {
	it.flying = false
	it.dest.flying--
	if it.probe {
		it.dest.probing, it.probe = false, false
		q.probes--
	} else {
		q.inFlight--
	}
}

func (q *Queue) answered(d *dest) {
	if d.failures > 0 {
		q.paused--
	}
	d.answers++
	d.failures, d.until, d.proven = 0, 0, true
}

// pause stops all sends to a destination for a while. Several sends that fail
// together count as one failure.
func (q *Queue) pause(now int64, d *dest, in Input) {
	if in.Kind == Deferred {
		d.answers++ // it does answer: sends that fail by themselves are their own affair
	}
	if d.until > now {
		return
	}
	if d.failures == 0 {
		q.paused++
	}
	d.failures++
	d.proven = false
	wait := q.backoff(d.failures, in.Random)
	d.until = now + int64(max(wait, min(in.RetryAfter, q.cfg.BackoffMax)))
}

// again has an item wait for its own backoff.
func (q *Queue) again(now int64, it *item, random float64) {
	it.failures++
	q.wait(it, now+int64(q.backoff(int(it.failures), random)))
}

func (q *Queue) wait(it *item, due int64) {
	it.due = due
	it.dest.waiting.push(it)
}

// backoff doubles from the least to the greatest pause; the random part keeps
// those who failed together from coming back together.
func (q *Queue) backoff(failures int, random float64) time.Duration {
	full := 2 * q.cfg.BackoffMin // so that the shortest is not below the minimum
	for range failures - 1 {
		if full *= 2; full >= q.cfg.BackoffMax {
			break
		}
	}
	full = min(full, q.cfg.BackoffMax)
	return full - time.Duration(random*float64(full)/2)
}

// forget drops an item that is neither in flight nor wanted any more.
func (q *Queue) forget(it *item) {
	delete(q.items, it.id)
	q.expiry.remove(it)
	it.dest.waiting.remove(it)
}

func (q *Queue) abandon(it *item, effects *Effects) {
	q.forget(it)
	effects.Abandon = append(effects.Abandon, it.id)
}

// expire abandons what has run out of time.
func (q *Queue) expire(now int64, effects *Effects) {
	for q.expiry.len() > 0 && q.expiry.top().notAfter <= now {
		it := q.expiry.top()
		if it.flying {
			q.expiry.remove(it)
			it.expired = true // its answer decides
			continue
		}
		q.abandon(it, effects)
		q.schedule(now, it.dest)
	}
}

// schedule puts a destination where it belongs after a change: out of the map if
// it is empty, into the heap if it could send at some time.
func (q *Queue) schedule(now int64, d *dest) {
	q.due[d.class].remove(d)
	if d.waiting.len() == 0 {
		if d.flying == 0 {
			if d.failures > 0 {
				q.paused--
			}
			delete(q.dests, d.uri)
		}
		return
	}
	if d.full(&q.cfg) {
		return // an answer will bring it back
	}
	q.turns++
	d.at, d.turn = max(now, d.until, d.waiting.top().due), q.turns
	d.class = unproven
	if d.proven {
		d.class = proven
	}
	q.due[d.class].push(d)
}

// dispatch sends what is due, within the caps, destination by destination.
func (q *Queue) dispatch(now int64, effects *Effects) {
	for class := range q.due {
		due := &q.due[class]
		for due.len() > 0 && due.top().at <= now && q.room(class) {
			d := due.top()
			for range q.cfg.Burst {
				if d.full(&q.cfg) || !q.room(class) || d.waiting.len() == 0 || d.waiting.top().due > now {
					break
				}
				q.send(d, effects)
			}
			q.schedule(now, d)
		}
	}
}

// room says whether the cap over all destinations of the class allows one more send.
func (q *Queue) room(class int) bool {
	if class == proven {
		return q.inFlight < q.cfg.Total
	}
	return q.probes < q.cfg.Probes
}

func (q *Queue) send(d *dest, effects *Effects) {
	it := d.waiting.top()
	d.waiting.remove(it)
	it.flying, it.answersAtSend = true, d.answers
	it.attempts++
	d.flying++
	if d.proven {
		q.inFlight++
	} else {
		q.probes++
		it.probe, d.probing = true, true
	}
	effects.Send = append(effects.Send, Send{ID: it.id, Destination: d.uri, Attempt: int(it.attempts)})
}

// setWake names the next time at which something happens by itself. What is due
// already waits for an answer to make room, not for time.
func (q *Queue) setWake(now int64, effects *Effects) {
	next := int64(math.MaxInt64)
	if q.expiry.len() > 0 {
		next = q.expiry.top().notAfter
	}
	for class := range q.due {
		if due := &q.due[class]; due.len() > 0 && due.top().at > now {
			next = min(next, due.top().at)
		}
	}
	effects.Wake = time.Time{}
	if next != math.MaxInt64 {
		effects.Wake = time.Unix(0, next)
	}
}
