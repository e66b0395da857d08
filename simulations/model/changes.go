package model

import (
	"slices"
	"time"

	"communicator/relay/queue"
	"communicator/simulations/script"
	"communicator/simulations/trace"
	"communicator/wire"
)

// change carries out what the script has happen.
func (w *world) change(c *script.Change) {
	switch c.Act {
	case script.Loss:
		w.loss = c.Value
	case script.Slow:
		w.slow = c.Value
	case script.CutOff:
		w.cutOff(c)
	case script.Heal:
		w.heal(c)
	case script.On, script.Off:
		for _, u := range c.Users {
			w.device(u, c.Act == script.On)
		}
	default:
		for _, i := range c.Agents {
			w.changeAgent(i, c.Act)
		}
		if c.Act == script.Thaw {
			w.retry()
		}
	}
}

func (w *world) changeAgent(i int32, act script.Act) {
	a := &w.agents[i]
	switch act {
	case script.Stop, script.Kill:
		w.stop(i, act == script.Kill)
	case script.Start:
		w.start(i)
	case script.Freeze:
		if a.up && !a.frozen {
			a.frozen = true
			w.unreachable(a)
		}
	case script.Thaw:
		if a.frozen {
			a.frozen = false
			w.reachable(i)
			w.step(i, queue.Input{Kind: queue.Tick})
		}
	case script.DrainThem:
		w.drain(i)
	case script.Full:
		a.full = true
	case script.Free:
		a.full = false
	}
}

func (w *world) unreachable(a *agent) {
	if a.cutFrom <= a.cutTo {
		a.cutFrom = max(w.now, 1)
	}
}

// reachable ends an outage of an agent, and has what it holds collected.
func (w *world) reachable(i int32) {
	a := &w.agents[i]
	if a.cutFrom > a.cutTo {
		a.cutTo = max(w.now, a.cutFrom+1)
	}
	w.watchAll(a)
}

func (w *world) watchAll(a *agent) {
	for bi := a.boxes; bi != 0; bi = w.boxes.at(bi).next {
		w.watch(bi, w.boxes.at(bi))
	}
}

// stop ends an agent's process. What it has stored stays.
func (w *world) stop(i int32, killed bool) {
	a := &w.agents[i]
	if !a.up && !a.starting {
		return
	}
	a.up, a.starting, a.frozen, a.killed = false, false, false, killed
	a.life++
	a.q, a.wakeAt, a.busy = nil, 0, 0
	w.unreachable(a)
	w.rec.Event(trace.Event{At: time.Duration(w.now), Kind: trace.Down, User: trace.None, Peer: trace.None, Agent: i, Other: trace.None})
	if t := w.now + int64(deadAfter); t <= w.end {
		w.at(t, event{kind: agentMissed, a: i, life: a.life})
	}
}

// start begins an agent's process. It serves when it has read its log.
func (w *world) start(i int32) {
	a := &w.agents[i]
	if a.up || a.starting {
		return
	}
	a.starting = true
	took := int64(startClean)
	if a.killed {
		took = int64(startKilled)
	}
	w.at(w.now+took, event{kind: agentUp, a: i, life: a.life, x: int32(took / int64(time.Microsecond))})
}

// onAgentUp has an agent serve again: it makes its queue from what it has stored.
func (w *world) onAgentUp(e *event) {
	a := &w.agents[e.a]
	if a.life != e.life || !a.starting {
		return
	}
	a.up, a.starting = true, false
	w.rec.Event(trace.Event{At: time.Duration(w.now), Kind: trace.Up, User: trace.None, Peer: trace.None, Agent: e.a, Other: trace.None,
		Took: time.Duration(e.x) * time.Microsecond})
	for ai := a.first; ai != 0; {
		at := w.attempts.at(ai)
		next := at.after // one that has expired is settled at once
		at.put++
		w.step(e.a, w.added(e.a, at, w.messages.at(at.message)))
		ai = next
	}
	w.reachable(e.a)
}

// cutOff begins a partition: those that it names hear each other and nobody else.
func (w *world) cutOff(c *script.Change) {
	group := int32(len(w.cuts)) + 1
	w.cuts = append(w.cuts, cut{group: group, from: w.now, regions: c.Regions})
	for _, i := range c.Agents {
		w.agents[i].group = group
		if c.Regions == nil {
			w.unreachable(&w.agents[i])
		}
	}
	for _, u := range c.Users {
		w.users[u].group = group
	}
}

// heal ends a partition.
func (w *world) heal(c *script.Change) {
	for i := range w.cuts {
		if w.cuts[i].to == 0 && slices.Equal(w.cuts[i].regions, c.Regions) {
			w.cuts[i].to = max(w.now, 1)
			break
		}
	}
	for _, i := range c.Agents {
		w.agents[i].group = 0
	}
	for _, u := range c.Users {
		w.users[u].group = 0
	}
	w.retry()
	if c.Regions == nil {
		for _, i := range c.Agents {
			if a := &w.agents[i]; a.up && !a.frozen {
				w.reachable(i)
			}
		}
		return
	}
	for i := range w.agents {
		w.watchAll(&w.agents[i])
	}
}

// device switches a user's device.
func (w *world) device(user int32, on bool) {
	u := &w.users[user]
	if u.on == on {
		return
	}
	u.on = on
	u.life++
	if !on {
		u.onTotal += w.now - u.onSince
		return
	}
	u.onSince = w.now
	for mi := u.outbox; mi != 0; mi = w.messages.at(mi).next {
		m := w.messages.at(mi)
		w.sides[m.side].flying = 0
		for ai := m.attempts; ai != 0; ai = w.attempts.at(ai).next {
			w.attempts.at(ai).asking = false
		}
	}
	for _, r := range w.s.Users[user].Contacts {
		w.advance(w.sideOf(r, user))
	}
	for _, r := range w.s.Users[user].Contacts {
		w.watchSide(w.sideOf(r, user))
	}
}

// watchSide has everything collected that lies in the mailboxes of a relationship.
func (w *world) watchSide(si uint32) {
	for set := w.sides[si].current; set != 0; set = w.sets.at(set).older {
		for _, bi := range w.sets.at(set).box {
			if bi != 0 {
				w.watch(bi, w.boxes.at(bi))
			}
		}
	}
}

// drain has an agent leave. Those who watch a mailbox there hear of it at once; of an
// agent that they only send through, when they next ask who it is.
func (w *world) drain(i int32) {
	w.agents[i].draining = true
	for _, user := range w.usersOf(i) {
		u := &w.users[user]
		after := int64(float64(refreshAgents) * w.decide.Float64())
		if slices.Contains(u.receive[:], i) && u.on {
			if after = 0; w.quiet(user) > 0 {
				after = w.period(user) / 2
			}
		}
		if t := w.now + after; t <= w.end {
			w.at(t, event{kind: agentNoticed, a: i, b: user})
		}
	}
}

func (w *world) onAgentNoticed(e *event) {
	if w.agents[e.a].draining {
		w.abandon(e.b, e.a)
	}
}

// onAgentMissed has an agent's users give it up that has been away for long.
func (w *world) onAgentMissed(e *event) {
	a := &w.agents[e.a]
	if a.up || a.life != e.life {
		return
	}
	for _, user := range w.usersOf(e.a) {
		w.abandon(user, e.a)
	}
}

// usersOf lists the users who have an agent as theirs.
func (w *world) usersOf(i int32) []int32 {
	if w.who == nil {
		w.who = make([][]int32, len(w.agents))
		for user := range w.users {
			u := &w.users[user]
			for j, a := range slices.Concat(u.sending[:], u.receive[:]) {
				if a >= 0 && !(j >= script.MaxAgents && slices.Contains(u.sending[:], a)) {
					w.who[a] = append(w.who[a], int32(user))
				}
			}
		}
	}
	return w.who[i]
}

// abandon has a user leave an agent: take another in its place, as a person would, and
// move the mailboxes with the next messages, which are sent at once if there are none.
func (w *world) abandon(user, agent int32) {
	u := &w.users[user]
	for i := range u.sending {
		if u.sending[i] == agent {
			u.sending[i] = w.another(user)
		}
	}
	moved := false
	for i := range u.receive {
		if u.receive[i] == agent {
			u.receive[i] = w.another(user)
			moved = true
		}
	}
	if !moved {
		return
	}
	for _, r := range w.s.Users[user].Contacts {
		si := w.sideOf(r, user)
		w.meet(si)
		w.meet(peer(si))
		if set := w.sets.at(w.sides[si].current); slices.Contains(set.home[:], agent) {
			w.sides[si].suspect = true
			w.count.automatic++
			w.enqueue(user, si, 0, noNumber)
			w.advance(si)
		}
	}
}

// another draws an agent that a user does not have yet, and that is there to stay.
func (w *world) another(user int32) int32 {
	u := &w.users[user]
	for range 64 {
		i := int32(w.decide.IntN(len(w.agents)))
		if a := &w.agents[i]; a.up && !a.draining && !slices.Contains(u.sending[:], i) && !slices.Contains(u.receive[:], i) {
			if w.who != nil {
				w.who[i] = append(w.who[i], user)
			}
			return i
		}
	}
	return -1
}

func sortIDs(ids []wire.AgentID) {
	slices.SortFunc(ids, func(a, b wire.AgentID) int { return slices.Compare(a[:], b[:]) })
}
