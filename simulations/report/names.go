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
}

// describe says what a measure means, as far as its name does.
func describe(name string) measure.Name {
	for _, n := range measure.Names {
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

// ordered lists names in the order of [measure.Names], and after these by the alphabet.
func ordered[V any](m map[string]V) []string {
	rank := map[string]int{}
	for i, n := range measure.Names {
		rank[n.Name] = i
	}
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		ra, known := rank[a]
		if !known {
			ra = len(rank)
		}
		rb, known := rank[b]
		if !known {
			rb = len(rank)
		}
		if ra != rb {
			return ra - rb
		}
		return strings.Compare(a, b)
	})
}
