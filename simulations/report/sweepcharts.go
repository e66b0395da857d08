package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"communicator/simulations/measure"
)

// sweepName is the name of a sweep's files.
const sweepName = "sweep"

// costs are what measures against watching are paid with.
var costs = []string{"latency_p50_ms", "bytes_per_message"}

// charts draws each measure along the key, and what leakage costs.
func (s *Swept) charts() (out []chart) {
	at := slices.Index(s.Keys, s.Against)
	if at < 0 {
		return nil
	}
	lines := s.lines(at)
	for _, name := range s.Measures {
		out = append(out, s.along(name, at, lines))
	}
	for _, leak := range s.Measures {
		if !strings.HasPrefix(leak, leakPrefix) {
			continue
		}
		for _, cost := range costs {
			if c := s.against(leak, cost, at); len(c.series) > 0 {
				out = append(out, c)
			}
		}
	}
	return out
}

// sweepLine is the combinations that differ in one key alone.
type sweepLine struct {
	name   string
	of     []*Combination // in the order of that key
	points []string       // what each stands for
}

// lines gathers the combinations into lines along the key with an index.
func (s *Swept) lines(at int) (out []sweepLine) {
	known := map[string]int{}
	for i := range s.Combinations {
		c := &s.Combinations[i]
		var parts []string
		for j, v := range c.Values {
			if j != at {
				parts = append(parts, shortKey(s.Keys[j], s.Keys)+" "+dash(v))
			}
		}
		name := strings.Join(parts, ", ")
		j, have := known[name]
		if !have {
			j = len(out)
			known[name] = j
			out = append(out, sweepLine{name: name})
		}
		out[j].of = append(out[j].of, c)
	}
	for _, l := range out {
		slices.SortStableFunc(l.of, func(a, b *Combination) int { return compareValues(a.Values[at], b.Values[at]) })
	}
	for i := range out {
		for _, c := range out[i].of {
			out[i].points = append(out[i].points, dash(c.Values[at]))
		}
	}
	return out
}

// shortKey is a key's last part, where no other key ends in the same.
func shortKey(key string, keys []string) string {
	last := key[strings.LastIndexByte(key, '.')+1:]
	for _, other := range keys {
		if other != key && strings.HasSuffix(other, "."+last) {
			return key
		}
	}
	return strings.ReplaceAll(last, "_", " ")
}

// along draws a measure along the key: lines where its values are numbers, else bars.
func (s *Swept) along(name string, at int, lines []sweepLine) chart {
	about := s.known.describe(name)
	c := chart{title: name, kind: measure.Lines, y: withUnit(name, about.Unit), x: s.Keys[at], file: sweepName + ".csv"}
	scale, unit, numbers := s.scale(at)
	if unit != "" {
		c.x += " (" + unit + ")"
	}
	if !numbers {
		c.kind = measure.Bars
	}
	for i, l := range lines[:min(len(lines), maxLines)] {
		one := series{name: l.name, style: i, dots: true}
		for _, of := range l.of {
			spread, measured := of.Measures[name]
			if !measured {
				continue
			}
			x, _, _ := quantity(of.Values[at])
			low, high := spread.Min, spread.Max
			if of.Runs > fewRuns {
				low, high = spread.Low, spread.High
			}
			one.x, one.y = append(one.x, x/scale), append(one.y, spread.Median)
			one.low, one.high = append(one.low, low), append(one.high, high)
			if !numbers {
				one.labels = append(one.labels, dash(of.Values[at]))
			}
		}
		c.series = append(c.series, one)
	}
	c.caption = s.caption(about.Doc, len(lines))
	c.logX, c.logY = numbers && c.wideX(), numbers && c.wideY()
	return c
}

func withUnit(name, unit string) string {
	if unit == "" {
		return name
	}
	return name + " (" + unit + ")"
}

// caption is what a measure means, and along what it is drawn.
func (s *Swept) caption(doc string, lines int) string {
	text := "How does it change with " + s.Against + "?"
	if doc != "" {
		text = strings.ToUpper(doc[:1]) + doc[1:] + ". " + text
	}
	return text + leftOut(lines)
}

// leftOut says that there are more lines than a chart shows.
func leftOut(lines int) string {
	if lines <= maxLines {
		return ""
	}
	return fmt.Sprintf(" The first %d of %d lines are drawn; all are in the data.", maxLines, lines)
}

// scale is the unit in which a key's lengths of time are drawn; 1 for numbers.
func (s *Swept) scale(at int) (scale float64, unit string, numbers bool) {
	most, times := 0.0, 0
	for _, c := range s.Combinations {
		v, time, ok := quantity(c.Values[at])
		if !ok {
			return 1, "", false
		}
		if most = max(most, v); time && v != 0 {
			times++
		}
	}
	if times == 0 {
		return 1, "", true
	}
	for _, u := range []struct {
		seconds float64
		name    string
	}{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}} {
		if most >= 2*u.seconds {
			return u.seconds, u.name, true
		}
	}
	return 1e-3, "ms", true
}

// wide says whether values cover so many powers of ten that an axis should too.
func wide(s span, factor float64) bool { return s.min > 0 && s.max/s.min >= factor }

func (c *chart) wideX() bool { x, _ := c.spans(); return wide(x, 50) && len(c.series[0].x) > 2 }

func (c *chart) wideY() bool { _, y := c.spans(); return wide(y, 50) }

// against draws what is learned against what it costs: one point for each combination.
// Lines join what people choose between: combinations along the key if that is theirs to
// choose, and else those at the same value of it, which is the world's.
func (s *Swept) against(leak, cost string, at int) chart {
	c := chart{title: leak + " against " + cost, kind: measure.Lines, file: sweepName + ".csv",
		x: withUnit(cost, s.known.describe(cost).Unit), y: withUnit(leak, s.known.describe(leak).Unit)}
	lines := s.lines(at)
	joined := "in " + s.Against
	if !strings.HasPrefix(s.Against, choicePrefix) && len(s.Keys) > 1 {
		lines, joined = s.worlds(at), "in what people choose, at one value of "+s.Against
	}
	c.caption = fmt.Sprintf("What does it buy and what does it cost? Each point is a combination; a line joins those that differ %s.", joined) + leftOut(len(lines))
	lines = lines[:min(len(lines), maxLines)]
	for i, line := range lines {
		one := series{name: line.name, style: i, dots: true}
		for j, of := range line.of {
			x, okX := of.Measures[cost]
			y, okY := of.Measures[leak]
			if !okX || !okY {
				continue
			}
			text := ""
			if i == len(lines)-1 || len(lines) <= 3 {
				text = line.points[j]
			}
			one.x, one.y, one.labels = append(one.x, x.Median), append(one.y, y.Median), append(one.labels, text)
		}
		if len(one.y) > 0 {
			one.sort()
			c.series = append(c.series, one)
		}
	}
	if len(c.series) > 0 {
		x, y := c.spans()
		c.logX, c.logY = wide(x, 50), wide(y, 50)
	}
	return c
}

// choicePrefix begins the keys that are people's to choose.
const choicePrefix = "privacy."

// worlds gathers the combinations into lines of the same value of the key with an index.
func (s *Swept) worlds(at int) (out []sweepLine) {
	for _, l := range s.lines(at) {
		for _, c := range l.of {
			i := slices.IndexFunc(out, func(have sweepLine) bool { return have.of[0].Values[at] == c.Values[at] })
			if i < 0 {
				i = len(out)
				out = append(out, sweepLine{name: shortKey(s.Keys[at], s.Keys) + " " + dash(c.Values[at])})
			}
			out[i].of, out[i].points = append(out[i].of, c), append(out[i].points, l.name)
		}
	}
	return out
}

// sort puts a line's points in the order of the x axis.
func (s *series) sort() {
	order := make([]int, len(s.x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.x[a], s.x[b]) })
	sorted := *s
	sorted.x, sorted.y, sorted.labels = nil, nil, nil
	for _, i := range order {
		sorted.x, sorted.y, sorted.labels = append(sorted.x, s.x[i]), append(sorted.y, s.y[i]), append(sorted.labels, s.labels[i])
	}
	*s = sorted
}

// table is every combination with every measure.
func (s *Swept) table() table {
	t := table{rows: len(s.Combinations)}
	var cells []func(*Combination) any
	add := func(name string, cell func(*Combination) any) {
		kind := numberType
		switch cell(&Combination{Values: make([]string, len(s.Keys))}).(type) {
		case string:
			kind = textType
		case int64:
			kind = wholeType
		}
		t.columns, cells = append(t.columns, column{columnName(name), kind}), append(cells, cell)
	}
	for i, key := range s.Keys {
		add(key, func(c *Combination) any { return c.Values[i] })
		if _, unit, numbers := s.scale(i); numbers {
			name := key + "_number"
			if unit != "" {
				name = key + "_seconds"
			}
			add(name, func(c *Combination) any { v, _, _ := quantity(c.Values[i]); return v })
		}
	}
	add("runs", func(c *Combination) any { return int64(c.Runs) })
	for _, name := range s.scalars {
		for _, part := range []struct {
			suffix string
			of     func(Spread) float64
		}{{"", func(x Spread) float64 { return x.Median }}, {"_min", func(x Spread) float64 { return x.Min }}, {"_max", func(x Spread) float64 { return x.Max }},
			{"_q25", func(x Spread) float64 { return x.Low }}, {"_q75", func(x Spread) float64 { return x.High }}} {
			add(name+part.suffix, func(c *Combination) any {
				if x, measured := c.Measures[name]; measured {
					return part.of(x)
				}
				return math.NaN()
			})
		}
	}
	t.cell = func(row, column int) any { return cells[column](&s.Combinations[row]) }
	return t
}

// columnName has letters, digits and lines alone, which every reader of tables takes.
func columnName(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, s), "_")
}
