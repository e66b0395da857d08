package measure

// storage draws what agents store, over time and agent by agent.
func (d *drawing) storage(c *Collector) {
	if !c.loads.heard {
		return
	}
	unit := sizeFor(float64(c.loads.storedAgentMax))
	f := d.figure("storage", "Storage of agents",
		"Does storage follow what is in use, or grow for ever? What the median agent stores, what 99 % store at most, and the most that any stores, log included.",
		unit.name+" stored")
	for _, q := range []quantile{{"p50", .5}, {"p99", .99}, {"max", 1}} {
		f.Lines = append(f.Lines, d.points(q.name, func(i int) (float64, bool) {
			h := &c.time.slices[i].bytes
			return h.Quantile(q.at) / unit.bytes, h.n > 0
		}))
	}
	var now, most Histogram
	for i := range c.agents {
		now.Add(c.agents[i].row.Bytes)
		most.Add(c.agents[i].row.BytesMax)
	}
	d.distribution("storage-agents", "Storage, agent by agent", "How unevenly is storage spread? The share of agents that store at most so much, at the end and at their worst.",
		unit.name+" stored", unit.bytes, named{"at the end", &now}, named{"at most, ever", &most})
}

// load draws how evenly agents carry attempts: their Lorenz curve.
func (d *drawing) load(c *Collector) {
	if c.counts.puts == 0 {
		return
	}
	carried := c.carried()
	total, sofar := sum(carried), 0.0
	even := Line{Name: "all alike", X: []float64{0, 1}, Y: []float64{0, 1}}
	l := Line{Name: "agents", X: []float64{0}, Y: []float64{0}}
	n := len(carried)
	for i, x := range carried {
		sofar += x
		if step := max(n/curvePoints, 1); (i+1)%step == 0 || i == n-1 {
			l.X, l.Y = append(l.X, float64(i+1)/float64(n)), append(l.Y, sofar/total)
		}
	}
	d.figures = append(d.figures, Figure{ID: "load", Title: "Load of agents (Lorenz curve)", X: "share of agents, the least loaded first", Y: "share of attempts",
		Kind: Lines, Lines: []Line{l, even},
		Caption: "Who carries the network? At x the y that the x least loaded agents carry together, as senders and receivers; the further below the diagonal, the more depends on a few."})
}

// agents draws how many are up.
func (d *drawing) agents(all int) {
	f := d.overTime("agents-up", "Agents that are up", "How much of the network was there? The mean of each slice of time.",
		"agents", column{"up", func(r *MinuteRow) float64 { return r.AgentsUp }})
	if n := len(d.rows); n > 0 {
		f.Lines = append(f.Lines, Line{Name: "all", X: []float64{d.axis.of(0), d.axis.of(seconds(d.rows[n-1].ToS))},
			Y: []float64{float64(all), float64(all)}})
	}
}
