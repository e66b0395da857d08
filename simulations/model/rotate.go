package model

import (
	"time"

	"communicator/client/route"
	"communicator/mailbox/admit"
	"communicator/particle"
	"communicator/simulations/trace"
	"communicator/wire"
)

// meet gives a side its first addresses, which both have known for a while: a run begins
// in the middle of a relationship.
func (w *world) meet(si uint32) {
	s := &w.sides[si]
	if s.current != 0 {
		return
	}
	set := w.newSet(si, route.Homes{}, w.now-int64(mix(w.s.Scenario.Seed^uint64(si))%uint64(rotateAge)))
	s.current, s.applied, s.number, s.acked, s.open = set, set, 1, 1, 1
	w.ages(set)
	w.sides[peer(si)].gave = 1
}

// newSet chooses homes for a side's addresses.
func (w *world) newSet(si uint32, now route.Homes, created int64) uint32 {
	user := w.owner(si)
	h := route.Choose(w.usable(user), now, w.decide)
	i, set := w.sets.new()
	*set = addressSet{owner: si, home: [homes]int32{-1, -1, -1}, created: created}
	for slot, id := range h.Normal {
		set.home[slot] = agentOf(id)
	}
	if h.Lifeline != nil {
		set.home[lifeline] = agentOf(*h.Lifeline)
	}
	return i
}

// ages has a set replaced before it expires.
func (w *world) ages(set uint32) {
	if t := w.sets.at(set).created + int64(addressLife-particle.RotateBeforeExpiry); t <= w.end {
		w.at(t, event{kind: setAges, obj: set})
	}
}

// onSetAges replaces addresses that near their end, without waiting for a message.
func (w *world) onSetAges(e *event) {
	set := w.sets.at(e.obj)
	if si := set.owner; w.sides[si].current == e.obj && set.home[0] >= 0 {
		w.sides[si].suspect = true
		w.count.automatic++
		w.enqueue(w.owner(si), si, 0, noNumber)
		w.advance(si)
	}
}

// usable lists a user's receiving agents at which new mailboxes may be made, in order.
func (w *world) usable(user int32) []wire.AgentID {
	u := &w.users[user]
	var out []wire.AgentID
	for i, a := range u.receive {
		if a >= 0 && u.left&(1<<(4+i)) == 0 {
			out = append(out, agentID(a))
		}
	}
	sortIDs(out)
	return out
}

// homesOf is where a set's mailboxes lie, as route knows it.
func (w *world) homesOf(set uint32) (h route.Homes) {
	s := w.sets.at(set)
	for _, a := range s.home[:lifeline] {
		if a >= 0 {
			h.Normal = append(h.Normal, agentID(a))
		}
	}
	if a := s.home[lifeline]; a >= 0 {
		id := agentID(a)
		h.Lifeline = &id
	}
	return h
}

// rotateIfDue makes a new set for the peer with the message that is being written, as the
// client does: after a day, after so many messages, or because an agent is being left.
func (w *world) rotateIfDue(si uint32) {
	w.meet(si)
	w.meet(peer(si))
	s := &w.sides[si]
	if s.open >= maxOpenSets {
		return
	}
	set := w.sets.at(s.current)
	most := rotatePuts
	if n := w.s.Scenario.Privacy.RotateEvery; n > 0 {
		most = n
	}
	used := int(s.puts) >= most || w.now-set.created >= int64(rotateAge)
	if !s.suspect && (s.acked < s.number || !used) {
		return
	}
	w.rotate(si)
}

// rotate makes a new set and offers it.
func (w *world) rotate(si uint32) {
	s := &w.sides[si]
	old := s.current
	user := w.owner(si)
	next := w.newSet(si, w.homesOf(old), w.now)
	set := w.sets.at(next)
	if set.home[0] < 0 {
		w.sets.release(next)
		return // no agent is left that could receive
	}
	s.number++
	set.number, set.older = s.number, old
	s.current, s.puts, s.suspect = next, 0, false
	w.ages(next)
	s.open++
	if last := w.sets.at(old); set.home[lifeline] >= 0 && set.home[lifeline] == last.home[lifeline] {
		set.box[lifeline] = w.box(old, lifeline) // a lifeline stays
	}
	for slot, a := range set.home {
		if a < 0 {
			continue
		}
		w.carry(protoMailbox, w.now, trace.UserMachine(user), a, createBytes)
		w.rec.Event(trace.Event{At: time.Duration(w.now), Kind: trace.Rotated, User: user, Peer: w.owner(peer(si)),
			Agent: trace.None, Other: a, Mailbox: w.pseudonym(next, uint8(slot))})
	}
}

// learn takes in what a message says beside its text: addresses, and that ours arrived.
func (w *world) learn(m *message, bx *box) {
	mine, theirs := &w.sides[peer(m.side)], &w.sides[m.side]
	mine.since++
	if set := w.sets.at(bx.set); bx.set == mine.current && mine.acked >= set.number {
		mine.puts++
	}
	if m.acks > mine.acked {
		mine.acked = m.acks
		w.replaced(peer(m.side))
	}
	if m.offers != 0 && w.sets.at(m.offers).number > mine.gave {
		mine.gave = w.sets.at(m.offers).number
		theirs.applied = m.offers
		mine.due = true
	}
	if (mine.due || mine.since >= answerAfter) && !mine.timed {
		mine.timed, mine.due = true, true
		delay := int64(w.decide.ExpFloat64() * float64(answerDelay))
		w.at(w.now+delay, event{kind: answerDue, obj: peer(m.side)})
	}
}

// onAnswerDue sends an empty message unless something else was sent meanwhile.
func (w *world) onAnswerDue(e *event) {
	s := &w.sides[e.obj]
	s.timed = false
	if !s.due {
		return
	}
	w.count.automatic++
	w.enqueue(w.owner(e.obj), e.obj, 0, noNumber)
	w.advance(e.obj)
}

// replaced follows the peer's acknowledgement of a side's set: older ones close in a week.
func (w *world) replaced(si uint32) {
	set := w.sets.at(w.sides[si].current).older
	for ; set != 0; set = w.sets.at(set).older {
		s := w.sets.at(set)
		if s.owner != si || s.number >= w.sides[si].acked || s.closing {
			continue
		}
		s.closing = true
		if t := w.now + int64(closeAfter); t <= w.end {
			w.at(t, event{kind: setCloses, obj: set})
		}
	}
}

// onSetCloses closes the mailboxes of a set that was replaced long enough ago.
func (w *world) onSetCloses(e *event) {
	set := w.sets.at(e.obj)
	s := &w.sides[set.owner]
	s.open--
	for slot := range set.home {
		if set.home[slot] < 0 || slot == lifeline {
			continue
		}
		bx := w.boxes.at(w.box(e.obj, uint8(slot)))
		if fact, _ := admit.Revoke(&bx.row, mailboxID(e.obj, uint8(slot)), admit.Closed, false); fact != nil {
			bx.row.Mode = fact.Mode
			w.agents[set.home[slot]].log++
		}
	}
}
