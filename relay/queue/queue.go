package queue

import (
	"math"
	"time"

	"communicator/wire"
)

// ID names one submission, in the order in which they were accepted.
type ID uint64

// Kind is what happened.
type Kind uint8

// Kinds of input, with the fields of [Input] that they use.
const (
	// Tick: the time that [Effects.Wake] named has come. Harmless at any time.
	Tick Kind = iota
	// Add: a submission was accepted, or found at start: ID, Account, Destination,
	// Answers, NotAfter, Jitter, Random. A known ID changes nothing.
	Add
	// Settled: the receiving agent took it, or refused it for good, and that is
	// stored: ID.
	Settled
	// Deferred: the receiving agent answered that it takes nothing now: ID,
	// RetryAfter, Random.
	Deferred
	// Refused: the receiving agent did not take this one, but answers, and may take
	// it later: ID, Random.
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
	Account     wire.AccountID // whose probes are counted together
	Destination string
	Answers     bool // it answered lately: unless it is known here, it counts as proven
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
	// Timeout is how long all of it may take, connecting included, before it has
	// [Failed]; zero: as long as with any agent that answers.
	Timeout time.Duration
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
	cfg Config
	// For look-up only, never iterated.
	items    map[ID]*item
	dests    map[string]*dest
	accounts map[wire.AccountID]*account
	lanes    map[laneKey]*lane

	expiry heap[*item, byExpiry]
	due    heap[*dest, byDue]         // proven destinations that could send, by when
	line   [kinds]heap[*side, bySide] // accounts that could probe, by when

	turns    uint64     // breaks ties
	inFlight int        // sends to proven destinations
	probes   [kinds]int // sends to unproven ones
	paused   int        // destinations with failures > 0
}

// New returns an empty queue.
func New(cfg Config) *Queue {
	return &Queue{
		cfg: cfg.withDefaults(), items: make(map[ID]*item), dests: make(map[string]*dest),
		accounts: make(map[wire.AccountID]*account), lanes: make(map[laneKey]*lane),
	}
}

// Stat counts.
func (q *Queue) Stat() Stat {
	probes := q.probes[fresh] + q.probes[failed]
	return Stat{len(q.items), q.inFlight + probes, probes, len(q.dests), q.paused}
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
	it := &item{
		id: in.ID, lane: q.lane(in), notAfter: in.NotAfter.UnixNano(),
		waitPos: absent, expiryPos: absent,
	}
	it.due = now + q.jitter(in.Jitter, time.Duration(it.notAfter-now), in.Random)
	it.lane.account.items++
	q.items[in.ID] = it
	q.expiry.push(it)
	q.put(it)
	q.schedule(now, it.lane)
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
	d := it.lane.dest
	q.land(now, it)
	switch in.Kind {
	case Settled:
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
	if it.expired && in.Kind != Settled {
		q.abandon(it, effects)
	}
	q.schedule(now, it.lane)
}

// land gives the send's place back.
func (q *Queue) land(now int64, it *item) {
	it.flying = false
	it.lane.flying--
	it.lane.dest.flying--
	if it.probes == nil {
		q.inFlight--
		it.lane.account.flying--
		q.unpark(now, it.lane.account)
		return
	}
	it.lane.dest.probing = false
	q.returnProbe(now, it.probes)
	it.probes = nil
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
		d.since = now
	}
	d.failures++
	d.proven = false
	wait := q.backoff(d.failures, q.longest(time.Duration(now-d.since)), in.Random)
	d.until = now + int64(max(wait, min(in.RetryAfter, q.cfg.BackoffMax)))
}

// again has an item wait for its own backoff.
func (q *Queue) again(now int64, it *item, random float64) {
	it.failures++
	q.wait(it, now+int64(q.backoff(int(it.failures), q.cfg.BackoffMax, random)))
}

func (q *Queue) wait(it *item, due int64) {
	it.due = due
	q.put(it)
}

// longest is the longest pause of a destination that has failed for so long: a share of
// that time, so that a short outage is not followed by a long wait.
func (q *Queue) longest(failing time.Duration) time.Duration {
	return min(q.cfg.BackoffMax, max(shortOutage, failing/outageShare))
}

// backoff doubles from the least to the greatest pause; the random part keeps
// those who failed together from coming back together.
func (q *Queue) backoff(failures int, longest time.Duration, random float64) time.Duration {
	full := 2 * q.cfg.BackoffMin // so that the shortest is not below the minimum
	for range failures - 1 {
		if full *= 2; full >= longest {
			break
		}
	}
	full = min(full, longest)
	return full - time.Duration(random*float64(full)/2)
}

// forget drops an item that is neither in flight nor wanted any more.
func (q *Queue) forget(it *item) {
	delete(q.items, it.id)
	q.expiry.remove(it)
	q.pull(it)
	it.lane.account.items--
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
		q.schedule(now, it.lane)
	}
}

// dispatch sends what is due within the caps: account by account to the unproven,
// destination by destination to the proven.
func (q *Queue) dispatch(now int64, effects *Effects) {
	for kind := range q.line {
		line := &q.line[kind]
		for line.len() > 0 && line.top().at <= now && q.roomToProbe(kind) {
			q.probe(now, line.top(), effects)
		}
	}
	for q.due.len() > 0 && q.due.top().at <= now && q.inFlight < q.cfg.Total {
		q.burst(now, q.due.top(), effects)
	}
}

// probe sends the first message in line to its destination, alone.
func (q *Queue) probe(now int64, s *side, effects *Effects) {
	it := s.lanes.top().waiting.top()
	d := it.lane.dest
	q.launch(it, effects, q.patience(d))
	it.probes, d.probing = s, true
	q.takeProbe(now, s)
	q.schedule(now, it.lane)
}

// burst sends a destination's share of this turn.
func (q *Queue) burst(now int64, d *dest, effects *Effects) {
	for sent := 0; sent < q.cfg.Burst; {
		if d.flying >= q.cfg.PerDestination || q.inFlight >= q.cfg.Total || d.lanes.len() == 0 || d.next().due > now {
			break
		}
		it := d.next()
		if it.lane.account.flying >= q.cfg.PerAccount {
			q.park(it.lane)
			continue
		}
		q.launch(it, effects, 0)
		q.inFlight++
		it.lane.account.flying++
		sent++
	}
	q.due.remove(d) // to the end of the line
	q.offer(now, d)
}

// launch takes an item from those that wait.
func (q *Queue) launch(it *item, effects *Effects, timeout time.Duration) {
	d := it.lane.dest
	q.pull(it)
	it.flying, it.answersAtSend = true, d.answers
	it.attempts++
	it.lane.flying++
	d.flying++
	effects.Send = append(effects.Send, Send{ID: it.id, Destination: d.uri, Attempt: int(it.attempts), Timeout: timeout})
}

// setWake names the next time at which something happens by itself. What is due
// already waits for an answer to make room, not for time.
func (q *Queue) setWake(now int64, effects *Effects) {
	next := int64(math.MaxInt64)
	if q.expiry.len() > 0 {
		next = q.expiry.top().notAfter
	}
	if q.due.len() > 0 && q.due.top().at > now {
		next = min(next, q.due.top().at)
	}
	for kind := range q.line {
		if line := &q.line[kind]; line.len() > 0 && line.top().at > now {
			next = min(next, line.top().at)
		}
	}
	effects.Wake = time.Time{}
	if next != math.MaxInt64 {
		effects.Wake = time.Unix(0, next)
	}
}
