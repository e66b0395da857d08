package leakage

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"communicator/simulations/script"
)

// traffic counts each user's messages by the agent that they went through.
type traffic struct {
	home   func(user int32) *[script.MaxAgents]int32
	counts [][script.MaxAgents]uint32
	moved  map[[2]int32]uint32 // user and agent, where the script did not foresee it
	more   map[int32][]visit   // moved by user, once closed
}

// visit is how many messages went through an agent.
type visit struct {
	agent int32
	n     uint32
}

func newTraffic(users int, home func(int32) *[script.MaxAgents]int32) traffic {
	return traffic{home: home, counts: make([][script.MaxAgents]uint32, users), moved: map[[2]int32]uint32{}}
}

func (t *traffic) add(user, agent int32) {
	for i, at := range t.home(user) {
		if at == agent {
			t.counts[user][i]++
			return
		}
	}
	t.moved[[2]int32{user, agent}]++
}

// close orders what moved, so that every run of a seed adds up in one order.
func (t *traffic) close() {
	t.more = map[int32][]visit{}
	for k, n := range t.moved {
		t.more[k[0]] = append(t.more[k[0]], visit{k[1], n})
	}
	for _, v := range t.more {
		slices.SortFunc(v, func(a, b visit) int { return cmp.Compare(a.agent, b.agent) })
	}
}

// each visits the agents that a user's messages went through.
func (t *traffic) each(user int32, f func(visit)) {
	for i, at := range t.home(user) {
		if n := t.counts[user][i]; n > 0 {
			f(visit{at, n})
		}
	}
	for _, v := range t.more[user] {
		f(v)
	}
}

func (t *traffic) through(user, agent int32) (n uint32) {
	t.each(user, func(v visit) {
		if v.agent == agent {
			n += v.n
		}
	})
	return n
}

func (t *traffic) total(user int32) (n uint32) {
	t.each(user, func(v visit) { n += v.n })
	return n
}

// clients lists, for each of the agents, the users whose messages went through it.
func (t *traffic) clients(agents map[int32]bool) map[int32][]int32 {
	out := map[int32][]int32{}
	for u := range t.counts {
		t.each(int32(u), func(v visit) {
			if agents[v.agent] {
				out[v.agent] = append(out[v.agent], int32(u))
			}
		})
	}
	return out
}

// prior is what is known before anything is seen: everybody is as likely as they write, or
// are written to.
type prior struct {
	traffic *traffic
	clients map[int32][]int32
	totals  []float64 // sorted, of those who have any
	sum     float64
	logs    float64 // Σ t log2 t
}

// newPrior prepares for questions with evidence about the agents.
func newPrior(t *traffic, agents map[int32]bool) prior {
	t.close()
	p := prior{traffic: t, clients: t.clients(agents)}
	for u := range t.counts {
		if n := float64(t.total(int32(u))); n > 0 {
			p.totals = append(p.totals, n)
			p.sum += n
			p.logs += n * math.Log2(n)
		}
	}
	slices.Sort(p.totals)
	return p
}

// candidates is how many there are besides somebody.
func (p *prior) candidates(except int32) int {
	n := len(p.totals)
	if p.traffic.total(except) > 0 {
		n--
	}
	return n
}

// blind is the anonymity of a user among all others but one, when nothing was seen.
func (p *prior) blind(truth, except int32) anonymity {
	x, t := float64(p.traffic.total(except)), float64(p.traffic.total(truth))
	sum, logs := p.sum-x, p.logs
	largest := p.totals[len(p.totals)-1]
	if x > 0 {
		logs -= x * math.Log2(x)
		if x == largest && len(p.totals) > 1 {
			largest = p.totals[len(p.totals)-2]
		}
	}
	below, upTo := sort.SearchFloat64s(p.totals, t), sort.SearchFloat64s(p.totals, t+0.5) // whole numbers
	above, equal := float64(len(p.totals)-upTo), float64(upTo-below-1)
	switch {
	case x > t:
		above--
	case x == t:
		equal--
	}
	return anonymity{entropy: max(math.Log2(sum)-logs/sum, 0), max: largest / sum, truth: t / sum, rank: 1 + above + equal/2, wrong: t < largest}
}

// given is the anonymity of a user among the others but one, for whom knows through which
// agents the messages of a relationship went: Bayes' rule, where a user's relationship uses
// an agent as often as the user's messages do over the whole run. Each agent counts once,
// however many messages it carried: clients keep to agents that work, so the second
// message through one says nothing new. Who is a client of not all of them is ruled out.
func (p *prior) given(agents []int32, truth, except int32) anonymity {
	if len(agents) == 0 {
		return p.blind(truth, except)
	}
	fewest := p.clients[agents[0]]
	for _, a := range agents[1:] {
		if l := p.clients[a]; len(l) < len(fewest) {
			fewest = l
		}
	}
	weights, at := make([]float64, 0, len(fewest)), 0
	largest := math.Inf(-1)
	for _, u := range fewest {
		if u == except {
			continue
		}
		if u == truth {
			at = len(weights)
		}
		w := p.likelihood(u, agents)
		largest = max(largest, w)
		weights = append(weights, w)
	}
	for i, w := range weights {
		weights[i] = math.Exp(w - largest)
	}
	return summarize(weights, at)
}

// likelihood is the logarithm of a user's traffic times the probability that a relationship
// of theirs uses these agents.
func (p *prior) likelihood(user int32, agents []int32) float64 {
	total := float64(p.traffic.total(user))
	w := math.Log(total)
	for _, a := range agents {
		w += math.Log(float64(p.traffic.through(user, a)) / total) // of 0: ruled out
	}
	return w
}
