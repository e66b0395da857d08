package script

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"communicator/simulations/scenario"
)

// Script is what happens in a run.
type Script struct {
	Scenario *scenario.Scenario
	Network  Network
	Agents   []Agent
	Users    []User
	// Relations are pairs of users who know each other; Users[i].Contacts are indexes.
	Relations []Relation
	// Changes are what happens to agents, users and the network, in order of time.
	Changes []Change
	// Victims are the users that a crowd writes to.
	crowds []crowd
}

// Hostile says what an agent does instead of its work.
type Hostile uint8

// Kinds of hostile agents.
const (
	Honest Hostile = iota
	Drop           // takes and forgets
	Delay          // answers late
	Stale          // serves old records
	Forge          // serves wrong records and answers
)

// Agent is a node that is sending and receiving agent.
type Agent struct {
	Region   uint8
	Operator int32
	Hostile  Hostile
	Colludes bool
	Rank     int32 // its place in the order in which agents would collude: see [Script.Colluding]
	Stable   bool  // never stops by churn
}

// MaxAgents bounds a user's agents of one role.
const MaxAgents = 4

// User is a person with a client.
type User struct {
	Region    uint8
	Sending   [MaxAgents]int32 // agents; -1 where there are fewer
	Receiving [MaxAgents]int32
	Contacts  []int32 // relations, the dearest first
}

// Relation is two users who know each other.
type Relation struct{ A, B int32 }

// Other is the one who is not user.
func (r Relation) Other(user int32) int32 {
	if r.A == user {
		return r.B
	}
	return r.A
}

// Build makes the script of a scenario.
//
// Errors: those of reading a matrix of latencies.
func Build(s *scenario.Scenario) (*Script, error) {
	out := &Script{Scenario: s}
	var err error
	if out.Network, err = network(s); err != nil {
		return nil, err
	}
	out.agents()
	out.users()
	out.relations()
	out.changes()
	return out, nil
}

// End is when a run is over: nothing is sent any more, and what was had its time.
func (s *Script) End() time.Duration { return s.Scenario.Duration.D() + s.Scenario.Drain.D() }

// Rand is the stream of a matter, and of one of those that it concerns.
func (s *Script) Rand(matter string, i int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(matter))
	return rand.New(rand.NewPCG(s.Scenario.Seed, h.Sum64()^uint64(i)*0x9e3779b97f4a7c15))
}

func fill(list []int) (out [MaxAgents]int32) {
	for i := range out {
		out[i] = -1
		if i < len(list) {
			out[i] = int32(list[i])
		}
	}
	return out
}

// agents draws where agents are, whose they are, and who is not honest.
func (s *Script) agents() {
	n := s.Scenario.Nodes
	s.Agents = make([]Agent, n.Agents)
	operators := n.Operators
	if operators == 0 {
		operators = n.Agents
	}
	where := s.Rand("agents", 0)
	for i := range s.Agents {
		s.Agents[i] = Agent{Region: s.Network.draw(where), Operator: int32(i % operators)}
	}
	a := s.Scenario.Adversary
	ranks := order(s.Rand("colluding", 0), s.parties())
	colluding := s.Colluding(a.Colluding)
	for i := range s.Agents {
		party := int32(i)
		if a.By == "operators" {
			party = s.Agents[i].Operator
		}
		s.Agents[i].Rank = ranks[party]
		s.Agents[i].Colludes = s.Agents[i].Rank < colluding
	}
	kinds := s.Rand("hostile kinds", 0)
	for i, yes := range chosen(s.Rand("hostile", 0), n.Agents, a.Hostile.Share) {
		kind := hostileKinds[a.Hostile.Do]
		if drawn := Hostile(1 + kinds.IntN(4)); kind == Honest {
			kind = drawn
		}
		if yes {
			s.Agents[i].Hostile = kind
		}
	}
	for i, yes := range chosen(s.Rand("stable", 0), n.Agents, s.Scenario.Churn.Stable) {
		s.Agents[i].Stable = yes
	}
}

var hostileKinds = map[string]Hostile{"drop": Drop, "delay": Delay, "stale": Stale, "forge": Forge, "mixed": Honest}

// parties is how many there are that collude or do not: agents, or operators with all of
// theirs.
func (s *Script) parties() int {
	if n := s.Scenario.Nodes; s.Scenario.Adversary.By == "operators" && n.Operators > 0 {
		return n.Operators
	}
	return s.Scenario.Nodes.Agents
}

// Colluding is how many ranks collude where a share of agents does (or of operators, if
// the scenario draws those): the agents whose Rank is below it. So one run answers for
// every share.
func (s *Script) Colluding(share float64) int32 { return int32(portion(s.parties(), share)) }

// portion is a share of n, rounded.
func portion(n int, share float64) int {
	return int(float64(share*float64(n)) + 0.5) // converted: some processors would round once, not twice
}

// order draws a place in a row, from 0, for each of n.
func order(r *rand.Rand, n int) []int32 {
	out := make([]int32, n)
	for place, i := range r.Perm(n) {
		out[i] = int32(place)
	}
	return out
}

// chosen draws a share of n. Those of a smaller share are among those of a larger one.
func chosen(r *rand.Rand, n int, share float64) []bool {
	out := make([]bool, n)
	for i, place := range order(r, n) {
		out[i] = int(place) < portion(n, share)
	}
	return out
}

// users draws which agents people have, near and far alike: those of different operators
// if they mind that.
func (s *Script) users() {
	s.Users = make([]User, s.Scenario.Nodes.Users)
	p := s.Scenario.Privacy
	for i := range s.Users {
		r := s.Rand("user", i)
		s.Users[i] = User{Region: s.Network.draw(r),
			Sending: fill(s.pick(r, p.SendingAgents)), Receiving: fill(s.pick(r, p.ReceivingAgents))}
	}
}

// pick draws agents, of different operators if there are enough.
func (s *Script) pick(r *rand.Rand, n int) (out []int) {
	for tries := 0; len(out) < n; tries++ {
		next := r.IntN(len(s.Agents))
		fits := true
		for _, have := range out {
			if have == next || s.Scenario.Privacy.Diversity && tries < 20*n && s.Agents[have].Operator == s.Agents[next].Operator {
				fits = false
			}
		}
		if fits {
			out = append(out, next)
		}
	}
	return out
}

// relations draws who knows whom: each user meets others at random, and nobody is alone.
func (s *Script) relations() {
	n := len(s.Users)
	r := s.Rand("relations", 0)
	known := map[[2]int32]bool{}
	meet := func(a, b int32) {
		if a > b {
			a, b = b, a
		}
		if a == b || known[[2]int32{a, b}] {
			return
		}
		known[[2]int32{a, b}] = true
		at := int32(len(s.Relations))
		s.Relations = append(s.Relations, Relation{a, b})
		s.Users[a].Contacts = append(s.Users[a].Contacts, at)
		s.Users[b].Contacts = append(s.Users[b].Contacts, at)
	}
	order := r.Perm(n)
	for i := 0; i+1 < n; i += 2 {
		meet(int32(order[i]), int32(order[i+1]))
	}
	if n%2 == 1 {
		meet(int32(order[n-1]), int32(order[0]))
	}
	want := int(s.Scenario.Workload.ContactsPerUser * float64(n) / 2)
	for tries := 0; len(s.Relations) < want && tries < 4*want; tries++ {
		meet(int32(r.IntN(n)), int32(r.IntN(n)))
	}
}
