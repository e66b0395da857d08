package model

import (
	"time"

	"communicator/client/route"
	"communicator/particle"
	"communicator/simulations/script"
	"communicator/simulations/trace"
	"communicator/wire"
)

// viewScratch is what a decision is shown, kept from one to the next.
type viewScratch struct {
	view     route.View
	attempts []uint32       // by place in view.Attempts
	address  []addressOfSet // by place in view.Addresses
}

type addressOfSet struct {
	set  uint32
	slot uint8
}

// payloadSize is what a put carries of a text.
func payloadSize(text int32, padded bool) int32 {
	n := particle.BareSize(int(text))
	if padded {
		if size, err := particle.PaddedSize(int(text)); err == nil {
			n = size
		}
	}
	return int32(n + wire.WrapOverhead)
}

// write has a user write a message.
func (w *world) write(m script.Send) {
	w.count.sent++
	mi := w.enqueue(m.From, w.sideOf(m.Relation, m.From), m.Size, m.Number)
	w.stir(w.sideOf(m.Relation, m.From))
	w.rec.Event(trace.Event{At: time.Duration(w.now), Kind: trace.Sent, Message: m.Number,
		User: m.From, Peer: m.To, Agent: trace.None, Other: trace.None, Size: m.Size})
	w.advance(w.messages.at(mi).side)
}

// enqueue puts a message into a user's outbox. It takes new addresses along if that is due.
func (w *world) enqueue(from int32, si uint32, text int32, number uint32) uint32 {
	s := &w.sides[si]
	w.rotateIfDue(si)
	mi, m := w.messages.new()
	gen := m.gen
	*m = message{gen: gen, number: number, from: from, to: w.owner(peer(si)), side: si,
		size: w.sizeOf(text), refs: 1, sent: w.now, open: true}
	if s.acked < s.number {
		m.offers = s.current
	}
	m.acks = s.gave
	s.since, s.due = 0, false
	u := &w.users[from]
	if m.prev = u.newest; m.prev != 0 {
		w.messages.at(m.prev).next = mi
	} else {
		u.outbox = mi
	}
	u.newest = mi
	return mi
}

// leave takes a message out of its sender's outbox. The caller must not use it afterwards.
func (w *world) leave(mi uint32) {
	m := w.messages.at(mi)
	if !m.open {
		return
	}
	m.open = false
	if m.prev != 0 {
		w.messages.at(m.prev).next = m.next
	} else {
		w.users[m.from].outbox = m.next
	}
	if m.next != 0 {
		w.messages.at(m.next).prev = m.prev
	} else {
		w.users[m.from].newest = m.prev
	}
	w.unref(mi)
}

// advance carries a contact's outbox on, as far as it goes now: it asks route what to do
// with each message. While requests of a pass are under way the next one waits for them.
func (w *world) advance(si uint32) {
	u := &w.users[w.owner(si)]
	if w.sides[si].flying > 0 || !u.on {
		return
	}
	n := 0
	for mi := u.outbox; mi != 0 && n < outboxBatch; {
		m := w.messages.at(mi)
		next := m.next
		if m.side == si {
			n++
			for range decideRounds {
				if !w.decideOne(mi, m) {
					break
				}
			}
		}
		mi = next
	}
}

// landed notes that a request of a pass has come to its end.
func (w *world) landed(at *attempt) {
	at.asking = false
	si := w.messages.at(at.message).side
	if w.sides[si].flying--; w.sides[si].flying == 0 {
		w.advance(si)
	}
}

// decideOne says whether there is reason to look at a message again at once.
func (w *world) decideOne(mi uint32, m *message) bool {
	w.look(m)
	d := route.Next(w.view.view, policy, w.decide)
	for _, id := range d.Lagging {
		w.trouble(troubleKey{m.from, agentOf(id), true}, true)
	}
	switch d.Verdict {
	case route.Done:
		w.leave(mi)
		return false
	case route.Expire, route.Fail:
		kind := trace.Expired
		if d.Verdict == route.Fail {
			kind = trace.Failed
		}
		w.tell(m, trace.Event{Kind: kind, User: m.from, Peer: m.to, Agent: trace.None, Other: trace.None})
		m.told = true
		w.leave(mi)
		return false
	}
	for _, id := range d.Submit {
		w.submit(w.view.attempts[id])
	}
	for _, id := range d.Poll {
		w.poll(w.view.attempts[id])
	}
	if d.Fresh != nil {
		w.newAttempt(mi, m, int32(d.Fresh.Sender), w.view.address[d.Fresh.Address])
		return true
	}
	w.wakeMessage(mi, m, int64(d.Wake.Sub(epoch)))
	return false
}

// wakeMessage has a message looked at at a time. A timer that is pending for an earlier
// time is used, and finds then that it is too early.
func (w *world) wakeMessage(mi uint32, m *message, t int64) {
	m.wake = t
	if m.timer != 0 && m.timer <= t || t > w.end {
		return
	}
	m.timer = t
	w.at(t, event{kind: messageWakes, obj: mi, gen: m.gen})
}

func (w *world) onMessageWakes(e *event) {
	m := w.messages.at(e.obj)
	if m.gen != e.gen || m.timer != e.at {
		return
	}
	m.timer = 0
	if m.wake > w.now {
		w.wakeMessage(e.obj, m, m.wake)
		return
	}
	w.advance(m.side)
}

// look fills in the view of a message. Attempts with a request under way are left for it:
// their next try lies behind it.
func (w *world) look(m *message) {
	v := &w.view
	v.attempts, v.address = v.attempts[:0], v.address[:0]
	v.view = route.View{
		Now: w.time(w.now), NotAfter: w.time(m.sent).Add(messageLife),
		Attempts: v.view.Attempts[:0], Addresses: v.view.Addresses[:0], Senders: v.view.Senders[:0],
	}
	for ai := m.attempts; ai != 0; {
		a := w.attempts.at(ai)
		next := a.nextTry
		if a.asking {
			next = a.until + 1
		}
		set := w.sets.at(a.set)
		out := route.Attempt{
			ID: int64(len(v.attempts)), Sender: int64(a.sender), State: route.State(a.state), Result: route.Result(a.result),
			To:      route.Place{Agent: agentID(set.home[a.slot]), Mailbox: mailboxID(a.set, a.slot)},
			Created: w.time(a.created), NextTry: w.time(next), Tries: uint64(a.tries), Jitter: w.s.Scenario.Privacy.Jitter.D(),
		}
		if a.retryAt != 0 {
			out.RetryAt = w.time(a.retryAt)
		}
		v.view.Attempts = append(v.view.Attempts, out)
		v.attempts = append(v.attempts, ai)
		ai = a.next
	}
	u := &w.users[m.from]
	for i, agent := range u.sending {
		if agent >= 0 && u.left&(1<<i) == 0 {
			v.view.Senders = append(v.view.Senders, route.Sender{ID: int64(agent), Agent: agentID(agent), Trouble: w.inTrouble(troubleKey{m.from, agent, false}) || w.missed(m.from, agent)})
		}
	}
	w.lookAtAddresses(m)
}

// lookAtAddresses lists the peer's addresses as the sender knows them: the newest set's,
// older ones', lifelines.
func (w *world) lookAtAddresses(m *message) {
	v := &w.view
	theirs := peer(m.side)
	w.meet(theirs)
	for _, last := range []bool{false, true} {
		n := 0
		for si := w.sides[theirs].applied; si != 0 && n < maxSets; n++ {
			set := w.sets.at(si)
			for slot, home := range set.home {
				if home < 0 || (slot == lifeline) != last || last && w.listed(set, v.address) {
					continue
				}
				life := addressLife
				if last {
					life = wire.LifelineLife
				}
				v.view.Addresses = append(v.view.Addresses, route.Address{
					Place:    route.Place{Agent: agentID(home), Mailbox: mailboxID(si, uint8(slot))},
					Lifeline: last, Expires: w.time(set.created).Add(life), Trouble: w.inTrouble(troubleKey{m.from, home, true}),
				})
				v.address = append(v.address, addressOfSet{si, uint8(slot)})
			}
			si = set.older
		}
	}
}

// listed says whether a set's lifeline is in the list already, with a newer set.
func (w *world) listed(set *addressSet, before []addressOfSet) bool {
	for _, l := range before {
		if l.slot == lifeline && set.box[lifeline] != 0 && w.sets.at(l.set).box[lifeline] == set.box[lifeline] {
			return true
		}
	}
	return false
}

// trouble puts an agent after the others for a user, or takes it back.
func (w *world) trouble(k troubleKey, on bool) {
	u := &w.users[k.user]
	switch {
	case on:
		u.troubled = true
		w.troubled[k] = w.now + int64(policy.TroubleFor)
	case u.troubled:
		delete(w.troubled, k)
	}
}

func (w *world) inTrouble(k troubleKey) bool {
	return w.users[k.user].troubled && w.now < w.troubled[k]
}

// newAttempt makes an attempt. The next look submits it.
func (w *world) newAttempt(mi uint32, m *message, sender int32, to addressOfSet) {
	w.count.attempts++
	ai, a := w.attempts.new()
	gen := a.gen
	notAfter := w.time(m.sent).Add(messageLife).Truncate(time.Hour)
	*a = attempt{gen: gen, message: mi, set: to.set, slot: to.slot, sender: sender,
		created: w.now, nextTry: w.now, notAfter: int64(notAfter.Sub(epoch))}
	if m.attempts == 0 {
		m.attempts = ai
	} else {
		w.attempts.at(m.newest).next = ai
	}
	m.newest = ai
}
