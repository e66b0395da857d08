package report

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"communicator/simulations/measure"
)

// TestThinKeepsPeaks: what is left is some of what was there, in its order, with both ends
// and the extremes.
func TestThinKeepsPeaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 300).Draw(t, "values")
		limit := rapid.IntRange(4, 100).Draw(t, "limit")
		in := make([]point, len(values))
		lowest, highest := math.Inf(1), math.Inf(-1)
		for i, v := range values {
			in[i] = point{float64(i), v}
			lowest, highest = min(lowest, v), max(highest, v)
		}
		out := thin(in, limit)
		if len(out) > max(limit, 4) || out[0] != in[0] || out[len(out)-1] != in[len(in)-1] {
			t.Fatalf("%d of %d points, limit %d", len(out), len(in), limit)
		}
		low, high := math.Inf(1), math.Inf(-1)
		for i, p := range out {
			if i > 0 && p.x <= out[i-1].x || in[int(p.x)] != p {
				t.Fatalf("point %d: %v", i, p)
			}
			low, high = min(low, p.y), max(high, p.y)
		}
		if low != lowest || high != highest {
			t.Fatalf("from %g to %g instead of %g to %g", low, high, lowest, highest)
		}
	})
}

// TestPagesStaySmall: a page of a long run in which everything is measured opens quickly.
func TestPagesStaySmall(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	run := sample(1, 1)
	for f := range 32 {
		fig := measure.Figure{ID: string(rune('a' + f)), Title: "figure", Caption: "caption", Kind: []string{measure.Lines, measure.Steps}[f%2]}
		for range 6 {
			l := measure.Line{Name: "line", X: make([]float64, 5000), Y: make([]float64, 5000)}
			for i := range l.Y {
				l.X[i], l.Y[i] = float64(i)/60, 1e6*r.ExpFloat64()
			}
			fig.Lines = append(fig.Lines, l)
		}
		run.Results.Figures = append(run.Results.Figures, fig)
	}
	var b bytes.Buffer
	if err := writePage(&b, &run); err != nil || b.Len() > 1_500_000 {
		t.Errorf("%d bytes, %v", b.Len(), err)
	}
}

func TestAxes(t *testing.T) {
	for _, c := range []struct {
		in       span
		log      bool
		min, max float64
		labels   string
	}{
		{span{3, 97}, false, 0, 100, "0 20 40 60 80 100"},
		{span{0.991, 0.9995}, false, 0.99, 1, "0.990 0.992 0.994 0.996 0.998 1.000"},
		{span{1, 1}, false, 0, 1, "0 0.2 0.4 0.6 0.8 1.0"},
		{span{-4, 4}, false, -4, 4, "-4 -2 0 2 4"},
		{span{0, 0}, false, 0, 1, "0 0.2 0.4 0.6 0.8 1.0"},
		{span{0, 4.4e6}, false, 0, 5e6, "0 1M 2M 3M 4M 5M"},
		{span{0, 23_000}, false, 0, 25_000, "0 5k 10k 15k 20k 25k"},
		{span{3, 700_000}, true, 1, 1e6, "1 10 100 1k 10k 100k 1M"},
		{span{3, 40}, true, 2, 50, "2 5 10 20 50"},
		{span{1e-9, 1e9}, true, 1e-9, 1e9, "1e-09 1e-06 0.001 1 1k 1M 1G"},
	} {
		a := linear(c.in, 5, true)
		if c.log {
			a = logarithmic(c.in, true)
		}
		labels := ""
		for _, tick := range a.ticks {
			if tick.Label != "" && tick.Value >= a.min*(1-1e-9) && tick.Value <= a.max*(1+1e-9) || tick.Value < 0 {
				labels += " " + tick.Label
			}
		}
		if math.Abs(a.min-c.min) > 1e-9*math.Abs(c.min) || math.Abs(a.max-c.max) > 1e-9*c.max || labels != " "+c.labels {
			t.Errorf("%v: from %g to %g,%s; expected %g to %g, %s", c.in, a.min, a.max, labels, c.min, c.max, c.labels)
		}
	}
}

func TestNumbersInWords(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", 0.5: "0.5", 1234: "1234", 12345: "12\u202f345", 984_211_733: "984\u202f211\u202f733", 212.44: "212.4",
		-4106: "−4106", 0.00012346: "0.0001235", 1e-7: "1e−07", 1e20: "1e+20", 99_999.6: "100\u202f000", math.Inf(1): "∞"} {
		if got := short(v); got != want {
			t.Errorf("%g: %q instead of %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0.9999: "0.9999", 0.99999123: "0.99999123", 1: "1", 0.9: "0.9", 1 - 1e-12: "1"} {
		if got := precise(v); got != want {
			t.Errorf("%g: %q instead of %q", v, got, want)
		}
	}
}
