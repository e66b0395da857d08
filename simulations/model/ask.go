package model

import (
	"slices"
	"time"

	"communicator/client/route"
	"communicator/simulations/script"
	"communicator/simulations/trace"
	"communicator/wire"
)

// What an agent answers to a submission.
const (
	saidYes   uint8 = iota
	saidLater       // its disk is full
	saidWrong       // a receipt that does not verify
)

// slots is how many connections a user's client has open at once.
func (w *world) slots(user int32) int {
	if n := w.s.Scenario.Privacy.Connections; n > 0 {
		return n
	}
	return w.groups(user) + spareConnections
}

// crowded says whether mailboxes are watched on every connection that a user may have open:
// then a request dials, if not to where its relationship's mailboxes are watched.
func (w *world) crowded(user int32) bool { return w.groups(user) >= w.slots(user) }

// groups is how many connections a user's watches would need: one for each relationship at
// each agent.
func (w *world) groups(user int32) int {
	return len(w.s.Users[user].Contacts) * w.homes()
}

// homes is at how many agents a relationship's mailboxes are.
func (w *world) homes() int { return min(homes, w.s.Scenario.Privacy.ReceivingAgents) }

// approach makes ready for a request of a client to a sending agent. It returns how long
// that takes, or that nobody answers there.
func (w *world) approach(m *message, agent int32) (setup int64, ok bool) {
	u, a, s := &w.users[m.from], &w.agents[agent], &w.sides[m.side]
	if !a.up {
		return w.trips(1, u.region, a.region), false
	}
	if s.uses != u.life {
		s.conns, s.uses = [script.MaxAgents]uint32{}, u.life
	}
	if c := w.conn(s, u, agent); c != nil && *c == a.life && !w.crowded(m.from) && !w.silent(agent) {
		return 0, true
	}
	trips := negotiateTrips + helloTrips
	if !w.watches(m, agent) {
		trips += dialTrips
		w.dial(trace.UserMachine(m.from), agent, 0)
	}
	setup = w.trips(trips, u.region, a.region)
	w.greet(protoSubmit, w.now+setup, m.from, agent)
	return setup, true
}

// greet counts what a client's new stream and the hello on it carry.
func (w *world) greet(p protocol, at int64, user, agent int32) {
	w.stream(at, trace.UserMachine(user), agent)
	w.carry(p, at, trace.UserMachine(user), agent, helloBytes)
	w.carry(p, at, agent, trace.UserMachine(user), shortBytes)
}

// watches says whether the connection to a sending agent is open because mailboxes of the
// same relationship are watched over it.
func (w *world) watches(m *message, agent int32) bool {
	set := w.sets.at(w.sides[m.side].current)
	slot := slices.Index(set.home[:], agent)
	if slot < 0 || w.deafTo(m.from, agent) {
		return false
	}
	_, open := w.turn(m.from, m.side, agent, uint8(slot))
	return open
}

// conn is the connection of a relationship at a sending agent: the life of the agent that
// it leads to. Nil for an agent that the user has left.
func (w *world) conn(s *side, u *user, agent int32) *uint32 {
	if i := slices.Index(u.sending[:], agent); i >= 0 {
		return &s.conns[i]
	}
	return nil
}

// silent says whether connections to an agent have died of silence by now.
func (w *world) silent(agent int32) bool {
	a := &w.agents[agent]
	return a.cutFrom > a.cutTo && w.now-a.cutFrom > int64(breakAfter)
}

// ask sends a request of a client about an attempt to its sending agent.
func (w *world) ask(ai uint32, k kind, size int, wait int64) {
	at := w.attempts.at(ai)
	m := w.messages.at(at.message)
	at.ask++
	at.asking = true
	w.sides[m.side].flying++
	e := event{kind: k, obj: ai, gen: at.gen, a: at.sender, b: m.from, x: at.ask,
		life: w.agents[at.sender].life, life2: w.users[m.from].life}
	setup, ok := w.approach(m, at.sender)
	if !ok {
		w.askFailsAt(w.now+setup, at, &e)
		return
	}
	at.until = w.now + setup + int64(callTimeout) + wait
	if setup > int64(dialTimeout) || setup > 0 && w.deafTo(m.from, at.sender) {
		at.until = w.now + int64(dialTimeout)
	}
	w.carry(protoSubmit, w.now+setup, trace.UserMachine(m.from), at.sender, size)
	arrives := w.now + setup + w.leg(w.users[m.from].region, w.agents[at.sender].region)
	if arrives > at.until {
		w.askFailsAt(at.until, at, &e)
	}
	w.at(arrives, e)
}

// askFailsAt has the client give a request up at a time.
func (w *world) askFailsAt(t int64, at *attempt, about *event) {
	at.until = t
	f := *about
	f.kind, f.y = askFails, 1
	w.at(t, f)
}

// submit hands an attempt to its sending agent.
func (w *world) submit(ai uint32) {
	size := int(w.messages.at(w.attempts.at(ai).message).size)
	w.ask(ai, submitArrives, submitBytes+wire.SealedSize+size, 0)
}

// poll asks for an attempt's outcome. What is fresh, the agent waits for.
func (w *world) poll(ai uint32) {
	wait := int64(0)
	if w.attempts.at(ai).tries == 0 {
		wait = int64(outcomeWait)
	}
	w.ask(ai, pollArrives, fetchBytes, wait)
}

// received says whether a request reaches its agent now: it is up and has not stopped since
// the connection was opened. What waits for a partition or a frozen agent is held.
func (w *world) received(e *event, at *attempt) bool {
	a := &w.agents[e.a]
	if w.deafTo(e.b, e.a) && a.up {
		w.keep(*e)
		w.askFailsAt(max(w.now, at.until), at, e)
		return false
	}
	if !a.up || a.life != e.life {
		w.askFailsAt(w.now+w.leg(a.region, w.users[e.b].region), at, e)
		return false
	}
	return true
}

// reply sends an answer to a client, after a time that the agent takes for it.
func (w *world) reply(e *event, at *attempt, k kind, y uint8, after int64, size int) {
	a := &w.agents[e.a]
	if a.evil == script.Delay {
		after += int64(w.s.Scenario.Adversary.Hostile.Delay)
	}
	w.carry(protoSubmit, w.now+after, e.a, trace.UserMachine(e.b), size)
	r := *e
	r.kind, r.y = k, y
	t := w.now + after + w.leg(a.region, w.users[e.b].region)
	if t > at.until {
		w.askFailsAt(max(w.now, at.until), at, e)
		return
	}
	w.at(t, r)
}

// mine finds the attempt that an answer to a client is about, if it still waits for it.
func (w *world) mine(e *event) *attempt {
	at := w.attempts.at(e.obj)
	u := &w.users[e.b]
	if at.gen != e.gen || at.ask != e.x || !at.asking || !u.on || u.life != e.life2 {
		return nil
	}
	if e.kind != askFails && w.apart(e.b, e.a) {
		w.keep(*e)
		w.askFailsAt(max(w.now, at.until), at, e)
		return nil
	}
	return at
}

func (w *world) onReceiptArrives(e *event) {
	at := w.mine(e)
	if at == nil {
		return
	}
	m := w.messages.at(at.message)
	if e.y != saidYes {
		w.again(at, false)
		if e.y == saidLater {
			at.nextTry = max(at.nextTry, w.now+int64(retryStorage))
		}
		w.landed(at)
		return
	}
	w.heard(e, m)
	at.state, at.tries, at.nextTry = uint8(route.Submitted), 0, w.now
	if !m.accepted {
		m.accepted = true
		w.tell(m, trace.Event{Kind: trace.Accepted, User: m.from, Peer: trace.None, Agent: at.sender, Other: trace.None})
	}
	w.landed(at)
}

// again schedules the next try, after one that brought nothing.
func (w *world) again(at *attempt, unreachable bool) {
	pause := policy.Backoff(uint64(at.tries), w.decide)
	if unreachable {
		pause = policy.Reconnect(uint64(at.tries), time.Duration(w.now-at.created), w.decide)
	}
	at.tries++
	at.nextTry = w.now + int64(pause)
}

// heard notes that a sending agent answered.
func (w *world) heard(e *event, m *message) {
	w.trouble(troubleKey{m.from, e.a, false}, false)
	s, u := &w.sides[m.side], &w.users[m.from]
	if c := w.conn(s, u, e.a); c != nil && s.uses == u.life {
		*c = e.life
	}
}

func (w *world) onAskFails(e *event) {
	at := w.mine(e)
	if at == nil {
		return
	}
	m := w.messages.at(at.message)
	w.trouble(troubleKey{m.from, at.sender, false}, true)
	if c := w.conn(&w.sides[m.side], &w.users[m.from], at.sender); c != nil {
		*c = 0
	}
	w.again(at, true)
	w.landed(at)
}

func (w *world) onOutcomeArrives(e *event) {
	at := w.mine(e)
	if at == nil {
		return
	}
	m := w.messages.at(at.message)
	w.heard(e, m)
	if e.y == 0 {
		w.again(at, false)
		w.landed(at)
		return
	}
	w.acknowledgeOutcome(e, at)
	at.state = uint8(route.Over)
	home := w.sets.at(at.set).home[at.slot]
	switch at.answer {
	case answerStored:
		at.result = uint8(route.Stored)
	case answerClosed:
		at.result = uint8(route.Closed)
	case answerFull:
		at.result = uint8(route.Full)
		at.retryAt = w.now + max(at.retry, int64(minFullPause))
	case answerExpired:
		at.result = uint8(route.Lost)
	default:
		at.result = uint8(route.Refused)
	}
	if at.answer == answerStored || at.answer == answerClosed || at.answer == answerFull {
		w.trouble(troubleKey{m.from, home, true}, false)
	}
	w.landed(at)
}

// acknowledgeOutcome lets the agent forget what it told.
func (w *world) acknowledgeOutcome(e *event, at *attempt) {
	w.carry(protoSubmit, w.now, trace.UserMachine(e.b), e.a, ackBytes)
	w.carry(protoSubmit, w.now, e.a, trace.UserMachine(e.b), shortBytes)
	a := &w.agents[e.a]
	if at.holding == settled {
		at.holding = nothing
		a.outcome--
		a.log++
		a.bytes -= outcomeBytes
	}
}
