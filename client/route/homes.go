package route

import (
	"math/rand/v2"
	"slices"

	"communicator/wire"
)

// Homes are the receiving agents at which a relationship's mailboxes lie.
type Homes struct {
	Normal   []wire.AgentID // at most two
	Lifeline *wire.AgentID  // at a third, or nil
}

// NormalHomes is how many receiving agents a peer should have addresses at, beside the
// lifeline.
const NormalHomes = 2

// Choose keeps the current homes that are still usable and fills up from the other
// usable agents at random: two for ordinary addresses first, then a third for the
// lifeline. Usable agents are those that receive and neither drain nor are dead.
func Choose(usable []wire.AgentID, current Homes, rnd *rand.Rand) Homes {
	var h Homes
	for _, a := range current.Normal {
		if slices.Contains(usable, a) && !slices.Contains(h.Normal, a) && len(h.Normal) < NormalHomes {
			h.Normal = append(h.Normal, a)
		}
	}
	if l := current.Lifeline; l != nil && slices.Contains(usable, *l) && !slices.Contains(h.Normal, *l) {
		h.Lifeline = l
	}
	rest := slices.DeleteFunc(slices.Clone(usable), func(a wire.AgentID) bool {
		return slices.Contains(h.Normal, a) || h.Lifeline != nil && *h.Lifeline == a
	})
	rnd.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	for len(h.Normal) < NormalHomes && len(rest) > 0 {
		h.Normal, rest = append(h.Normal, rest[0]), rest[1:]
	}
	if len(h.Normal) < NormalHomes && h.Lifeline != nil {
		// Two ordinary addresses carry more than one and a lifeline.
		h.Normal, h.Lifeline = append(h.Normal, *h.Lifeline), nil
	}
	if h.Lifeline == nil && len(rest) > 0 {
		h.Lifeline = &rest[0]
	}
	return h
}

// Equal says whether two homes are the same agents, in whatever order.
func (h Homes) Equal(o Homes) bool {
	if len(h.Normal) != len(o.Normal) || (h.Lifeline == nil) != (o.Lifeline == nil) {
		return false
	}
	for _, a := range h.Normal {
		if !slices.Contains(o.Normal, a) {
			return false
		}
	}
	return h.Lifeline == nil || *h.Lifeline == *o.Lifeline
}

// Lost says whether a current home is no longer among the wanted ones: its addresses
// lead to an agent that is being left.
func (h Homes) Lost(wanted Homes) bool {
	for _, a := range h.Normal {
		if !slices.Contains(wanted.Normal, a) {
			return true
		}
	}
	return h.Lifeline != nil && (wanted.Lifeline == nil || *h.Lifeline != *wanted.Lifeline)
}

// Degraded says in words what is missing, or nothing.
func (h Homes) Degraded() string {
	switch {
	case len(h.Normal) == 0:
		return "no receiving agent: nothing can arrive"
	case len(h.Normal) < NormalHomes:
		return "one receiving agent only: if it dies, the conversation does"
	case h.Lifeline == nil:
		return "no third receiving agent for a lifeline"
	}
	return ""
}
