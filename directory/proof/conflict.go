package proof

import (
	"bytes"
	"slices"
)

// ConflictKind is how statements contradict each other.
type ConflictKind uint8

// Kinds of conflict. None is ever resolved silently: the person is shown both sides.
const (
	TwoSuccessors ConflictKind = 1 // B follows A, and C follows A
	Circle        ConflictKind = 2 // whoever follows A, A follows them
	Renamed       ConflictKind = 3 // a name stands for another identity, and nobody who held it says why
)

// Conflict is a contradiction between what a person knows.
type Conflict struct {
	Kind   ConflictKind
	Of     Party // the identity that it is about
	Claims []Party
}

// Named is what a name stood for and what it stands for now.
type Named struct {
	Known, Now Party
}

// Conflicts finds the contradictions among relations, which are verified, and names.
// The result has an order that depends on the input's content alone. A name that passed
// from Known to Now is no conflict if successions lead from one to the other.
func Conflicts(relations []Relation, names ...Named) []Conflict {
	successors := map[Party][]Party{}
	for _, r := range relations {
		if r.Kind == Succession && !slices.Contains(successors[r.A], r.B) {
			successors[r.A] = append(successors[r.A], r.B)
		}
	}
	var found []Conflict
	for of, claims := range successors {
		slices.SortFunc(claims, compareParties)
		if len(claims) > 1 {
			found = append(found, Conflict{TwoSuccessors, of, claims})
		}
		if reaches(successors, of, of) {
			found = append(found, Conflict{Circle, of, claims})
		}
	}
	for _, n := range names {
		if n.Known != n.Now && !reaches(successors, n.Known, n.Now) {
			found = append(found, Conflict{Renamed, n.Known, []Party{n.Now}})
		}
	}
	slices.SortFunc(found, func(a, b Conflict) int {
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		return compareParties(a.Of, b.Of)
	})
	return found
}

// Leads is whether successions lead from one identity to another, and none of those on the
// way is in a contradiction. Relations are verified.
func Leads(relations []Relation, from, to Party) bool {
	odd := map[Party]bool{}
	for _, c := range Conflicts(relations) {
		odd[c.Of] = true
	}
	successors := map[Party][]Party{}
	for _, r := range relations {
		if r.Kind == Succession && !odd[r.A] {
			successors[r.A] = append(successors[r.A], r.B)
		}
	}
	return reaches(successors, from, to)
}

// reaches is whether one step or more lead from one party to the other.
func reaches(successors map[Party][]Party, from, to Party) bool {
	seen := map[Party]bool{}
	queue := []Party{from}
	for len(queue) > 0 {
		next := successors[queue[0]]
		queue = queue[1:]
		for _, p := range next {
			if p == to {
				return true
			}
			if !seen[p] {
				seen[p], queue = true, append(queue, p)
			}
		}
	}
	return false
}

func compareParties(a, b Party) int {
	if c := bytes.Compare(a.Identity[:], b.Identity[:]); c != 0 {
		return c
	}
	return compareKeys(a.Key, b.Key)
}

// Contradict is whether a namespace has said two things about one version of a name.
// Both statements are verified; together they prove it to anyone with the manifests. A
// veto or revocation contradicts nothing.
func Contradict(a, b Statement) bool {
	outside := func(s Statement) bool { return s.Kind == Veto || s.Kind == Revoke }
	return !outside(a) && !outside(b) && a.NS == b.NS && a.Name == b.Name && a.Version == b.Version && a.Hash() != b.Hash()
}
