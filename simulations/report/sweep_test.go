package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"communicator/simulations/measure"
)

// samplePlan is runs as a plan about colluding agents has them.
func samplePlan(seeds int) (runs []Run) {
	for _, share := range []string{"0.01", "0.02", "0.05", "0.1", "0.15", "0.2"} {
		for _, padding := range []string{"buckets", "none"} {
			for _, jitter := range []string{"0s", "2m"} {
				for seed := range seeds {
					runs = append(runs, plannedRun(share, padding, jitter, uint64(seed)))
				}
			}
		}
	}
	return runs
}

func plannedRun(share, padding, jitter string, seed uint64) Run {
	r := rand.New(rand.NewPCG(seed, uint64(len(padding)+len(jitter))))
	s, _, _ := quantity(share)
	linked, latency, bytes := s*s*4*(1+0.1*r.Float64()), 210+20*r.Float64(), 8200.0
	if padding == "none" {
		linked, bytes = linked*1.6, 5100
	}
	if jitter != "0s" {
		linked, latency = linked*0.7, latency+83_000
	}
	run := Run{Name: fmt.Sprintf("colluding-%s-%s-%s-%d", share, padding, jitter, seed), Tier: "model", Seed: seed,
		Scenario: fmt.Sprintf("seed: %d\nadversary: {colluding: %s}\nprivacy: {padding: %s, jitter: %s}\n", seed, share, padding, jitter),
		Results: &measure.Results{Scalars: map[string]float64{"leak_linked_pairs": linked, "leak_effective_set_p50": 40 / s * (1 + 0.2*r.Float64()),
			"latency_p50_ms": latency, "bytes_per_message": bytes + 100*r.Float64(), "lost": 0}}}
	run.Plan = Plan{Keys: []string{"adversary.colluding", "privacy.padding", "privacy.jitter"}, Against: "adversary.colluding"}
	return run
}

func TestSweep(t *testing.T) {
	runs := samplePlan(3)
	runs[0].Outcome.Stopped = "out of memory"
	runs[0].Results.Scalars["leak_linked_pairs"] = 1e9
	s := Sweep(runs, Plan{})
	if len(s.Combinations) != 24 || s.Against != "adversary.colluding" || len(s.Stopped) != 1 {
		t.Fatalf("%d combinations along %s, %d stopped", len(s.Combinations), s.Against, len(s.Stopped))
	}
	same(t, []string{"latency_p50_ms", "bytes_per_message", "leak_effective_set_p50", "leak_linked_pairs"}, s.Measures)
	first := s.Combinations[0]
	same(t, []string{"0.01", "buckets", "0s"}, first.Values)
	want := []float64{runs[1].Results.Scalars["leak_linked_pairs"], runs[2].Results.Scalars["leak_linked_pairs"]}
	slices.Sort(want)
	if got := first.Measures["leak_linked_pairs"]; first.Runs != 2 || got.Min != want[0] || got.Max != want[1] || got.Median != (want[0]+want[1])/2 {
		t.Errorf("%d runs, %+v, of %v", first.Runs, got, want)
	}
	charts := s.charts()
	if len(charts) != 4+2*2 {
		t.Fatalf("%d charts", len(charts))
	}
	if c := charts[3]; len(c.series) != 4 || len(c.series[0].x) != 6 || c.series[0].x[5] != 0.2 || c.series[1].name != "padding buckets, jitter 2m" || c.series[0].low == nil {
		t.Errorf("%+v", c)
	}
}

func TestSpread(t *testing.T) {
	if s := spreadOf([]float64{5, 1, 3, 2, 4}); s != (Spread{Median: 3, Min: 1, Max: 5, Low: 2, High: 4, Runs: 5}) {
		t.Errorf("%+v", s)
	}
	if s := spreadOf([]float64{2}); s != (Spread{2, 2, 2, 2, 2, 1}) {
		t.Errorf("%+v", s)
	}
}

// TestSweepFindsWhatVaries where no plan says it, and draws bars where no key is a number.
func TestSweepFindsWhatVaries(t *testing.T) {
	var runs []Run
	for i, padding := range []string{"none", "buckets"} {
		runs = append(runs, Run{Scenario: fmt.Sprintf("seed: %d\nprivacy: {padding: %s}\nnodes: {agents: 5}", i, padding),
			Results: &measure.Results{Scalars: map[string]float64{"sent": float64(i + 1)}}})
	}
	s := Sweep(runs, Plan{})
	same(t, []string{"privacy.padding"}, s.Keys)
	if c := s.charts(); len(c) != 1 || c[0].kind != measure.Bars || c[0].series[0].labels[0] != "buckets" || c[0].svg("x", 10) == "" {
		t.Errorf("%+v", c)
	}
	if s := Sweep(runs[:1], Plan{}); len(s.Keys) != 0 || len(s.charts()) != 0 || len(s.Combinations) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestSweepFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	runs := samplePlan(2)
	delete(runs[0].Results.Scalars, "lost")
	delete(runs[1].Results.Scalars, "lost")
	s := Sweep(runs, Plan{Measures: []string{"lost", "leak_linked_pairs", "not there"}})
	if err := s.Write(dir); err != nil {
		t.Fatal(err)
	}
	rows, err := parquet.ReadFile[struct {
		Colluding float64 `parquet:"adversary_colluding_number"`
		Jitter    float64 `parquet:"privacy_jitter_seconds"`
		Padding   string  `parquet:"privacy_padding"`
		Runs      int64   `parquet:"runs"`
		Lost      float64 `parquet:"lost"`
		LinkedMax float64 `parquet:"leak_linked_pairs_max"`
	}](filepath.Join(dir, "sweep.parquet"))
	if err != nil || len(rows) != 24 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, r := range rows {
		c := s.Combinations[i]
		if fmt.Sprint(r.Colluding) != c.Values[0] || r.Padding != c.Values[1] || r.Runs != 2 || r.LinkedMax != c.Measures["leak_linked_pairs"].Max ||
			math.IsNaN(r.Lost) != (i == 0) || (r.Jitter == 120) != (c.Values[2] == "2m") {
			t.Errorf("row %d: %+v", i, r)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "sweep.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if records, err := csv.NewReader(bytes.NewReader(text)).ReadAll(); err != nil || len(records) != 25 || records[1][0] != "0.01" {
		t.Errorf("%d records, %v", len(records), err)
	}
	var b bytes.Buffer
	if err := s.WriteText(&b); err != nil || strings.Count(b.String(), "\n") != 25 || !strings.Contains(b.String(), "privacy.padding") {
		t.Errorf("%v\n%s", err, b.String())
	}
}
