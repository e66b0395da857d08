package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// side is one of those that are compared.
type side struct {
	name string
	// missing says what to install, or nothing.
	missing func() string
	measure func(ctx context.Context, o options, clients int) (perSecond float64, err error)
	// what is said of it in the report
	does string
	// goals are how many times as fast ours shall be, by number of clients.
	goals map[int]float64
}

var ours = side{
	name: "ours", measure: measureOurs, missing: func() string { return "" },
	does: "client, sending agent, receiving agent and back: synced at both agents, a fresh X-Wing seal for each message, encrypted connections, done when the client has opened the outcome",
}

var rivals = []side{
	{
		name: "nats", measure: measureNATS, missing: func() string { return "" },
		does:  "NATS JetStream " + natsVersion + ", R1, one stream in files, sync_interval always: synced once, nothing encrypted, done when the publisher has its acknowledgement",
		goals: map[int]float64{64: 2, 256: 4},
	},
	{
		name: "postfix", measure: measurePostfix, missing: postfixMissing,
		does:  "Postfix over SMTP into Maildir: queue and mail file synced, nothing encrypted, connections kept, done when the file is in the Maildir",
		goals: map[int]float64{64: 6},
	},
}

// report is what a run found.
type report struct {
	Size     int               `json:"size"`
	Rounds   int               `json:"rounds"`
	Duration float64           `json:"duration_s"`
	Does     map[string]string `json:"what_each_does"`
	Missing  map[string]string `json:"missing,omitempty"` // by rival: what to install
	Results  []result          `json:"results"`
}

// result is what one number of clients reached.
type result struct {
	Clients int                  `json:"clients"`
	Each    map[string][]float64 `json:"messages_per_s"` // by side: round by round
	Median  map[string]float64   `json:"median_per_s"`
	// Ratio is the median of ours against each rival, taken within each round.
	Ratio map[string]float64 `json:"ratio"`
	Goal  map[string]float64 `json:"goal"`
}

// compare measures all sides in turn, round by round, for each number of clients.
func compare(ctx context.Context, o options, progress io.Writer) (*report, error) {
	r := &report{Size: o.size, Rounds: o.rounds, Duration: o.duration.Seconds(), Does: map[string]string{ours.name: ours.does}, Missing: map[string]string{}}
	sides := []side{ours}
	for _, s := range rivals {
		if install := s.missing(); install != "" {
			r.Missing[s.name] = install
			say(progress, "%s is not installed: %s", s.name, install)
			continue
		}
		r.Does[s.name] = s.does
		sides = append(sides, s)
	}
	for _, clients := range o.clients {
		res := result{Clients: clients, Each: map[string][]float64{}, Median: map[string]float64{}, Ratio: map[string]float64{}, Goal: map[string]float64{}}
		for round := range o.rounds {
			for _, s := range sides {
				rate, err := inOwnFolder(ctx, o, s, clients)
				if err != nil {
					return nil, fmt.Errorf("%s with %d clients: %w", s.name, clients, err)
				}
				say(progress, "round %d of %d, %d clients, %s: %.0f/s", round+1, o.rounds, clients, s.name, rate)
				res.Each[s.name] = append(res.Each[s.name], rate)
			}
		}
		res.conclude(sides)
		r.Results = append(r.Results, res)
	}
	return r, nil
}

// inOwnFolder measures one side in a folder that is gone before the next begins.
func inOwnFolder(ctx context.Context, o options, s side, clients int) (rate float64, err error) {
	o.dir = filepath.Join(o.dir, s.name)
	if err := os.Mkdir(o.dir, 0o755); err != nil {
		return 0, err
	}
	rate, err = s.measure(ctx, o, clients)
	if gone := os.RemoveAll(o.dir); err == nil {
		err = gone
	}
	return rate, err
}

func (r *result) conclude(sides []side) {
	mine := r.Each[ours.name]
	for _, s := range sides {
		r.Median[s.name] = median(r.Each[s.name])
		if s.name == ours.name {
			continue
		}
		ratios := make([]float64, len(mine))
		for i := range mine {
			ratios[i] = mine[i] / r.Each[s.name][i]
		}
		r.Ratio[s.name] = median(ratios)
		if goal, ok := s.goals[r.Clients]; ok {
			r.Goal[s.name] = goal
		}
	}
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// print writes the report for people.
func (r *report) print(w io.Writer) error {
	fmt.Fprintf(w, "Messages of %d bytes, one under way for each client; medians of %d rounds of %.0f s, all sides by turns on this machine.\n\n",
		r.Size, r.Rounds, r.Duration)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "clients\tside\tmessages/s\tours against it\tgoal")
	for _, res := range r.Results {
		for _, s := range append([]side{ours}, rivals...) {
			rate, measured := res.Median[s.name]
			if !measured {
				continue
			}
			ratio, goal := "", ""
			if of, ok := res.Ratio[s.name]; ok {
				ratio = fmt.Sprintf("%.2f ×", of)
			}
			if g, ok := res.Goal[s.name]; ok {
				goal = fmt.Sprintf("%.0f ×: %s", g, map[bool]string{true: "reached", false: "not reached"}[res.Ratio[s.name] >= g])
			}
			fmt.Fprintf(t, "%d\t%s\t%.0f\t%s\t%s\n", res.Clients, s.name, rate, ratio, goal)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var b strings.Builder
	for _, s := range append([]side{ours}, rivals...) {
		if does, ok := r.Does[s.name]; ok {
			fmt.Fprintf(&b, "\n%s: %s.", s.name, does)
		} else if install, ok := r.Missing[s.name]; ok {
			fmt.Fprintf(&b, "\n%s: not installed. %s", s.name, install)
		}
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}
