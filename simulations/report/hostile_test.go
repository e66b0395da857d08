package report

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"communicator/simulations/measure"
	"communicator/simulations/scenario"
)

// attacks are texts that would run, load or break something where they are not escaped.
const attacks = `<script>hostile=1</script><img src=x onerror=hostile=1>"'>]]></svg></title><!-- {{.}} style="stroke:#0072B2" ` + "\u202eevil\x00\x1b[31m"

// hostileRun has such texts wherever a scenario or a tier can put one, and data that has no
// place on an axis.
func hostileRun() Run {
	r := sample(9, 1)
	r.Name, r.About, r.Scenario, r.Command, r.Version, r.Tier = attacks, attacks, attacks, attacks, attacks, attacks
	r.Outcome.Stopped, r.Outcome.Broken = attacks, []string{attacks}
	r.Results.Scalars[attacks] = math.NaN()
	r.Assertions = append(r.Assertions, Assertion{Measure: attacks, Condition: scenario.Condition{Op: attacks}})
	for i := range r.Results.Figures {
		f := &r.Results.Figures[i]
		f.ID, f.Title, f.Caption, f.X, f.Y = attacks, attacks, attacks, attacks, attacks
		f.Marks = append(f.Marks, measure.Mark{X: 25, Text: attacks}, measure.Mark{X: math.NaN(), Text: attacks})
		for j := range f.Lines {
			f.Lines[j].Name = attacks
			for k := range f.Lines[j].Labels {
				f.Lines[j].Labels[k] += attacks
			}
		}
	}
	return r
}

func TestHostileTextsAreEscaped(t *testing.T) {
	var b bytes.Buffer
	r := hostileRun()
	if err := writePage(&b, &r); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "onerror=hostile=1>", `"'>]]>`, "<!-- "} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	if n := strings.Count(b.String(), "</svg>"); n != strings.Count(b.String(), "<svg") {
		t.Errorf("%d drawings end", n)
	}
}

// TestNoDataBreaksAChart draws everything that a tier could count wrongly.
func TestNoDataBreaksAChart(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	datas := map[string][]float64{
		"none": nil, "one": {3}, "nought": {0, 0, 0}, "not a number": {nan, nan}, "infinite": {inf, -inf},
		"mixed": {1, nan, 2, inf, 3, -inf, 0, -4}, "huge": {1e308, -1e308, 1}, "tiny": {5e-324, 1e-300, 1e-12},
		"alike": {7, 7, 7}, "negative": {-3, -2, -1}, "near": {1, 1 + 1e-15}, "apart": {1e-9, 1e140},
	}
	for name, data := range datas {
		for _, kind := range []string{measure.Lines, measure.Steps, measure.Bars, "another"} {
			for _, log := range []bool{false, true} {
				for _, labels := range [][]string{nil, {"a"}, {"a", "a", strings.Repeat("long ", 40)}} {
					f := measure.Figure{Kind: kind, LogX: log, LogY: log, X: "x", Y: "y", Marks: []measure.Mark{{X: 2, Text: "m"}, {X: inf}},
						Lines: []measure.Line{{Name: "l", Y: data, Labels: labels}, {X: data, Y: data}, {}}}
					c := chartOf(&f)
					v := c.view("id", 100, 10)
					if s := string(v.SVG); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
						t.Errorf("%s as %s, logarithmic %v: %s", name, kind, log, s)
					}
					if name == "alike" && v.SVG == "" {
						t.Errorf("%s as %s is not drawn", name, kind)
					}
				}
			}
		}
	}
}
