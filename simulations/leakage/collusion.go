package leakage

import (
	"math"

	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// collusion is sending and receiving agents that pool their logs, for any share of them:
// which agents collude is asked when the run is over.
type collusion struct {
	deaf
	script  *script.Script
	targets *targets
	limit   int32 // agents of a rank below it collude in the scenario

	// Of all pairs: how many ranks must collude to link the pair, how many of its messages
	// were stored, and the number of the first that links it in the scenario.
	needs         []int32
	stored        []uint16
	first         []uint16
	byNeed        []int64 // messages by the ranks that must collude to link them
	messages      int64
	taken         map[uint32]int32 // messages under way: the agent that accepted them
	sent          traffic          // of each user, by sending agent
	received      traffic          // by receiving agent
	logs          [][]delivery
	answers       map[string]anonymity // to the question that is asked; see ask
	sentPrior     prior
	receivedPrior prior
}

// delivery is what both logs together would hold of a message.
type delivery struct {
	sender, receiver int32 // agents
	mailbox          uint64
	forward          bool // from the relation's A to its B
}

// never is what needs says of a pair that no share of colluding agents links.
const never = math.MaxInt32

func newCollusion(s *script.Script, t *targets) adversary {
	if s.Scenario.Adversary.Colluding == 0 {
		return nil
	}
	c := &collusion{script: s, targets: t, taken: map[uint32]int32{}, limit: s.Colluding(s.Scenario.Adversary.Colluding),
		needs: make([]int32, len(s.Relations)), stored: make([]uint16, len(s.Relations)), first: make([]uint16, len(s.Relations)),
		byNeed: make([]int64, len(s.Agents)+1), logs: make([][]delivery, len(t.relations)),
		sent:     newTraffic(len(s.Users), func(u int32) *[script.MaxAgents]int32 { return &s.Users[u].Sending }),
		received: newTraffic(len(s.Users), func(u int32) *[script.MaxAgents]int32 { return &s.Users[u].Receiving })}
	for i := range c.needs {
		c.needs[i] = never
	}
	return c
}

// event notes what agents log of a message that was stored. Both ends collude where both
// ranks are below the limit, so the pair is linked once the higher of them is.
//
// Tier real tells of a message that was stored what its client knows, which is not through
// whom it went: then that is the agent that accepted it last.
func (c *collusion) event(e *trace.Event, w way) {
	sender, agents := e.Agent, c.script.Agents
	switch e.Kind {
	case trace.Accepted:
		c.taken[e.Message] = e.Agent
		return
	case trace.Stored:
		if by, ok := c.taken[e.Message]; ok && sender == trace.None {
			sender = by
		}
		delete(c.taken, e.Message)
	default:
		return
	}
	if n := int32(len(agents)); sender < 0 || sender >= n || e.Other < 0 || e.Other >= n {
		return
	}
	c.messages++
	c.sent.add(w.from, sender)
	c.received.add(w.to, e.Other)
	need := max(agents[sender].Rank, agents[e.Other].Rank) + 1
	c.byNeed[need]++
	c.needs[w.relation] = min(c.needs[w.relation], need)
	if c.stored[w.relation] < math.MaxUint16 {
		c.stored[w.relation]++
	}
	if need <= c.limit && c.first[w.relation] == 0 {
		c.first[w.relation] = c.stored[w.relation]
	}
	if i, ok := c.targets.of[w.relation]; ok && len(c.logs[i]) < maxDeliveries {
		c.logs[i] = append(c.logs[i], delivery{sender, e.Other, e.Mailbox, w.forward})
	}
}

// pairs is how many exchanged anything.
func (c *collusion) pairs() (n int) {
	for _, need := range c.needs {
		if need != never {
			n++
		}
	}
	return n
}

// linked is the share of pairs and of messages that are linked where ranks below a limit
// collude.
func (c *collusion) linked(limit int32) (pairs, messages float64) {
	all := 0
	for _, need := range c.needs {
		if need != never {
			all++
		}
		if need <= limit {
			pairs++
		}
	}
	var linked int64
	for _, n := range c.byNeed[:min(int(limit)+1, len(c.byNeed))] {
		linked += n
	}
	return pairs / float64(max(all, 1)), float64(linked) / float64(max(c.messages, 1))
}

// expected is the share of pairs that would be linked if every pair used all its agents in
// both directions, and agents colluded independently.
func (c *collusion) expected(share float64) float64 {
	p := c.script.Scenario.Privacy
	some := func(n int) float64 { return 1 - math.Pow(1-share, float64(n)) }
	oneWay := some(p.SendingAgents) * some(p.ReceivingAgents)
	return 1 - (1-oneWay)*(1-oneWay)
}
