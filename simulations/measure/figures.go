package measure

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// curvePoints is how many points a distribution is drawn with.
const curvePoints = 200

// figures draws everything that was measured.
func (c *Collector) figures(rows []MinuteRow, end time.Duration) []Figure {
	a := newAxis(c.script.End())
	d := drawing{axis: a, rows: rows, marks: marks(c.script.Scenario, a, end)}
	d.flow()
	d.latencies(c)
	d.attempts(c)
	d.lookups(c)
	d.bytes(c)
	d.storage(c)
	d.load(c)
	d.agents(len(c.agents))
	return d.figures
}

// drawing gathers figures.
type drawing struct {
	axis    axis
	rows    []MinuteRow
	marks   []Mark
	figures []Figure
}

// column is a line of a chart over time: a value of every slice.
type column struct {
	name  string
	value func(*MinuteRow) float64
}

// overTime adds a chart of values that hold for a slice each.
func (d *drawing) overTime(id, title, caption, y string, columns ...column) *Figure {
	f := d.figure(id, title, caption, y)
	f.Kind = Steps
	for _, col := range columns {
		l := Line{Name: col.name}
		for i := range d.rows {
			l.X = append(l.X, d.axis.of(seconds(d.rows[i].FromS)))
			l.Y = append(l.Y, col.value(&d.rows[i]))
		}
		if n := len(d.rows); n > 0 { // the last step ends where the run does
			l.X, l.Y = append(l.X, d.axis.of(seconds(d.rows[n-1].ToS))), append(l.Y, l.Y[n-1])
		}
		f.Lines = append(f.Lines, l)
	}
	return f
}

// figure adds a chart over time without lines.
func (d *drawing) figure(id, title, caption, y string) *Figure {
	d.figures = append(d.figures, Figure{ID: id, Title: title, Caption: caption, X: d.axis.label, Y: y, Kind: Lines, Marks: d.marks})
	return &d.figures[len(d.figures)-1]
}

// quantile is a curve of a chart.
type quantile struct {
	name string
	at   float64
}

// points is a curve over the slices that have a value.
func (d *drawing) points(name string, value func(slice int) (float64, bool)) Line {
	l := Line{Name: name}
	for i := range d.rows {
		if y, ok := value(i); ok {
			l.X, l.Y = append(l.X, d.axis.of(seconds((d.rows[i].FromS+d.rows[i].ToS)/2))), append(l.Y, y)
		}
	}
	return l
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// flow draws what was sent and what arrived.
func (d *drawing) flow() {
	d.overTime("messages", "Messages sent and received",
		"Does what is sent arrive, and how soon after a fault? Where received stays below sent, messages wait; a peak after it is the backlog that arrives.",
		"messages a second",
		column{"sent", func(r *MinuteRow) float64 { return r.rate(r.Sent) }},
		column{"accepted", func(r *MinuteRow) float64 { return r.rate(r.Accepted) }},
		column{"received", func(r *MinuteRow) float64 { return r.rate(r.Received) }})
	f := d.figure("arrived", "Share of messages that arrived, by when they were sent",
		"Which messages never arrived? A point is the share of those sent in its slice of time that were received by the end of the run; below 1 some still wait, or their sender was told, or they are lost.",
		"share")
	f.Lines = []Line{d.points("arrived", func(i int) (float64, bool) {
		r := &d.rows[i]
		return float64(r.Arrived) / float64(r.Sent), r.Sent > 0
	})}
	d.overTime("queue", "Waiting messages",
		"Where do messages wait? Queued: at sending agents, for the receiving agent; held: at receiving agents, for the recipient's client.",
		"messages",
		column{"queued", func(r *MinuteRow) float64 { return float64(r.Queued) }},
		column{"held", func(r *MinuteRow) float64 { return float64(r.Held) }})
}

// rate is a count a second.
func (r *MinuteRow) rate(n int64) float64 {
	if r.ToS <= r.FromS {
		return 0
	}
	return float64(n) / (r.ToS - r.FromS)
}

// latencies draws how long messages take, over time and as a distribution.
func (d *drawing) latencies(c *Collector) {
	f := d.figure("latency", "Latency, by when messages were sent",
		"How long does it take from sent to shown, where neither device was off meanwhile? Half of the messages of a slice of time arrive within p50, 99 % within p99.",
		"latency (ms)")
	f.LogY = true
	for _, q := range []quantile{{"p50", .5}, {"p90", .9}, {"p99", .99}} {
		f.Lines = append(f.Lines, d.points(q.name, func(i int) (float64, bool) {
			h := &c.time.slices[i].latency
			return max(h.Quantile(q.at), 1) / 1000, h.n > 0 // a logarithmic axis has no zero
		}))
	}
	d.distribution("latency-distribution", "Latency, as a distribution",
		"What share of messages got how far within which time? A curve further left is faster; where it stays below 1 there, the rest took longer.",
		"time since sent (ms)", 1000,
		named{"accepted by an agent", &c.accept}, named{"stored at the receiving agent", &c.stored},
		named{"shown, devices on", &c.latency}, named{"shown, all", &c.latencyAny})
}

// named is a histogram for a chart.
type named struct {
	name string
	h    *Histogram
}

// distribution adds a chart of how values are distributed; each is divided by unit.
func (d *drawing) distribution(id, title, caption, x string, unit float64, all ...named) {
	f := Figure{ID: id, Title: title, Caption: caption, X: x, Y: "share", LogX: true, Kind: Lines}
	for _, n := range all {
		if n.h.n == 0 {
			continue
		}
		l := Line{Name: n.name}
		l.X, l.Y = n.h.Distribution(curvePoints)
		for i := range l.X {
			l.X[i] = max(l.X[i], 1) / unit // a logarithmic axis has no zero
		}
		f.Lines = append(f.Lines, l)
	}
	if len(f.Lines) > 0 {
		d.figures = append(d.figures, f)
	}
}

// bars adds a chart of bars.
func (d *drawing) bars(id, title, caption, x, y string, labels []string, values []float64) {
	if len(values) == 0 {
		return
	}
	l := Line{Name: y, Labels: labels, Y: values}
	for i := range values {
		l.X = append(l.X, float64(i))
	}
	d.figures = append(d.figures, Figure{ID: id, Title: title, Caption: caption, X: x, Y: y, Kind: Bars, Lines: []Line{l}})
}

// attemptBounds are the most attempts of each bar.
var attemptBounds = []int{0, 1, 2, 3, 4, 6, 8, 12, 16, 32, 64, maxAttempts}

func (d *drawing) attempts(c *Collector) {
	if c.counts.puts == 0 {
		return
	}
	counts, total := make([]float64, len(attemptBounds)), 0.0
	c.messages.each(func(m message) {
		if m&accepted == 0 {
			return
		}
		i, _ := slices.BinarySearch(attemptBounds, m.attempts())
		counts[i]++
		total++
	})
	var labels []string
	for i := range counts {
		counts[i] /= max(total, 1)
		label := fmt.Sprint(attemptBounds[i])
		if i > 0 && attemptBounds[i-1]+1 < attemptBounds[i] {
			label = fmt.Sprintf("%d–%d", attemptBounds[i-1]+1, attemptBounds[i])
		}
		labels = append(labels, label)
	}
	last := len(counts)
	for last > 0 && counts[last-1] == 0 {
		last--
	}
	d.bars("attempts", "Attempts for each message", "How often must an agent try? The share of accepted messages by how many attempts were made, repetitions included.",
		"attempts", "share of messages", labels[:last], counts[:last])
}

func (d *drawing) lookups(c *Collector) {
	d.distribution("lookup-time", "Time of lookups", "How long does it take to look a name or an agent up? The share of lookups that were done within a time.",
		"time (ms)", 1000, named{"lookups", &c.lookup})
	if c.hops.n == 0 {
		return
	}
	var labels []string
	var shares []float64
	for hops, n := range c.hops.counts[:min(c.hops.max+1, 1<<subBits)] {
		if hops > 0 {
			labels, shares = append(labels, fmt.Sprint(hops)), append(shares, float64(n)/float64(c.hops.n))
		}
	}
	d.bars("lookup-hops", "Hops of lookups", "How many peers are asked one after another, on a lookup's longest way? It grows with the logarithm of the network's size.",
		"hops", "share of lookups", labels, shares)
}

func (d *drawing) bytes(c *Collector) {
	names := slices.SortedFunc(maps.Keys(c.bytes), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.bytes[b], c.bytes[a]), cmp.Compare(a, b))
	})
	unit := size{"bytes", 1}
	if len(names) > 0 {
		unit = sizeFor(float64(c.bytes[names[0]]))
	}
	var values []float64
	for _, name := range names {
		values = append(values, float64(c.bytes[name])/unit.bytes)
	}
	d.bars("bytes", "Bytes by protocol", "What is the bandwidth spent on? Bytes that each stream protocol carried over the whole run, dials and their handshakes apart.",
		"protocol", unit.name, names, values)
}

// size is a unit of bytes.
type size struct {
	name  string
	bytes float64
}

// sizeFor is the unit in which a number of bytes is written shortest.
func sizeFor(bytes float64) size {
	for _, u := range []size{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if bytes >= u.bytes {
			return u
		}
	}
	return size{"bytes", 1}
}
