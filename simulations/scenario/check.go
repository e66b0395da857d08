package scenario

import (
	"fmt"
	"slices"
	"strconv"
)

// check finds what contradicts itself, beyond each value's own bounds.
func (s *Scenario) check() (out []Problem) {
	wrong := func(key, got, expected string) { out = append(out, Problem{Key: key, Got: got, Expected: expected}) }
	if n := max(s.Privacy.SendingAgents, s.Privacy.ReceivingAgents); s.Nodes.Agents < n {
		wrong("nodes.agents", strconv.Itoa(s.Nodes.Agents), fmt.Sprintf("at least the %d that each user has", n))
	}
	if s.Nodes.Operators > s.Nodes.Agents {
		wrong("nodes.operators", strconv.Itoa(s.Nodes.Operators), "at most as many as there are agents")
	}
	if s.Workload.Online == 0 {
		wrong("workload.online", "0", "more than 0, or nobody ever receives anything")
	}
	if s.Workload.LookupsPerUserHour > 0 && s.Workload.Names == 0 {
		wrong("workload.names", "0", "at least 1 where names are looked up")
	}
	if s.Adversary.Sybil.Target != "none" && (s.Workload.Names == 0 || s.Adversary.Sybil.Count == 0) {
		wrong("adversary.sybil", s.Adversary.Sybil.Target, "workload.names and a count above 0 with it")
	}
	if s.Latency.Model == "matrix" && s.Latency.Matrix == "" {
		wrong("latency.matrix", "empty", "a CSV file")
	}
	if s.Runs() == Real {
		if s.Adversary.Sybil.Target != "none" {
			wrong("adversary.sybil", s.Adversary.Sybil.Target, "none: Sybils are there in tier model only (use tier: model)")
		}
		if s.Privacy.Padding == "none" {
			wrong("privacy.padding", "none", "buckets: clients of tier real always pad (use tier: model)")
		}
		if s.Nodes.Storage == "badger" && s.Nodes.Agents > 200 {
			wrong("nodes.storage", "badger", "memory for over 200 agents")
		}
	} else if s.Nodes.Storage == "badger" {
		wrong("nodes.storage", "badger", "memory in tier model, which stores nothing")
	}
	for i := range s.Events {
		out = append(out, s.Events[i].check(s, "events["+strconv.Itoa(i)+"]")...)
	}
	return out
}

func (e *Event) check(s *Scenario, key string) (out []Problem) {
	acts := []bool{len(e.Partition) > 0, e.CutOff > 0, e.Kill > 0, e.Freeze > 0, e.Drain > 0, e.Leave > 0,
		e.Loss > 0, e.Slow > 0, e.Offline > 0, e.Full > 0, e.Crowd.Factor > 0}
	n := 0
	for _, set := range acts {
		if set {
			n++
		}
	}
	if n != 1 {
		out = append(out, Problem{Key: key, Got: fmt.Sprintf("%d actions", n),
			Expected: "one of partition, cut_off, kill, freeze, drain, leave, loss, slow, offline, full, crowd"})
	}
	if e.At > s.Duration+s.Drain {
		out = append(out, Problem{Key: key + ".at", Got: e.At.String(), Expected: "a time before the end, " + (s.Duration + s.Drain).String()})
	}
	if s.Latency.Model != "matrix" {
		for _, r := range e.Partition {
			if !slices.Contains(Regions, r) {
				out = append(out, Problem{Key: key + ".partition", Got: r, Expected: fmt.Sprintf("regions out of %v", Regions)})
			}
		}
	}
	if e.Leave > 0 && s.Nodes.Operators > 0 && e.Leave >= s.Nodes.Operators {
		out = append(out, Problem{Key: key + ".leave", Got: strconv.Itoa(e.Leave), Expected: "fewer than all operators"})
	}
	return out
}

// Regions of the latency model of that name.
var Regions = []string{"eu", "us-east", "us-west", "asia", "sa", "oceania"}
