package measure

import (
	"math"
	"slices"
	"time"

	"communicator/simulations/trace"
)

// Finish is what was measured. It may be called once, also of a run that was stopped
// before its time.
func (c *Collector) Finish(o trace.Outcome) *Results {
	end := max(o.Virtual, c.now)
	c.ups(end, 0)
	c.sumLoads()
	r := &Results{Scalars: map[string]float64{}}
	for name, v := range o.Extra {
		r.set(name, v)
	}
	r.Agents = c.agentRows(end)
	r.Minutes = c.minuteRows(end)
	c.messageScalars(r)
	c.timeScalars(r, end)
	c.agentScalars(r, end)
	r.Figures = c.figures(r.Minutes, end)
	return r
}

// set notes a measure, unless it is infinite or not a number.
func (r *Results) set(name string, v float64) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		r.Scalars[name] = v
	}
}

// quantiles notes those of a histogram, divided by unit, if it has any.
func (r *Results) quantiles(h *Histogram, unit float64, names map[string]float64) {
	for name, q := range names {
		if h.n > 0 {
			r.set(name, h.Quantile(q)/unit)
		}
	}
}

func (c *Collector) messageScalars(r *Results) {
	n := c.counts
	var lost, pending int64
	c.messages.each(func(m message) {
		switch {
		case m.closed():
		case m&accepted != 0:
			lost++
		default:
			pending++
		}
	})
	r.set("sent", float64(n.sent))
	r.set("delivered", float64(n.received))
	r.set("delivery_ratio", float64(n.received)/float64(n.sent))
	r.set("lost", float64(lost))
	r.set("duplicated", float64(n.repeated))
	r.set("expired", float64(n.expired))
	r.set("failed", float64(n.failed))
	r.set("pending", float64(pending))
	if n.puts > 0 { // tier real does not tell of them
		r.set("attempts_per_message", float64(n.puts)/float64(n.accepted))
	}
	r.set("refused_share", float64(n.refused)/float64(n.puts))
	r.set("rotations", float64(n.rotated))
	r.set("stray_events", float64(n.stray))
	var total int64
	for _, b := range c.bytes {
		total += b
	}
	r.set("bytes_total", float64(total))
	r.set("bytes_per_message", float64(total)/float64(n.received))
}

func (c *Collector) timeScalars(r *Results, end time.Duration) {
	const ms, s = 1000, 1000 // histograms are in µs, or in ms
	r.quantiles(&c.latency, ms, map[string]float64{"latency_p50_ms": .5, "latency_p90_ms": .9, "latency_p99_ms": .99})
	if c.latency.n > 0 {
		r.set("latency_max_ms", c.latency.Max()/ms)
	}
	r.quantiles(&c.latencyAny, ms, map[string]float64{"latency_any_p99_ms": .99})
	r.quantiles(&c.accept, ms, map[string]float64{"accept_p50_ms": .5, "accept_p99_ms": .99})
	r.quantiles(&c.stored, ms, map[string]float64{"stored_p50_ms": .5, "stored_p99_ms": .99})
	r.quantiles(&c.lookup, ms, map[string]float64{"lookup_p50_ms": .5, "lookup_p99_ms": .99})
	r.quantiles(&c.hops, 1, map[string]float64{"lookup_hops_p50": .5})
	r.set("lookup_success", float64(c.founds)/float64(c.lookup.n))
	r.set("lookup_true", float64(c.trues)/float64(c.lookup.n))
	r.quantiles(&c.join, s, map[string]float64{"join_p50_s": .5})
	r.quantiles(&c.start, 1, map[string]float64{"start_p99_ms": .99})
	if c.join.n > 0 {
		r.set("joined", float64(c.counts.joined))
	}
	if !c.heals || c.healed > end {
		return
	}
	if c.undrained == 0 && !c.hasDrained { // nothing was under way
		c.drained = c.healed
	} else if c.undrained > 0 {
		c.drained = end
	}
	r.set("drained_s", (c.drained - c.healed).Seconds())
	r.set("undrained", float64(c.undrained))
}

func (c *Collector) agentScalars(r *Results, end time.Duration) {
	r.set("agents_up_mean", float64(c.upSum)/float64(end))
	if c.loads.heard {
		var sizes Histogram
		for _, l := range c.loads.last {
			sizes.Add(l.Bytes)
		}
		r.quantiles(&sizes, 1, map[string]float64{"storage_bytes_agent_p50": .5, "storage_bytes_agent_p99": .99})
		r.set("storage_bytes_agent_max", float64(c.loads.storedAgentMax))
		r.set("queued_max", float64(c.loads.queuedMax))
		r.set("queued_agent_max", float64(c.loads.queuedAgentMax))
	}
	if carried := c.carried(); c.counts.puts > 0 {
		r.set("load_share_max", carried[len(carried)-1]/sum(carried))
		r.set("load_gini", gini(carried))
	}
}

// carried is how many attempts each agent made or was offered, the least first.
func (c *Collector) carried() []float64 {
	out := make([]float64, len(c.agents))
	for i := range c.agents {
		out[i] = float64(c.agents[i].row.Puts + c.agents[i].row.Offered)
	}
	slices.Sort(out)
	return out
}

func sum(xs []float64) (total float64) {
	for _, x := range xs {
		total += x
	}
	return total
}

// gini is the Gini coefficient of sorted values: the mean difference between two of them
// by twice the mean.
func gini(sorted []float64) float64 {
	weighted := 0.0
	for i, x := range sorted {
		weighted += float64(2*(i+1)-len(sorted)-1) * x
	}
	return weighted / (float64(len(sorted)) * sum(sorted))
}

func (c *Collector) agentRows(end time.Duration) []AgentRow {
	out := make([]AgentRow, len(c.agents))
	for i := range c.agents {
		a := &c.agents[i]
		out[i] = a.row
		if !a.down {
			out[i].UpS += (end - a.since).Seconds()
		}
		if c.counts.puts > 0 {
			out[i].Share = float64(a.row.Puts+a.row.Offered) / float64(2*c.counts.puts)
		}
	}
	return out
}

func (c *Collector) minuteRows(end time.Duration) []MinuteRow {
	n := min(int((end+c.time.width-1)/c.time.width), len(c.time.slices))
	out := make([]MinuteRow, n)
	for i := range out {
		s := &c.time.slices[i]
		from, to := time.Duration(i)*c.time.width, min(time.Duration(i+1)*c.time.width, end)
		out[i] = s.row
		out[i].FromS, out[i].ToS = from.Seconds(), to.Seconds()
		out[i].LatencyP50MS, out[i].LatencyP99MS = s.latency.Quantile(.5)/1000, s.latency.Quantile(.99)/1000
		if to > from {
			out[i].AgentsUp = float64(s.up) / float64(to-from)
		}
	}
	return out
}
