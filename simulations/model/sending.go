package model

import (
	"time"

	"communicator/relay/queue"
	"communicator/simulations/script"
	"communicator/simulations/trace"
	"communicator/wire"
)

func (w *world) onSubmitArrives(e *event) {
	at := w.attempts.at(e.obj)
	if at.gen != e.gen || !w.received(e, at) {
		return
	}
	a := &w.agents[e.a]
	switch {
	case a.evil == script.Forge:
		w.reply(e, at, receiptArrives, saidWrong, 0, receiptBytes)
		return
	case at.holding != nothing: // the same bytes again
		w.reply(e, at, receiptArrives, saidYes, 0, receiptBytes)
		return
	case a.full:
		w.reply(e, at, receiptArrives, saidLater, 0, answerBytes)
		return
	}
	w.reply(e, at, receiptArrives, saidYes, w.work(a, submitWork), receiptBytes)
	at.holding = queued
	if a.evil == script.Drop {
		at.lost = true
		w.messages.at(at.message).hostile = true
		return
	}
	w.accept(e.a, e.obj, at)
}

// work occupies an agent for a while and returns how long it takes until what it does then
// is on disk.
func (w *world) work(a *agent, d time.Duration) int64 {
	a.busy = max(a.busy, w.now) + int64(d)
	return a.busy - w.now + int64(commitTime)
}

// accept queues a submission.
func (w *world) accept(i int32, ai uint32, at *attempt) {
	a := &w.agents[i]
	m := w.messages.at(at.message)
	m.refs++
	a.nextID++
	at.id = queue.ID(uint64(a.nextID)<<32 | uint64(ai))
	if at.before, at.after = a.last, 0; a.last != 0 {
		w.attempts.at(a.last).after = ai
	} else {
		a.first = ai
	}
	a.last = ai
	a.queued++
	a.log++
	a.bytes += int64(m.size) + wire.SealedSize
	in := w.added(i, at, m)
	in.Answers = w.answers(i, w.homeOf(at))
	w.step(i, in)
}

// added tells the queue of a submission.
func (w *world) added(i int32, at *attempt, m *message) queue.Input {
	return queue.Input{
		Kind: queue.Add, ID: at.id, Account: accountID(m.from), Destination: w.uri(w.homeOf(at)),
		NotAfter: w.time(at.notAfter), Jitter: w.s.Scenario.Privacy.Jitter.D(),
	}
}

func (w *world) homeOf(at *attempt) int32 { return w.sets.at(at.set).home[at.slot] }

// step folds an input into an agent's queue, and does what it asks for.
func (w *world) step(i int32, in queue.Input) {
	a := &w.agents[i]
	if a.q == nil {
		if in.Kind != queue.Add {
			return
		}
		a.q = w.emptyQueue()
	}
	in.Random = w.decide.Float64()
	w.effects.Reset()
	a.q.Step(w.time(w.now), in, &w.effects)
	for _, send := range w.effects.Send {
		w.put(i, uint32(send.ID), send)
	}
	for _, id := range w.effects.Abandon {
		w.settle(i, uint32(id), answerExpired)
	}
	if w.effects.Wake.IsZero() {
		if a.q.Stat().Items == 0 {
			w.queues = append(w.queues, a.q)
			a.q, a.wakeAt = nil, 0
		}
		return
	}
	if t := max(w.now, int64(w.effects.Wake.Sub(epoch))); (a.wakeAt == 0 || t < a.wakeAt) && t <= w.end {
		a.wakeAt = t
		w.at(t, event{kind: queueWakes, a: i, life: a.life})
	}
}

// emptyQueue takes a queue that another agent has emptied: an empty one remembers nothing
// that decides anything.
func (w *world) emptyQueue() *queue.Queue {
	if n := len(w.queues); n > 0 {
		q := w.queues[n-1]
		w.queues = w.queues[:n-1]
		return q
	}
	return queue.New(queueing)
}

func (w *world) onQueueWakes(e *event) {
	a := &w.agents[e.a]
	if a.life != e.life || a.wakeAt != e.at {
		return
	}
	a.wakeAt = 0
	if a.frozen {
		return // it steps when it thaws
	}
	w.step(e.a, queue.Input{Kind: queue.Tick})
}

// put sends an attempt to its receiving agent.
func (w *world) put(from int32, ai uint32, send queue.Send) {
	at := w.attempts.at(ai)
	m := w.messages.at(at.message)
	to := w.homeOf(at)
	a, b := &w.agents[from], &w.agents[to]
	at.put++
	w.count.puts++
	size := putBytes + wire.SealedSize + int(m.size)
	w.tell(m, trace.Event{Kind: trace.Put, User: trace.None, Peer: trace.None, Agent: from, Other: to,
		Mailbox: w.pseudonym(at.set, at.slot), Size: int32(size)})
	e := event{kind: putArrives, obj: ai, gen: at.gen, a: from, b: to, x: at.put, life: b.life, life2: a.life}
	if !b.up {
		w.putFailsAt(w.now+w.trips(1, a.region, b.region), &e)
		return
	}
	setup, limit := int64(0), int64(openTimeout)
	if !w.deaf(from, to) {
		setup = w.connect(from, to)
		limit = setup + int64(requestTimeout)
		if setup > int64(openTimeout) {
			limit = int64(openTimeout)
		}
	}
	if send.Timeout > 0 {
		limit = min(limit, int64(send.Timeout))
	}
	at.putUntil = w.now + limit
	w.carry(protoDeliver, w.now+setup, from, to, size)
	arrives := w.now + setup + w.leg(a.region, b.region)
	if arrives > at.putUntil {
		w.putFailsAt(at.putUntil, &e)
	}
	w.at(arrives, e)
}

// deaf says whether what one agent sends another has to wait.
func (w *world) deaf(from, to int32) bool {
	return w.agents[to].frozen || w.agents[from].group != w.agents[to].group
}

// putFailsAt has the sending agent give a put up at a time.
func (w *world) putFailsAt(t int64, about *event) {
	f := *about
	f.kind = putFails
	w.at(t, f)
}

// flying finds the attempt that an answer to a put is about, if the agent still waits for
// it.
func (w *world) flying(e *event) *attempt {
	at := w.attempts.at(e.obj)
	a := &w.agents[e.a]
	if at.gen != e.gen || at.put != e.x || at.holding != queued || !a.up || a.life != e.life2 {
		return nil
	}
	if a.frozen {
		w.keep(*e)
		return nil
	}
	if e.kind == putAnswered && a.group != w.agents[e.b].group {
		w.keep(*e)
		w.putFailsAt(max(w.now, at.putUntil), e)
		return nil
	}
	return at
}

func (w *world) onPutFails(e *event) {
	at := w.flying(e)
	if at == nil {
		return
	}
	at.put++ // an answer that comes later is about nothing
	delete(w.links, linkKey(e.a, e.b))
	w.refused(at, e)
	w.step(e.a, queue.Input{Kind: queue.Failed, ID: at.id})
}

func (w *world) refused(at *attempt, e *event) {
	w.tell(w.messages.at(at.message), trace.Event{Kind: trace.Refused, User: trace.None, Peer: trace.None, Agent: e.a, Other: e.b})
}

func (w *world) onPutAnswered(e *event) {
	at := w.flying(e)
	if at == nil {
		return
	}
	w.answered(e.a, e.b)
	switch e.y {
	case answerLater, answerBusy:
		after := retryStorage
		if e.y == answerBusy {
			after = retryOverload
		}
		w.refused(at, e)
		w.step(e.a, queue.Input{Kind: queue.Deferred, ID: at.id, RetryAfter: after})
		return
	}
	id := at.id
	if e.y == answerFull {
		at.retry = int64(quotas.FullRetry)
	}
	w.settle(e.a, e.obj, e.y)
	w.step(e.a, queue.Input{Kind: queue.Settled, ID: id})
}

// settle ends a submission at its sending agent, and tells the client if it waits.
func (w *world) settle(i int32, ai uint32, answer uint8) {
	at := w.attempts.at(ai)
	a := &w.agents[i]
	m := w.messages.at(at.message)
	at.holding, at.answer = settled, answer
	if at.before != 0 {
		w.attempts.at(at.before).after = at.after
	} else {
		a.first = at.after
	}
	if at.after != 0 {
		w.attempts.at(at.after).before = at.before
	} else {
		a.last = at.before
	}
	a.queued--
	a.outcome++
	a.log++
	a.bytes += outcomeBytes - int64(m.size) - wire.SealedSize
	if at.waiting {
		at.waiting = false
		e := event{obj: ai, gen: at.gen, a: i, b: m.from, x: at.ask, life: a.life, life2: w.users[m.from].life}
		w.reply(&e, at, outcomeArrives, 1, int64(commitTime), stateBytes+wire.OutcomeSize)
	}
	w.unref(at.message)
}

func (w *world) onPollArrives(e *event) {
	at := w.attempts.at(e.obj)
	if at.gen != e.gen || !w.received(e, at) {
		return
	}
	switch {
	case at.holding == settled:
		w.reply(e, at, outcomeArrives, 1, 0, stateBytes+wire.OutcomeSize)
	case at.tries > 0:
		w.reply(e, at, outcomeArrives, 0, 0, stateBytes)
	default:
		at.waiting = true
		end := *e
		end.kind = waitEnds
		w.at(w.now+int64(outcomeWait), end)
	}
}

func (w *world) onWaitEnds(e *event) {
	at := w.attempts.at(e.obj)
	if at.gen != e.gen || at.ask != e.x || !at.waiting {
		return
	}
	at.waiting = false
	if !w.received(e, at) {
		return
	}
	w.reply(e, at, outcomeArrives, 0, 0, stateBytes)
}
