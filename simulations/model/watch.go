package model

import (
	"math/rand/v2"
	"slices"
	"time"

	"communicator/simulations/trace"
)

// Devices that are on watch their mailboxes. With more relationships than connections may
// be open, at an agent or in all, those keep their watch that were active last, and the
// others are visited: a turn lasts until the next of them has its own. The turns of a user
// follow from the number of the user and from what was active, so nothing runs for those
// who wait: when something is stored, its mailbox's next turn is computed.

// handshake is how many round trips pass from the beginning of a turn until the agent
// watches.
const handshake = dialTrips + negotiateTrips + helloTrips

// watch has what a mailbox holds collected when its owner's device watches it next. If it
// does so now, what is newest is pushed at once.
func (w *world) watch(bi uint32, bx *box) {
	set := w.sets.at(bx.set)
	user := w.owner(set.owner)
	u := &w.users[user]
	if bx.scheduled || bx.first == 0 || !u.on {
		return
	}
	ai := set.home[bx.slot]
	a := &w.agents[ai]
	if !a.up || w.deafTo(user, ai) {
		return // looked at again when it is reached
	}
	t, open := w.turn(user, set.owner, ai, bx.slot)
	if open {
		w.push(bx.last, user, ai)
		return
	}
	bx.scheduled = true
	setup := w.trips(handshake, u.region, a.region)
	w.at(max(w.now, t)+setup+w.leg(u.region, a.region),
		event{kind: watchArrives, obj: bi, a: ai, b: user, life: a.life, life2: u.life})
}

// turn says since when, or from when on, a device watches its mailboxes of a relationship
// at an agent, and whether its watch is open now.
func (w *world) turn(user int32, side uint32, agent int32, slot uint8) (t int64, open bool) {
	u := &w.users[user]
	back := max(u.onSince, w.rejoins(user, agent))
	quiet := w.quiet(user)
	if quiet == 0 || w.keeps(user, side, slot) {
		ready := back + w.expected(handshake+1, u.region, agent)
		return back, back == 0 || w.now >= ready
	}
	// One that was active lately has its turns sooner: each wait is twice the last.
	period := min(w.period(user), max(int64(watchFirst), (w.now-w.sides[side].active)/2))
	k := slices.Index(w.s.Users[user].Contacts, int32(side/2))*homes + int(slot)
	phase := int64(mix(uint64(user)<<16|uint64(k)) % uint64(period))
	slice := period / int64(quiet)
	if w.wanted(user) { // whoever made way for the visit is back as soon as it is over
		slice = min(slice, int64(visit))
	}
	since := (w.now - phase) % period
	if since < 0 {
		since += period
	}
	begin := w.now - since
	if begin >= back && since < slice {
		if since >= w.expected(handshake+1, u.region, agent) {
			return begin, true
		}
		return begin, false
	}
	for begin += period; begin < back; {
		begin += period
	}
	return begin, false
}

// kept is how many relationships of a user keep their watch at an agent, and how many
// watches are kept in all. Where not all are, the last connection is that of the turns.
func (w *world) kept(user int32) (relations, watches int) {
	relations, watches = len(w.s.Users[user].Contacts), w.groups(user)
	if w.s.Scenario.Privacy.Connections == 0 {
		return relations, watches
	}
	if slots := w.slots(user); watches > slots {
		watches = max(slots-1, 0)
	}
	if relations > perAgent {
		relations = perAgent - 1
	}
	return relations, min(watches, relations*w.homes())
}

// quiet is how many watches of a user take turns.
func (w *world) quiet(user int32) int {
	_, watches := w.kept(user)
	return w.groups(user) - watches
}

// keeps says whether a relationship is one of those that were active last, so that its
// mailbox is watched.
func (w *world) keeps(user int32, side uint32, slot uint8) bool {
	relations, watches := w.kept(user)
	later, mine := 0, w.sides[side].active
	for _, relation := range w.s.Users[user].Contacts {
		if other := w.sideOf(relation, user); other != side {
			if at := w.sides[other].active; at > mine || at == mine && other < side {
				later++
			}
		}
	}
	// Lifelines come after all others.
	normal := min(w.homes(), lifeline)
	place := later*normal + int(slot)
	if slot == lifeline {
		place = len(w.s.Users[user].Contacts)*normal + later
	}
	// The last of them makes way for what is sent: fitted to tier real.
	if place == watches-1 && watches < w.groups(user) && mix(uint64(user)^uint64(w.now/int64(watchFirst)))%2 == 0 {
		return false
	}
	return place < watches && later < relations
}

// wanted says whether active relationships alone have more mailboxes than keep a watch.
func (w *world) wanted(user int32) bool {
	active := 0
	for _, relation := range w.s.Users[user].Contacts {
		if at := w.sides[w.sideOf(relation, user)].active; at > 0 && w.now-at < int64(activeFor) {
			active++
		}
	}
	_, watches := w.kept(user)
	return active*min(w.homes(), lifeline) > watches
}

// period is how long it is between two turns of a mailbox.
func (w *world) period(user int32) int64 {
	return int64(max(watchMost, time.Duration(w.groups(user))*watchPace))
}

// stir notes that a relationship is active for one side: what lies in its mailboxes is
// watched for at once.
func (w *world) stir(si uint32) {
	w.sides[si].active = w.now
	if w.quiet(w.owner(si)) == 0 {
		return
	}
	for set := w.sides[si].current; set != 0; set = w.sets.at(set).older {
		for _, bi := range w.sets.at(set).box {
			if bi != 0 && w.boxes.at(bi).scheduled {
				w.boxes.at(bi).scheduled = false
				w.watch(bi, w.boxes.at(bi))
			}
		}
	}
}

// expected is how long a number of round trips takes without jitter and loss.
func (w *world) expected(n int, region uint8, agent int32) int64 {
	return int64(2*n) * int64(w.s.Network.OneWay(region, w.agents[agent].region))
}

// rejoins is when a device is back at an agent that could not be reached for a while: at
// its next try, whose pauses double.
func (w *world) rejoins(user, agent int32) int64 {
	from, to := w.outage(user, agent)
	if to == 0 {
		return 0
	}
	t, own := from, rand.New(rand.NewPCG(mix(uint64(from)), uint64(user)<<32|uint64(uint32(agent))))
	for tries := uint64(0); t < to; tries++ {
		t += int64(policy.Reconnect(tries, time.Duration(t-from), own))
	}
	return t
}

// outage is the last time that an agent could not be reached from a user, once it is over.
func (w *world) outage(user, agent int32) (from, to int64) {
	a, u := &w.agents[agent], &w.users[user]
	from, to = a.cutFrom, a.cutTo
	for i := len(w.cuts) - 1; i >= 0; i-- {
		c := &w.cuts[i]
		if c.to > to && c.regions != nil && c.member(u.region) != c.member(a.region) {
			return c.from, c.to
		}
	}
	return from, to
}

// missed says whether a device knows that an agent cannot be reached because it watches
// mailboxes there: the connection has broken, and no try has succeeded since.
func (w *world) missed(user, agent int32) bool {
	u, a := &w.users[user], &w.agents[agent]
	if !slices.Contains(u.receive[:], agent) {
		return false
	}
	switch {
	case !a.up:
		return true
	case w.deafTo(user, agent):
		return w.now-a.cutFrom > int64(breakAfter)
	}
	return w.now < w.rejoins(user, agent)
}

// onWatchArrives sends what a mailbox holds to its owner, and what comes while the watch is
// open is pushed.
func (w *world) onWatchArrives(e *event) {
	bx := w.boxes.at(e.obj)
	bx.scheduled = false
	u, a := &w.users[e.b], &w.agents[e.a]
	w.dial(trace.UserMachine(e.b), e.a, 0)
	w.greet(protoMailbox, w.now, e.b, e.a)
	w.carry(protoMailbox, w.now, trace.UserMachine(e.b), e.a, watchBytes)
	w.carry(protoMailbox, w.now, e.a, trace.UserMachine(e.b), shortBytes)
	if !u.on || !a.up || w.deafTo(e.b, e.a) {
		return // looked at again when they can hear each other
	}
	if u.life != e.life2 || a.life != e.life {
		w.watch(e.obj, bx)
		return
	}
	for di := bx.first; di != 0; di = w.deliveries.at(di).next {
		w.push(di, e.b, e.a)
	}
}

// push sends a delivery to a device that watches.
func (w *world) push(di uint32, user, agent int32) {
	d := w.deliveries.at(di)
	u, a := &w.users[user], &w.agents[agent]
	const after = int64(commitTime)
	w.carry(protoMailbox, w.now+after, agent, trace.UserMachine(user), pushBytes+int(d.size))
	w.at(w.now+after+w.leg(a.region, u.region),
		event{kind: pushArrives, obj: di, gen: d.gen, a: agent, b: user, life: a.life, life2: u.life})
}

// onPushArrives shows a message, once, and acknowledges the delivery.
func (w *world) onPushArrives(e *event) {
	d := w.deliveries.at(e.obj)
	if d.gen != e.gen {
		return
	}
	u, a := &w.users[e.b], &w.agents[e.a]
	if !u.on || u.life != e.life2 {
		if u.on {
			w.watch(d.box, w.boxes.at(d.box))
		}
		return
	}
	if w.apart(e.b, e.a) {
		return // looked at again when they can hear each other
	}
	m := w.messages.at(d.message)
	bx := w.boxes.at(d.box)
	w.takeIn(m, bx, e.a, d.size)
	if a.life != e.life {
		w.watch(d.box, bx) // the connection is gone: it is pushed again, and known
		return
	}
	w.carry(protoMailbox, w.now, trace.UserMachine(e.b), e.a, eraseBytes)
	ack := *e
	ack.kind = ackArrives
	w.at(w.now+w.leg(u.region, a.region), ack)
}

// takeIn is what a client does with a delivery: a ciphertext that it knows is acknowledged
// again and shown no more.
func (w *world) takeIn(m *message, bx *box, agent int32, size int32) {
	name := w.pseudonym(bx.set, bx.slot)
	w.tell(m, trace.Event{Kind: trace.Collected, User: m.to, Peer: trace.None, Agent: trace.None, Other: agent, Mailbox: name, Size: size})
	if m.received {
		w.count.recognised++
		return
	}
	m.received = true
	w.stir(peer(m.side))
	w.tell(m, trace.Event{Kind: trace.Received, User: m.from, Peer: m.to, Agent: trace.None, Other: agent, Mailbox: name})
	w.learn(m, bx)
}

// turnsBytes adds what the turns of those who wait for mail carried: a connection and a
// watch for each, which nothing in the loop runs for.
func (w *world) turnsBytes() {
	if len(w.s.Users) == 0 {
		return
	}
	const turn = 4 * flightBytes
	const greeting = helloBytes + shortBytes + watchBytes + shortBytes
	for i := range w.users {
		u := &w.users[i]
		quiet := w.quiet(int32(i))
		if quiet == 0 {
			continue
		}
		online := u.onTotal
		if u.on {
			online += w.now - u.onSince
		}
		turns := online / w.period(int32(i)) * int64(quiet)
		w.count.bytes[protoDial] += turns * turn
		w.count.bytes[protoMailbox] += turns * greeting
		w.count.turns += turns
	}
}

// watchers is how many connections each agent has from devices that watch, on average over
// a turn.
func (w *world) watchers() []int32 {
	sum := make([]float64, len(w.agents))
	for i := range w.users {
		u := &w.users[i]
		if !u.on {
			continue
		}
		contacts := len(w.s.Users[i].Contacts)
		_, watches := w.kept(int32(i))
		share := float64(watches) / float64(max(1, w.groups(int32(i))))
		for _, a := range u.receive {
			if a >= 0 {
				sum[a] += float64(float64(contacts) * share)
			}
		}
	}
	out := make([]int32, len(sum))
	for i, x := range sum {
		out[i] = int32(x + 0.5)
	}
	return out
}
