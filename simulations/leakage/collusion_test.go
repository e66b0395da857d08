package leakage

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"communicator/simulations/scenario"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

func build(t testing.TB, yaml string) *script.Script {
	t.Helper()
	sc, err := scenario.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	s, err := script.Build(sc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// teller tells an observer of messages.
type teller struct {
	*Observer
	number uint32
}

// stored tells of a message that went its way through two agents.
func (o *teller) stored(from, to, sender, receiver int32, mailbox uint64) {
	o.Event(trace.Event{Kind: trace.Sent, Message: o.number, User: from, Peer: to})
	o.Event(trace.Event{Kind: trace.Stored, Message: o.number, Agent: sender, Other: receiver, Mailbox: mailbox})
	o.number++
}

// rank makes exactly some agents collude.
func rank(s *script.Script, colluding ...int32) {
	next := int32(len(colluding))
	for i := range s.Agents {
		s.Agents[i].Rank, s.Agents[i].Colludes = -1, false
	}
	for place, i := range colluding {
		s.Agents[i].Rank, s.Agents[i].Colludes = int32(place), true
	}
	for i := range s.Agents {
		if !s.Agents[i].Colludes {
			s.Agents[i].Rank = next
			next++
		}
	}
}

// small is a network of a few users whose agents and acquaintances a test sets itself.
func small(t *testing.T, users, agents int, colluding float64) *script.Script {
	t.Helper()
	s := build(t, fmt.Sprintf("nodes: {agents: %d, users: %d}\nprivacy: {receiving_agents: 1, sending_agents: 1}\nadversary: {colluding: %v}", agents, users, colluding))
	s.Relations = nil
	for i := range s.Users {
		s.Users[i].Contacts = nil
	}
	return s
}

func meet(s *script.Script, a, b int32) {
	at := int32(len(s.Relations))
	s.Relations = append(s.Relations, script.Relation{A: a, B: b})
	s.Users[a].Contacts = append(s.Users[a].Contacts, at)
	s.Users[b].Contacts = append(s.Users[b].Contacts, at)
}

func lives(s *script.Script, user, sending, receiving int32) {
	s.Users[user].Sending = [script.MaxAgents]int32{sending, -1, -1, -1}
	s.Users[user].Receiving = [script.MaxAgents]int32{receiving, -1, -1, -1}
}

func TestBothEndsCollude(t *testing.T) {
	s := small(t, 4, 4, 0.5)
	meet(s, 0, 1)
	meet(s, 2, 3)
	rank(s, 0, 1)
	for u := range int32(4) {
		lives(s, u, u, u)
	}
	o := &teller{Observer: New(s)}
	o.stored(0, 1, 2, 3, 1) // neither
	o.stored(0, 1, 0, 3, 1) // one
	o.stored(0, 1, 0, 1, 1) // both, with the third message
	o.stored(2, 3, 2, 3, 2) // never
	figures, got := o.Finish()
	for name, want := range map[string]float64{"leak_pairs": 2, "leak_linked_pairs": 0.5, "leak_linked_messages": 0.25,
		"leak_messages_until_linked_p50": 3, "leak_seen_pairs": 0.5, "leak_guessed_pairs": 0.5, "leak_max_probability_p99": 1} {
		near(t, name, got[name], want, 0)
	}
	if len(figures) == 0 {
		t.Error("no figures")
	}
}

func TestWhoeverAcceptedItSentIt(t *testing.T) {
	s := small(t, 2, 4, 0.5)
	meet(s, 0, 1)
	rank(s, 0, 1)
	lives(s, 0, 0, 0)
	lives(s, 1, 1, 1)
	o := New(s)
	o.Event(trace.Event{Kind: trace.Sent, User: 0, Peer: 1})
	o.Event(trace.Event{Kind: trace.Accepted, Agent: 0})
	o.Event(trace.Event{Kind: trace.Stored, Agent: trace.None, Other: 1})
	_, got := o.Finish()
	near(t, "linked pairs", got["leak_linked_pairs"], 1, 0)
	if n := len(o.adversaries[0].(*collusion).taken); n != 0 {
		t.Errorf("%d messages are kept", n)
	}
}

func TestNoneColludes(t *testing.T) {
	s := small(t, 8, 4, 0.1)
	rank(s) // at a share of 0.1 none of four
	for u := range int32(8) {
		lives(s, u, u%4, u%4)
	}
	for u := range int32(4) {
		meet(s, 2*u, 2*u+1)
	}
	o := &teller{Observer: New(s)}
	for range 10 {
		for u := range int32(4) {
			o.stored(2*u, 2*u+1, 2*u%4, (2*u+1)%4, 1)
			o.stored(2*u+1, 2*u, (2*u+1)%4, 2*u%4, 1)
		}
	}
	_, got := o.Finish()
	near(t, "linked pairs", got["leak_linked_pairs"], 0, 0)
	near(t, "linked messages", got["leak_linked_messages"], 0, 0)
	near(t, "seen pairs", got["leak_seen_pairs"], 0, 0)
	// Everybody writes and is written to alike: all others are as likely.
	near(t, "sender entropy", got["leak_sender_entropy_bits"], math.Log2(7), 1e-9)
	near(t, "recipient entropy", got["leak_recipient_entropy_bits"], math.Log2(7), 1e-9)
	near(t, "most", got["leak_entropy_most_bits"], math.Log2(7), 1e-9)
	near(t, "degree", got["leak_degree_mean"], 1, 1e-9)
	near(t, "rank", got["leak_rank_p50"], 4, 1e-9)
	near(t, "largest probability", got["leak_max_probability_p99"], 1./7, 1e-9)
	if v, ok := got["leak_messages_until_linked_p50"]; ok {
		t.Errorf("linked after %v messages", v)
	}
}

func TestTwoUsersHaveNoAnonymity(t *testing.T) {
	s := small(t, 2, 2, 0.2)
	rank(s)
	meet(s, 0, 1)
	lives(s, 0, 0, 0)
	lives(s, 1, 1, 1)
	o := &teller{Observer: New(s)}
	o.stored(0, 1, 0, 1, 1)
	o.stored(1, 0, 1, 0, 1)
	o.stored(1, 0, 1, 0, 1)
	_, got := o.Finish()
	near(t, "entropy", got["leak_sender_entropy_bits"]+got["leak_recipient_entropy_bits"], 0, 0)
	near(t, "rank", got["leak_rank_p50"], 1, 0)
}

// TestOneEndColludes: Blair's agent 1 colludes, Alex's agent 0 does not. Agent 0 has two more
// clients, who wrote three messages and none by it; so Alex, who wrote one, is the sender
// with probability 1/4.
func TestOneEndColludes(t *testing.T) {
	s := small(t, 6, 4, 0.25)
	rank(s, 1)
	lives(s, 0, 0, 2)
	lives(s, 1, 0, 1) // a client of Alex's agent, too, but Blair does not write to Blair
	lives(s, 2, 0, 2)
	lives(s, 3, 3, 3)
	lives(s, 4, 0, 2)
	lives(s, 5, 3, 3)
	meet(s, 0, 1) // the first relation: the target
	meet(s, 2, 3)
	meet(s, 4, 5)
	s.Scenario.Adversary.Targets = 3
	c := newCollusion(s, &targets{relations: []int32{0}, of: map[int32]int32{0: 0}}).(*collusion)
	o := &teller{Observer: &Observer{script: s, adversaries: []adversary{c}}}
	o.stored(0, 1, 0, 1, 1)
	for range 3 {
		o.stored(1, 0, 0, 2, 1)
		o.stored(2, 3, 0, 3, 1)
		o.stored(5, 4, 3, 2, 1)
	}
	c.prepare()
	v := c.answer(0, c.limit, 1, byConnection)
	if len(v.answers) != 2 || v.linked || !v.seen {
		t.Fatalf("%+v", v)
	}
	sender := v.answers[0]
	near(t, "probability of the sender", sender.truth, 0.25, 1e-9)
	near(t, "entropy", sender.entropy, 0.75*math.Log2(4./3)+0.25*2, 1e-9)
	near(t, "rank", sender.rank, 2, 0)
	// Alex's agent tells nothing, so to whom Alex wrote may be anybody, by what they got.
	near(t, "probability of the recipient", v.answers[1].truth, 1./7, 1e-9)
}

func TestASecondAgentNarrowsTheSetAndAMailboxAloneDoesNot(t *testing.T) {
	s := small(t, 10, 4, 0.25)
	rank(s, 3)
	for u := range int32(10) {
		lives(s, u, 0, 2)
		if u < 9 {
			meet(s, u, u+1)
		}
	}
	// Users 0 to 5 send through agent 0, 0 and 1 and 6 to 8 through agent 1; user 9 is
	// collected from by agent 3.
	via := [][]int32{{0, 1}, {0, 1}, {0}, {0}, {0}, {0}, {1}, {1}, {1}}
	for u, agents := range via {
		copy(s.Users[u].Sending[:], agents)
	}
	lives(s, 9, 0, 3)
	meet(s, 0, 9)
	rel := int32(len(s.Relations) - 1)
	c := newCollusion(s, &targets{relations: []int32{rel}, of: map[int32]int32{rel: 0}}).(*collusion)
	o := &teller{Observer: &Observer{script: s, adversaries: []adversary{c}}}
	for u, agents := range via {
		for _, agent := range agents {
			o.stored(int32(u), int32(u)+1, agent, 2, 1)
		}
	}
	o.stored(0, 9, 0, 3, 71)
	o.stored(0, 9, 1, 3, 72) // another mailbox of the relationship
	c.prepare()
	one := c.answer(0, c.limit, 1, byConnection).answers[0]
	both := c.answer(0, c.limit, 2, byConnection).answers[0]
	apart := c.answer(0, c.limit, 2, byMailbox).answers[0]
	if both.entropy > 1 || one.entropy < 2 {
		t.Errorf("%v bits from one agent, %v from two: 6 and 2 candidates", one.entropy, both.entropy)
	}
	if apart.entropy <= both.entropy || apart.entropy > one.entropy {
		t.Errorf("%v bits if mailboxes cannot be joined, %v if they can, %v after one", apart.entropy, both.entropy, one.entropy)
	}
}

// random tells a message from each to each of their pair through every combination of
// their agents, shuffled by the script's own randomness.
func random(s *script.Script, o *teller, messages int) {
	r := s.Rand("test", 0)
	p := s.Scenario.Privacy
	for range messages {
		for _, rel := range s.Relations {
			a, b := rel.A, rel.B
			if r.IntN(2) == 0 {
				a, b = b, a
			}
			o.stored(a, b, s.Users[a].Sending[r.IntN(p.SendingAgents)], s.Users[b].Receiving[r.IntN(p.ReceivingAgents)], uint64(a))
		}
	}
}

func TestLinkedPairsFollowTheFormula(t *testing.T) {
	s := build(t, "nodes: {agents: 2000, users: 4000}\nworkload: {contacts_per_user: 1}\nprivacy: {sending_agents: 2, receiving_agents: 3}\nadversary: {colluding: 0.1}")
	o := &teller{Observer: New(s)}
	random(s, o, 60) // six combinations each way: all are used but by very few
	_, got := o.Finish()
	c := o.adversaries[0].(*collusion)
	last := 0.0
	for _, share := range shares() {
		pairs, messages := c.linked(s.Colluding(share))
		want := 1 - math.Pow(1-(1-math.Pow(1-share, 2))*(1-math.Pow(1-share, 3)), 2)
		near(t, "expected", c.expected(share), want, 1e-12)
		near(t, fmt.Sprintf("pairs linked at %v", share), pairs, want, 4*math.Sqrt(want/2000)+0.005)
		near(t, fmt.Sprintf("messages linked at %v", share), messages, share*share, 0.1*share*share+0.001)
		if pairs < last {
			t.Errorf("fewer pairs are linked at %v", share)
		}
		last = pairs
	}
	at, _ := c.linked(s.Colluding(0.1))
	near(t, "in the scenario", got["leak_linked_pairs"], at, 0)
}

func TestMoreColludingLearnMore(t *testing.T) {
	s := build(t, "nodes: {agents: 60, users: 600}\nadversary: {colluding: 0.2}")
	o := &teller{Observer: New(s)}
	random(s, o, 12)
	figures, _ := o.Finish()
	seen := 0
	for _, f := range figures {
		for _, l := range f.Lines {
			for i := 1; i < len(l.Y); i++ {
				switch {
				case (f.ID == "leak-linked" || f.ID == "leak-until-linked") && l.Y[i] < l.Y[i-1]:
					t.Errorf("%s, %s: falls at %v", f.ID, l.Name, l.X[i])
				case f.ID == "leak-entropy-share" && l.Y[i] > l.Y[i-1]+0.1: // not of each target: evidence may mislead
					t.Errorf("%s, %s: rises from %v to %v at %v", f.ID, l.Name, l.Y[i-1], l.Y[i], l.X[i])
				}
			}
			seen++
		}
	}
	if seen < 12 {
		t.Errorf("%d lines", seen)
	}
}

func TestNobodyWatchesWhereNobodyIsAsked(t *testing.T) {
	o := &teller{Observer: New(build(t, "nodes: {agents: 10, users: 10}"))}
	o.stored(0, 1, 0, 1, 1)
	o.Frame(trace.Frame{})
	o.Lookup(trace.Lookup{})
	if figures, scalars := o.Finish(); len(figures)+len(scalars) != 0 || o.Frames() || len(o.ways) != 0 {
		t.Errorf("%v, %v", figures, scalars)
	}
}

func TestTheSameRunLeaksTheSame(t *testing.T) {
	run := func() (any, any) {
		s := build(t, "nodes: {agents: 40, users: 200}\nadversary: {colluding: 0.1, targets: 50}")
		o := &teller{Observer: New(s)}
		random(s, o, 5)
		o.stored(0, s.Relations[s.Users[0].Contacts[0]].Other(0), 39, 38, 1) // agents that the script does not give them
		return o.Finish()
	}
	f1, s1 := run()
	f2, s2 := run()
	if !reflect.DeepEqual(f1, f2) || !reflect.DeepEqual(s1, s2) {
		t.Error("one run, two results")
	}
}
