package report

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"communicator/simulations/measure"
)

func TestCompare(t *testing.T) {
	a, b := sample(7, 1), sample(8, 2)
	delete(b.Results.Scalars, "rotations")
	b.Results.Scalars["lost"] = 3
	c := Compare(a, b)
	at := map[string]Compared{}
	last := -1
	for _, m := range c.Measures {
		at[m.Name] = m
		for i, n := range measure.Names {
			if n.Name == m.Name {
				if i < last {
					t.Errorf("%s is out of order", m.Name)
				}
				last = i
			}
		}
	}
	if m := at["latency_p50_ms"]; m.A != 212.4 || m.B != 424.8 || m.Difference != 212.4 || m.Ratio != 2 || m.Unit != "ms" {
		t.Errorf("%+v", m)
	}
	if m := at["lost"]; m.Difference != 3 || !math.IsNaN(m.Ratio) {
		t.Errorf("%+v", m)
	}
	if m := at["rotations"]; m.A != 3022 || !math.IsNaN(m.B) || !math.IsNaN(m.Difference) {
		t.Errorf("%+v", m)
	}
	same(t, []Differing{{"seed", "7", "8"}, {"churn.scale", "3.7h", "7.4h"}, {"privacy.jitter", "2s", "4s"}}, c.Settings)

	var text bytes.Buffer
	if err := c.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"latency_p50_ms  ", "+212.4", "× 2 ", "churn.scale", "—"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// TestOverlay: both runs' lines are in one chart, and a figure of one run stands alone.
func TestOverlay(t *testing.T) {
	a, b := sample(7, 1), sample(8, 2)
	b.Results.Figures = append(b.Results.Figures[1:], measure.Figure{ID: "new", Kind: measure.Lines, Lines: []measure.Line{{Y: []float64{1, 2}}}})
	c := Compare(a, b)
	charts := c.charts()
	if len(charts) != len(a.Results.Figures)+1 {
		t.Fatalf("%d charts", len(charts))
	}
	if s := charts[1].series; len(s) != 6 || s[0].name != "A p50" || s[3].name != "B p50" || s[0].hue() != s[3].hue() || s[0].dash() != nil || s[3].dash() == nil {
		t.Errorf("%d lines: %+v", len(s), s)
	}
	if !strings.Contains(charts[0].caption, "B has no such figure") || !strings.Contains(charts[len(charts)-1].caption, "A has no such figure") {
		t.Errorf("%q, %q", charts[0].caption, charts[len(charts)-1].caption)
	}
	path := filepath.Join(t.TempDir(), "compare.html")
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	if page, err := os.ReadFile(path); err != nil || bytes.Count(page, []byte(`<svg class="chart"`)) != len(charts)-1 {
		t.Errorf("%d charts, %v", bytes.Count(page, []byte(`<svg class="chart"`)), err)
	}
}

func TestCompareNothing(t *testing.T) {
	c := Compare(Run{}, Run{})
	var b bytes.Buffer
	if err := c.WriteHTML(&b); err != nil || len(c.Measures) > 0 || len(c.Settings) > 0 {
		t.Errorf("%v, %+v", err, c)
	}
}
