package report

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
)

// Swept is what many runs of a plan show together: a row for each combination of the keys
// that the plan varies, over its seeds.
type Swept struct {
	Plan
	Runs         int
	Stopped      []string // runs that ended early, which count for nothing here
	Broken       []string // runs in which an assertion or invariant did not hold
	Combinations []Combination
	known        glossary
	scalars      []string // all measures, in order
}

// Combination is the runs that differ by their seed alone.
type Combination struct {
	Values   []string // of the plan's keys, as the scenarios have them
	Runs     int
	Measures map[string]Spread
}

// Spread is a measure over seeds.
type Spread struct {
	Median, Min, Max, Low, High float64 // Low and High: quartiles
	Runs                        int     // that have the measure
}

// fewRuns is how many runs of a combination are drawn with their least and most; of more,
// the quartiles are.
const fewRuns = 4

// Sweep gathers the runs of a plan. What by leaves open is what the runs' own plan says;
// without one, every key whose value varies counts, measures are drawn along the first of
// them that is a number, and the usual measures are drawn. Runs need no figures.
func Sweep(runs []Run, by Plan) *Swept {
	s := &Swept{Plan: by, Runs: len(runs)}
	all := make([][]setting, len(runs))
	of := make([]*Run, len(runs))
	for i := range runs {
		runs[i] = withResults(runs[i])
		all[i], of[i] = settings(runs[i].Scenario), &runs[i]
	}
	s.known = glossaryOf(of...)
	s.complete(of, all)
	s.gather(of, all)
	s.scalars = s.names()
	if len(s.Measures) == 0 {
		s.Measures = s.usual()
	}
	return s
}

// complete fills in what the caller left open.
func (s *Swept) complete(runs []*Run, all [][]setting) {
	for _, r := range runs {
		if len(s.Keys) == 0 {
			s.Keys = r.Plan.Keys
		}
		if s.Against == "" {
			s.Against = r.Plan.Against
		}
		if len(s.Measures) == 0 {
			s.Measures = r.Plan.Measures
		}
	}
	if len(s.Keys) == 0 {
		s.Keys = varied(all)
	}
	s.Keys = slices.DeleteFunc(slices.Clone(s.Keys), func(key string) bool { return key == seedKey })
	if s.Against == "" || !slices.Contains(s.Keys, s.Against) {
		s.Against = ""
		for _, key := range s.Keys {
			if s.Against == "" && numeric(key, all) {
				s.Against = key
			}
		}
		if s.Against == "" && len(s.Keys) > 0 {
			s.Against = s.Keys[0]
		}
	}
}

// numeric says whether a key's values are all numbers, or all lengths of time.
func numeric(key string, all [][]setting) bool {
	times, n := 0, 0
	for _, one := range all {
		_, time, ok := quantity(valueOf(one, key))
		if !ok {
			return false
		}
		if n++; time {
			times++
		}
	}
	return n > 0 && (times == 0 || times == n)
}

// gather puts runs of the same values together, in the order of these values.
func (s *Swept) gather(runs []*Run, all [][]setting) {
	at := map[string]int{}
	var values []map[string][]float64
	for i, r := range runs {
		if r.Outcome.Stopped != "" {
			s.Stopped = append(s.Stopped, label2(r))
			continue
		}
		if !r.Held() {
			s.Broken = append(s.Broken, r.Name)
		}
		var mine []string
		for _, key := range s.Keys {
			mine = append(mine, valueOf(all[i], key))
		}
		id := strings.Join(mine, "\x00")
		j, have := at[id]
		if !have {
			j = len(s.Combinations)
			at[id] = j
			s.Combinations = append(s.Combinations, Combination{Values: mine})
			values = append(values, map[string][]float64{})
		}
		s.Combinations[j].Runs++
		for name, v := range r.Results.Scalars {
			if !math.IsNaN(v) {
				values[j][name] = append(values[j][name], v)
			}
		}
	}
	for j := range s.Combinations {
		s.Combinations[j].Measures = map[string]Spread{}
		for name, v := range values[j] {
			s.Combinations[j].Measures[name] = spreadOf(v)
		}
	}
	slices.SortStableFunc(s.Combinations, func(a, b Combination) int {
		for i := range a.Values {
			if c := compareValues(a.Values[i], b.Values[i]); c != 0 {
				return c
			}
		}
		return 0
	})
}

// compareValues orders numbers and lengths of time as such, and words by the alphabet.
func compareValues(a, b string) int {
	x, _, okX := quantity(a)
	y, _, okY := quantity(b)
	if okX && okY {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

func spreadOf(v []float64) Spread {
	slices.Sort(v)
	return Spread{Median: quantile(v, 0.5), Min: v[0], Max: v[len(v)-1], Low: quantile(v, 0.25), High: quantile(v, 0.75), Runs: len(v)}
}

// quantile is one of sorted values, between neighbours where it falls between them.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) || at == float64(i) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// names lists every measure that a combination has.
func (s *Swept) names() []string {
	all := map[string]bool{}
	for _, c := range s.Combinations {
		for name := range maps.Keys(c.Measures) {
			all[name] = true
		}
	}
	return ordered(s.known, all)
}

// leakPrefix begins the names of measures of what watchers learn.
const leakPrefix = "leak_"

// usual are the measures that are drawn where nobody chose: the main ones and those of
// leakage, as far as they are not the same everywhere.
func (s *Swept) usual() (out []string) {
	for _, name := range s.scalars {
		if !slices.Contains(mainMeasures, name) && !strings.HasPrefix(name, leakPrefix) {
			continue
		}
		values := map[float64]bool{}
		for _, c := range s.Combinations {
			values[c.Measures[name].Median] = true
		}
		if len(values) > 1 {
			out = append(out, name)
		}
	}
	return out
}
