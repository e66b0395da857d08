package queue

import "time"

// lane finds or makes an account's lane to a destination.
func (q *Queue) lane(in Input) *lane {
	d := q.dests[in.Destination]
	if d == nil {
		d = &dest{uri: in.Destination, proven: in.Answers, pos: absent}
		q.dests[d.uri] = d
	}
	a := q.accounts[in.Account]
	if a == nil {
		a = &account{id: in.Account}
		for kind := range a.sides {
			a.sides[kind] = side{account: a, kind: kind, pos: absent}
		}
		q.accounts[a.id] = a
	}
	l := q.lanes[laneKey{d, a}]
	if l == nil {
		l = &lane{dest: d, account: a, pos: absent, sidePos: absent}
		q.lanes[laneKey{d, a}] = l
		d.all++
	}
	return l
}

// put has an item wait. [Queue.schedule] must follow.
func (q *Queue) put(it *item) {
	l := it.lane
	l.dest.lanes.remove(l)
	l.waiting.push(it)
	l.join()
}

// join puts a lane among those of its destination that could send.
func (l *lane) join() {
	if l.waiting.len() > 0 && !l.parked {
		l.dest.lanes.push(l)
	}
}

// pull undoes put, if the item waits. [Queue.schedule] must follow.
func (q *Queue) pull(it *item) {
	l := it.lane
	if it.waitPos == absent {
		return
	}
	l.dest.lanes.remove(l)
	l.waiting.remove(it)
	l.join()
}

// schedule puts a lane and its destination where they belong after a change of
// either: out of the maps if they are empty, in line if they could send at some
// time. A destination whose stance changes takes all its lanes along.
func (q *Queue) schedule(now int64, l *lane) {
	d := l.dest
	q.offer(now, d)
	if s := d.standing(); s != d.stance {
		d.stance = s
		for _, other := range d.lanes.s {
			q.list(now, other)
		}
	}
	q.list(now, l) // if it is empty, it was not among those
	if l.waiting.len() > 0 || l.flying > 0 {
		return
	}
	delete(q.lanes, laneKey{d, l.account})
	if l.account.items == 0 {
		delete(q.accounts, l.account.id)
	}
	if d.all--; d.all == 0 {
		if d.failures > 0 {
			q.paused--
		}
		delete(q.dests, d.uri)
	}
}

// offer puts a proven destination in line with the others. One that is in line
// already keeps its turn, so that more submissions do not send it to the end.
func (q *Queue) offer(now int64, d *dest) {
	if !d.proven || d.lanes.len() == 0 || d.flying >= q.cfg.PerDestination {
		q.due.remove(d) // an answer will bring it back
		return
	}
	at := max(now, d.next().due)
	if d.pos != absent && waits(d.at, at, now) {
		return
	}
	q.due.remove(d)
	q.turns++
	d.at, d.turn = at, q.turns
	q.due.push(d)
}

// waits says whether what is in line for the time was may stay there, now that it is
// due at the time at.
func waits(was, at, now int64) bool { return was == at || was <= now && at == now }

// next is the item that has waited longest. Something waits.
func (d *dest) next() *item { return d.lanes.top().waiting.top() }

// park takes a lane out of its destination's until its account has less in flight.
func (q *Queue) park(l *lane) {
	l.dest.lanes.remove(l)
	l.parked = true
	l.account.parked = append(l.account.parked, l)
}

// unpark lets an account's lanes send again once it has used half of what it may: so
// they come and go together, however many there are.
func (q *Queue) unpark(now int64, a *account) {
	if a.flying > q.cfg.PerAccount/2 {
		return
	}
	parked := a.parked
	a.parked = nil
	for _, l := range parked {
		l.parked = false
		l.join()
		q.list(now, l)
		q.offer(now, l.dest)
	}
}

// list puts a lane in line for its account's probes, or takes it out. One that is in
// line already keeps its turn.
func (q *Queue) list(now int64, l *lane) {
	var side *side
	var at int64
	if s := l.dest.stance; s.probe && l.waiting.len() > 0 {
		side, at = &l.account.sides[s.kind], max(now, s.until, l.waiting.top().due)
	}
	if old := l.side; old != nil {
		if old == side && waits(l.at, at, now) {
			return
		}
		old.lanes.remove(l)
		l.side = nil
		q.rank(now, old)
	}
	if side == nil {
		return
	}
	q.turns++
	l.side, l.at, l.turn = side, at, q.turns
	side.lanes.push(l)
	q.rank(now, side)
}

// rank puts an account's side in line with those of others. One that is in line
// already keeps its turn.
func (q *Queue) rank(now int64, s *side) {
	line := &q.line[s.kind]
	if s.lanes.len() == 0 || !q.mayProbe(s) {
		line.remove(s)
		return
	}
	at := max(now, s.lanes.top().at)
	if s.pos != absent && waits(s.at, at, now) {
		return
	}
	line.remove(s)
	q.turns++
	s.at, s.turn = at, q.turns
	line.push(s)
}

// mayProbe says whether the account has a probe of the kind left.
func (q *Queue) mayProbe(s *side) bool {
	most := q.cfg.ProbesPerAccount
	return s.account.probes() < most && (s.kind == fresh || s.probes < again(most))
}

// roomToProbe says whether there is a probe of the kind left for anybody.
func (q *Queue) roomToProbe(kind int) bool {
	most := q.cfg.Probes
	return q.probes[fresh]+q.probes[failed] < most && (kind == fresh || q.probes[failed] < again(most))
}

// takeProbe counts a probe and sends its account to the end of the line.
func (q *Queue) takeProbe(now int64, s *side) {
	q.probes[s.kind]++
	s.probes++
	q.line[s.kind].remove(s)
	q.rankAll(now, s.account)
}

func (q *Queue) returnProbe(now int64, s *side) {
	q.probes[s.kind]--
	s.probes--
	q.rankAll(now, s.account)
}

// rankAll follows a change of an account's probes, which both of its sides share.
func (q *Queue) rankAll(now int64, a *account) {
	for kind := range a.sides {
		q.rank(now, &a.sides[kind])
	}
}

// patience is how long a probe of a destination may take.
func (q *Queue) patience(d *dest) time.Duration {
	t := q.cfg.ProbeTimeout
	for range d.failures {
		if t *= 2; t >= q.cfg.ProbeTimeoutMax {
			break
		}
	}
	return max(q.cfg.ProbeTimeout, min(t, q.cfg.ProbeTimeoutMax))
}
