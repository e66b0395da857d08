package model

import (
	"encoding/binary"
	"time"

	"communicator/mailbox/admit"
	"communicator/simulations/script"
	"communicator/simulations/trace"
	"communicator/wire"
)

func (w *world) onPutArrives(e *event) {
	at := w.attempts.at(e.obj)
	if at.gen != e.gen {
		return
	}
	b := &w.agents[e.b]
	if b.up && w.deaf(e.a, e.b) {
		w.keep(*e)
		w.putFailsAt(max(w.now, at.putUntil), e)
		return
	}
	if !b.up || b.life != e.life {
		w.putFailsAt(w.now+w.leg(b.region, w.agents[e.a].region), e)
		return
	}
	b.puts++
	m := w.messages.at(at.message)
	switch {
	case b.evil == script.Forge:
		w.answer(e, at, answerGarbage, int64(commitTime))
	case b.evil == script.Drop:
		m.hostile = true
		w.answer(e, at, answerStored, int64(commitTime))
	case b.full:
		w.answer(e, at, answerLater, 0)
	case b.busy-w.now > int64(maxBusy):
		w.answer(e, at, answerBusy, 0)
	default:
		w.admit(e, at, m, b)
	}
}

// admit decides a put and keeps what it brings.
func (w *world) admit(e *event, at *attempt, m *message, b *agent) {
	after := w.work(b, putWork)
	bi := w.box(at.set, at.slot)
	bx := w.boxes.at(bi)
	put := admit.Put{Mailbox: mailboxID(at.set, at.slot), NotAfter: admit.HourAt(w.time(at.notAfter)), Size: int(m.size)}
	binary.BigEndian.PutUint32(put.Replay[:], e.obj)
	binary.BigEndian.PutUint32(put.Replay[4:], e.gen)
	v := admit.Admit(admit.State{Mailbox: &bx.row, Earlier: at.position}, put, quotas)
	switch v.Result {
	case admit.Stored:
		w.store(e, at, m, bi, bx)
		w.answer(e, at, answerStored, after)
		if v.Notify {
			w.watch(bi, bx)
		}
	case admit.Duplicate:
		w.answer(e, at, answerStored, after)
	case admit.Full:
		w.answer(e, at, answerFull, after)
	default:
		w.answer(e, at, answerClosed, after)
	}
}

// store follows the commit of a Delivered.
func (w *world) store(e *event, at *attempt, m *message, bi uint32, bx *box) {
	b := &w.agents[e.b]
	di, d := w.deliveries.new()
	*d = delivery{gen: d.gen, message: at.message, box: bi, size: m.size, at: w.now, stored: true}
	if bx.first == 0 {
		bx.first = di
		w.listBox(b, bi, bx)
	} else {
		w.deliveries.at(bx.last).next = di
	}
	bx.last = di
	bx.row.Count++
	bx.row.Bytes += uint64(m.size)
	b.held++
	b.log++
	at.position = uint64(b.log)
	b.bytes += int64(m.size)
	m.refs++
	w.tell(m, trace.Event{Kind: trace.Stored, User: trace.None, Peer: trace.None, Agent: e.a, Other: e.b,
		Mailbox: w.pseudonym(at.set, at.slot)})
}

// answer sends what became of a put to its sending agent.
func (w *world) answer(e *event, at *attempt, y uint8, after int64) {
	a, b := &w.agents[e.a], &w.agents[e.b]
	if b.evil == script.Delay {
		after += int64(w.s.Scenario.Adversary.Hostile.Delay)
	}
	size := answerBytes
	if y != answerLater && y != answerBusy {
		size += wire.OutcomeSize
	}
	w.carry(protoDeliver, w.now+after, e.b, e.a, size)
	t := w.now + after + w.leg(b.region, a.region)
	if t > at.putUntil {
		w.putFailsAt(max(w.now, at.putUntil), e)
		return
	}
	r := *e
	r.kind, r.y = putAnswered, y
	w.at(t, r)
}

// box finds or makes the mailbox of one of a set's addresses.
func (w *world) box(set uint32, slot uint8) uint32 {
	s := w.sets.at(set)
	if s.box[slot] != 0 {
		return s.box[slot]
	}
	caps := wire.Caps(0)
	if slot == lifeline {
		caps = wire.CapLifeline
	}
	id := mailboxID(set, slot)
	created := max(s.created, 0)
	terms, _ := admit.TermsFor(w.time(created), caps, time.Time{})
	fact, _ := admit.Create(nil, id, terms, func() (admit.Slot, bool) { return admit.Slot(id), true })
	bi, bx := w.boxes.new()
	*bx = box{set: set, slot: slot, row: admit.Mailbox{Mode: admit.Open, Caps: fact.Caps, Expires: fact.Expires, Slot: fact.Slot}}
	s.box[slot] = bi
	w.agents[s.home[slot]].log++
	return bi
}

// listBox puts a box among those of its agent that hold something.
func (w *world) listBox(b *agent, bi uint32, bx *box) {
	bx.prev, bx.next = 0, b.boxes
	if bx.next != 0 {
		w.boxes.at(bx.next).prev = bi
	}
	b.boxes = bi
}

func (w *world) unlistBox(b *agent, bx *box) {
	if bx.prev != 0 {
		w.boxes.at(bx.prev).next = bx.next
	} else {
		b.boxes = bx.next
	}
	if bx.next != 0 {
		w.boxes.at(bx.next).prev = bx.prev
	}
	bx.prev, bx.next = 0, 0
}

// erase drops a delivery from its mailbox.
func (w *world) erase(b *agent, di uint32) {
	d := w.deliveries.at(di)
	bx := w.boxes.at(d.box)
	prev := uint32(0)
	for i := bx.first; i != di; i = w.deliveries.at(i).next {
		prev = i
	}
	if prev != 0 {
		w.deliveries.at(prev).next = d.next
	} else {
		bx.first = d.next
	}
	if bx.last == di {
		bx.last = prev
	}
	bx.row.Count--
	bx.row.Bytes -= uint64(d.size)
	b.held--
	b.bytes -= int64(d.size)
	if bx.first == 0 {
		w.unlistBox(b, bx)
	}
	mi := d.message
	*d = delivery{gen: d.gen + 1}
	w.deliveries.release(di)
	w.unref(mi)
}

// onAckArrives erases what the owner has acknowledged.
func (w *world) onAckArrives(e *event) {
	d := w.deliveries.at(e.obj)
	if d.gen != e.gen {
		return // acknowledged before
	}
	a := &w.agents[e.a]
	if a.up && w.deafTo(e.b, e.a) {
		w.keep(*e)
		return
	}
	if !a.up || a.life != e.life {
		return // it is collected again
	}
	bx := w.boxes.at(d.box)
	facts := admit.Acknowledge(mailboxID(bx.set, bx.slot), []uint64{uint64(e.obj)})
	a.log += int64(len(facts))
	w.carry(protoMailbox, w.now, e.a, trace.UserMachine(e.b), shortBytes)
	w.erase(a, e.obj)
}
