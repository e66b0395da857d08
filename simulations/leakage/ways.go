package leakage

import "communicator/simulations/script"

// way is who wrote a message to whom.
type way struct {
	relation int32
	from, to int32
	forward  bool // from the relation's A to its B
}

const pageBits = 16

// ways keeps, in four bytes a message, whose each is: the relation's number plus 1, shifted
// by one, and whether it goes forward.
type ways []*[1 << pageBits]uint32

func (t *ways) set(number uint32, relation int32, forward bool) {
	page := int(number >> pageBits)
	for len(*t) <= page {
		*t = append(*t, nil)
	}
	if (*t)[page] == nil {
		(*t)[page] = new([1 << pageBits]uint32)
	}
	v := uint32(relation+1) << 1
	if forward {
		v |= 1
	}
	(*t)[page][number&(1<<pageBits-1)] = v
}

// of finds a message's way; false if nobody wrote it.
func (t ways) of(number uint32, s *script.Script) (way, bool) {
	page := int(number >> pageBits)
	if page >= len(t) || t[page] == nil {
		return way{}, false
	}
	v := t[page][number&(1<<pageBits-1)]
	if v == 0 {
		return way{}, false
	}
	w := way{relation: int32(v>>1) - 1, forward: v&1 == 1}
	r := s.Relations[w.relation]
	w.from, w.to = r.B, r.A
	if w.forward {
		w.from, w.to = r.A, r.B
	}
	return w, true
}

// relationOf finds how two users know each other.
func relationOf(s *script.Script, a, b int32) (int32, bool) {
	if a < 0 || b < 0 || int(a) >= len(s.Users) || int(b) >= len(s.Users) {
		return 0, false
	}
	if len(s.Users[b].Contacts) < len(s.Users[a].Contacts) {
		a, b = b, a
	}
	for _, rel := range s.Users[a].Contacts {
		if s.Relations[rel].Other(a) == b {
			return rel, true
		}
	}
	return 0, false
}

// targets are the pairs whose anonymity is measured: drawn with the scenario's seed, so
// that they are the same whatever else changes.
type targets struct {
	relations []int32
	of        map[int32]int32 // relation → place
}

func newTargets(s *script.Script) *targets {
	t := &targets{of: map[int32]int32{}}
	want := s.Scenario.Adversary.Targets
	if want == 0 {
		want = defaultTargets
	}
	want = min(want, len(s.Relations))
	r := s.Rand("targets", 0)
	for len(t.relations) < want {
		rel := int32(r.IntN(len(s.Relations)))
		if _, have := t.of[rel]; !have {
			t.of[rel] = int32(len(t.relations))
			t.relations = append(t.relations, rel)
		}
	}
	return t
}
