package leakage

import (
	"encoding/binary"
	"slices"
)

// question is what is asked about a target pair in one direction.
type question struct {
	forward bool // about messages from the relation's A to its B
	// sender: "who writes to this mailbox?", asked by receiving agents. Otherwise "to whom
	// does this person write?", asked by sending agents.
	sender bool
}

var questions = []question{{true, true}, {true, false}, {false, true}, {false, false}}

// link says how the logs join what belongs together.
type link uint8

const (
	byConnection link = iota // all mailboxes and submissions of a relationship
	byMailbox                // each mailbox for itself
)

// view is what colluding agents know of a target pair.
type view struct {
	linked  bool // both ends of a message collude
	seen    bool // one does
	answers []anonymity
	asked   []question // of which answers are
}

// answer asks all questions about a target pair, after n of its messages, where ranks below
// a limit collude. Questions about a direction in which nothing was sent are not asked.
func (c *collusion) answer(target int, limit int32, n int, how link) (v view) {
	log := c.logs[target][:min(n, len(c.logs[target]))]
	agents := c.script.Agents
	for _, d := range log {
		s, r := agents[d.sender].Rank < limit, agents[d.receiver].Rank < limit
		v.seen = v.seen || s || r
		v.linked = v.linked || s && r
	}
	for _, q := range questions {
		if !slices.ContainsFunc(log, func(d delivery) bool { return d.forward == q.forward }) {
			continue
		}
		a := known
		if !v.linked {
			a = c.best(log, target, limit, q, how)
		}
		v.answers, v.asked = append(v.answers, a), append(v.asked, q)
	}
	return v
}

// best is the answer that leaves the least doubt, of those to what was joined.
func (c *collusion) best(log []delivery, target int, limit int32, q question, how link) anonymity {
	if how == byConnection || !q.sender {
		return c.ask(c.evidence(log, limit, q, nil), target, q)
	}
	var best anonymity
	var seen []uint64
	for i := range log {
		box := log[i].mailbox
		if slices.Contains(seen, box) {
			continue
		}
		seen = append(seen, box)
		if a := c.ask(c.evidence(log, limit, q, &box), target, q); len(seen) == 1 || a.entropy < best.entropy {
			best = a
		}
	}
	return best
}

// evidence is through which honest agents messages went whose other end colludes, in order.
func (c *collusion) evidence(log []delivery, limit int32, q question, mailbox *uint64) (out []int32) {
	for _, d := range log {
		knows, other := d.sender, d.receiver
		if q.sender {
			knows, other = other, knows
		}
		if d.forward != q.forward || c.script.Agents[knows].Rank >= limit || mailbox != nil && d.mailbox != *mailbox {
			continue
		}
		if i, have := slices.BinarySearch(out, other); !have {
			out = slices.Insert(out, i, other)
		}
	}
	return out
}

// ask answers a question from evidence. The same evidence comes again with other shares and
// after other numbers of messages, so answers are kept.
func (c *collusion) ask(evidence []int32, target int, q question) anonymity {
	rel := c.script.Relations[c.targets.relations[target]]
	from, to := rel.B, rel.A
	if q.forward {
		from, to = to, from
	}
	p, truth, except := &c.receivedPrior, to, from
	if q.sender {
		p, truth, except = &c.sentPrior, from, to
	}
	key := binary.LittleEndian.AppendUint32(nil, uint32(target))
	key = append(key, flag(q.forward), flag(q.sender))
	for _, agent := range evidence {
		key = binary.LittleEndian.AppendUint32(key, uint32(agent))
	}
	a, ok := c.answers[string(key)]
	if !ok {
		a = p.given(evidence, truth, except)
		c.answers[string(key)] = a
	}
	return a
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// prepare makes what questions are answered from, once the run is over.
func (c *collusion) prepare() {
	senders, receivers := map[int32]bool{}, map[int32]bool{}
	for _, log := range c.logs {
		for _, d := range log {
			senders[d.sender], receivers[d.receiver] = true, true
		}
	}
	c.sentPrior, c.receivedPrior = newPrior(&c.sent, senders), newPrior(&c.received, receivers)
	c.answers = map[string]anonymity{}
}
