package report

import (
	"maps"
	"slices"
	"strings"

	"communicator/simulations/measure"
)

// mainMeasures are those that a reader looks for first.
var mainMeasures = []string{
	"sent", "delivered", "delivery_ratio", "lost", "duplicated", "expired", "failed", "pending",
	"latency_p50_ms", "latency_p99_ms", "attempts_per_message", "lookup_success",
	"bytes_per_message", "storage_bytes_agent_p99", "load_share_max", "drained_s", "agents_up_mean",
	"leak_linked_pairs", "leak_messages_until_linked_p50", "leak_effective_set_p50", "leak_max_probability_p99", "leak_identified",
}

// glossary explains measures, in the order in which pages show them.
type glossary []measure.Name

// glossaryOf is that of every run, and what some runs add to it.
func glossaryOf(runs ...*Run) glossary {
	g := slices.Clone(glossary(measure.Names))
	for _, r := range runs {
		for _, n := range r.Names {
			if !slices.ContainsFunc(g, func(m measure.Name) bool { return m.Name == n.Name }) {
				g = append(g, n)
			}
		}
	}
	return g
}

// describe says what a measure means, as far as its name does.
func (g glossary) describe(name string) measure.Name {
	for _, n := range g {
		if n.Name == name {
			return n
		}
	}
	return measure.Name{Name: name, Unit: unitOf(name)}
}

// unitOf reads the unit from the end of a name that no table explains.
func unitOf(name string) string {
	for _, u := range []struct{ end, unit string }{
		{"_ms", "ms"}, {"_s", "s"}, {"_bytes", "bytes"}, {"_bits", "bits"}, {"_share", "share"}, {"_ratio", "share"}} {
		if strings.HasSuffix(name, u.end) {
			return u.unit
		}
	}
	return ""
}

// ordered lists names in the order of the glossary, and after these by the alphabet.
func ordered[V any](g glossary, m map[string]V) []string {
	rank := map[string]int{}
	for i, n := range g {
		rank[n.Name] = i + 1
	}
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		ra, rb := rank[a], rank[b]
		switch {
		case ra != 0 && rb != 0:
			return ra - rb
		case ra != rb: // the known one first
			return rb - ra
		default:
			return strings.Compare(a, b)
		}
	})
}
