package report

import (
	_ "embed"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"communicator/internal/durable"
	"communicator/simulations/measure"
)

// Comparison is two runs side by side.
type Comparison struct {
	A, B     Run
	Measures []Compared
	// Settings are the keys of the scenario in which they differ.
	Settings []Differing
}

// Compared is a measure of two runs. What a run lacks is not a number, and what follows
// from it neither.
type Compared struct {
	Name, Unit, Doc string
	A, B            float64
	Difference      float64 // B − A
	Ratio           float64 // B / A; not a number where A is nought
}

// Differing is a key with two values; empty where a scenario does not have it.
type Differing struct {
	Key string `json:"key"`
	A   string `json:"a"`
	B   string `json:"b"`
}

// Compare sets two runs side by side, in the order of [measure.Names].
func Compare(a, b Run) Comparison {
	c := Comparison{A: withResults(a), B: withResults(b)}
	known := glossaryOf(&c.A, &c.B)
	all := map[string]bool{}
	for _, r := range []*Run{&c.A, &c.B} {
		for name := range r.Results.Scalars {
			all[name] = true
		}
	}
	for _, name := range ordered(known, all) {
		about := known.describe(name)
		m := Compared{Name: name, Unit: about.Unit, Doc: about.Doc, A: scalar(&c.A, name), B: scalar(&c.B, name), Ratio: math.NaN()}
		m.Difference = m.B - m.A
		if m.A != 0 {
			m.Ratio = m.B / m.A
		}
		c.Measures = append(c.Measures, m)
	}
	sa, sb := settings(a.Scenario), settings(b.Scenario)
	for _, key := range append([]string{seedKey}, varied([][]setting{sa, sb})...) {
		if x, y := valueOf(sa, key), valueOf(sb, key); x != y {
			c.Settings = append(c.Settings, Differing{key, x, y})
		}
	}
	return c
}

func withResults(r Run) Run {
	if r.Results == nil {
		r.Results = &measure.Results{}
	}
	return r
}

// scalar is a run's measure, or not a number.
func scalar(r *Run, name string) float64 {
	if v, ok := r.Results.Scalars[name]; ok {
		return v
	}
	return math.NaN()
}

// difference is how B differs, with its sign.
func (m Compared) difference() string {
	switch s := short(m.Difference); {
	case m.Difference > 0:
		return "+" + s
	default:
		return s
	}
}

// ratio is B of A, as a factor.
func (m Compared) ratio() string {
	if math.IsNaN(m.Ratio) {
		return short(m.Ratio)
	}
	return "× " + short(m.Ratio)
}

// WriteText writes the measures as a table for a terminal, below what differs.
func (c *Comparison) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\tA\tB\n\t%s\t%s\n", label2(&c.A), label2(&c.B))
	for _, s := range c.Settings {
		fmt.Fprintf(t, "%s\t%s\t%s\n", plain(s.Key), dash(s.A), dash(s.B))
	}
	fmt.Fprintf(t, "\nmeasure\tA\tB\tdifference\tratio\tunit\n")
	for _, m := range c.Measures {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", plain(m.Name), precise(m.A), precise(m.B), m.difference(), m.ratio(), m.Unit)
	}
	return t.Flush()
}

func dash(s string) string {
	if s = plain(s); s == "" {
		return "—"
	}
	return s
}

// label2 names a run among two.
func label2(r *Run) string {
	parts := []string{plain(r.Name), r.Tier}
	if r.Outcome.Stopped != "" {
		parts = append(parts, "stopped early: "+plain(r.Outcome.Stopped))
	}
	return strings.Join(parts, ", ")
}

// charts lays the two runs' figures over each other: A in full lines, B in broken ones.
func (c *Comparison) charts() (out []chart) {
	byID := map[string]*measure.Figure{}
	for i := range c.B.Results.Figures {
		byID[c.B.Results.Figures[i].ID] = &c.B.Results.Figures[i]
	}
	for i := range c.A.Results.Figures {
		f := &c.A.Results.Figures[i]
		other := byID[f.ID]
		delete(byID, f.ID)
		out = append(out, overlay(f, other))
	}
	for i := range c.B.Results.Figures {
		if f := &c.B.Results.Figures[i]; byID[f.ID] != nil {
			out = append(out, overlay(nil, f))
		}
	}
	return out
}

// overlay draws a figure of both runs, or of the one that has it.
func overlay(a, b *measure.Figure) chart {
	of := a
	if a == nil {
		of = b
	}
	c := chartOf(of)
	c.series, c.file, c.marks = nil, "", nil
	for which, f := range []*measure.Figure{a, b} {
		if f == nil {
			continue
		}
		for i := range f.Lines {
			s := seriesOf(&f.Lines[i], which)
			s.colour = 1 + i
			if len(f.Lines) == 1 || f.Kind == measure.Bars {
				s.colour = 1 + i + which*len(f.Lines)
			}
			s.name = strings.TrimSpace([]string{"A", "B"}[which] + " " + s.name)
			c.series = append(c.series, s)
		}
	}
	switch {
	case a == nil:
		c.caption += " (A has no such figure.)"
	case b == nil:
		c.caption += " (B has no such figure.)"
	case sameMarks(a.Marks, b.Marks):
		c.marks = a.Marks
	default:
		c.marks = append(marked("A", a.Marks), marked("B", b.Marks)...)
	}
	return c
}

func sameMarks(a, b []measure.Mark) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func marked(which string, marks []measure.Mark) []measure.Mark {
	out := make([]measure.Mark, len(marks))
	for i, m := range marks {
		out[i] = measure.Mark{X: m.X, Text: which + ": " + m.Text}
	}
	return out
}

//go:embed compare.html
var compareText string

var compareTemplate = page(compareText)

// comparePage is what the page of two runs shows.
type comparePage struct {
	Title    string
	A, B     string
	Runs     []comparedRun
	Settings []Differing
	Rows     []comparedRow
	Figures  []figureView
}

type comparedRun struct {
	Letter, Name, About, Command string
	Status                       status
	Facts                        []fact
}

type comparedRow struct{ Name, A, B, Difference, Ratio, Unit, Doc string }

// WriteHTML writes a page like a run's, with the two runs' figures laid over each other.
// Figures need their points: see [ReadFigures].
func (c *Comparison) WriteHTML(w io.Writer) error {
	p := comparePage{Title: "Simulations: " + plain(c.A.Name) + " and " + plain(c.B.Name), A: c.A.Name, B: c.B.Name,
		Runs: []comparedRun{comparedRunOf("A", &c.A), comparedRunOf("B", &c.B)}, Figures: figureViews(c.charts())}
	for _, s := range c.Settings {
		p.Settings = append(p.Settings, Differing{s.Key, dash(s.A), dash(s.B)})
	}
	for _, m := range c.Measures {
		p.Rows = append(p.Rows, comparedRow{m.Name, precise(m.A), precise(m.B), m.difference(), m.ratio(), m.Unit, m.Doc})
	}
	return compareTemplate.Execute(w, p)
}

func comparedRunOf(letter string, r *Run) comparedRun {
	return comparedRun{letter, r.Name, plainLong(r.About), r.Command, statusOf(r), factsOf(r)}
}

// Write keeps the page as a file, all of it or none.
//
// Errors: those of the file system.
func (c *Comparison) Write(path string) error {
	if err := replace(path, c.WriteHTML); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}
