package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"communicator/simulations/measure"
)

//go:embed style.css
var styleSheet string

//go:embed parts.html
var partsText string

//go:embed run.html
var runText string

// parts are what pages share: head, figures and tables.
var parts = template.Must(template.New("parts").Funcs(template.FuncMap{
	"style": func() template.CSS { return template.CSS(styleSheet) },
	"name":  breakable,
	"rows":  func(label string, rows []measured) measureRows { return measureRows{label, rows} },
}).Parse(partsText))

// breakable is a name that may go on in the next line after a dot or a line, and that is
// copied as it is.
func breakable(name string) template.HTML {
	return template.HTML(breaks.Replace(template.HTMLEscapeString(name)))
}

var breaks = strings.NewReplacer("_", "_<wbr>", ".", ".<wbr>")

var runTemplate = page(runText)

func page(text string) *template.Template {
	return template.Must(template.Must(parts.Clone()).New("page").Parse(text))
}

// runPage is what a run's page shows.
type runPage struct {
	Title, Name, About string
	Status             status
	Facts              []fact
	Main, All          []measured
	Assertions         []asserted
	Held               int
	Command, Scenario  string
	ScenarioHash       string
	TraceHash          string
	Repeats            bool // the trace hash is the same in each run
	Figures            []figureView
}

// status says at the top how a run ended.
type status struct {
	Class, Head string // Class: "good", "bad" or "early"
	Lines       []string
}

type fact struct{ Name, Value string }

type measured struct{ Name, Value, Unit, Doc string }

// measureRows is a table of measures and its name.
type measureRows struct {
	Label string
	Rows  []measured
}

type asserted struct {
	Name, Condition, Value string
	Held                   bool
}

func writePage(w io.Writer, run *Run) error {
	p := runPage{Title: "Simulation: " + plain(run.Name), Name: run.Name, About: plainLong(run.About), Status: statusOf(run), Facts: factsOf(run),
		Command: run.Command, Scenario: cut(run.Scenario, maxScenario), ScenarioHash: run.ScenarioHash().String(),
		TraceHash: run.TraceHash.String(), Repeats: run.Tier == "model"}
	known := glossaryOf(run)
	for _, name := range ordered(known, run.Results.Scalars) {
		about := known.describe(name)
		m := measured{Name: name, Value: precise(run.Results.Scalars[name]), Unit: about.Unit, Doc: about.Doc}
		p.All = append(p.All, m)
		if slices.Contains(mainMeasures, name) {
			p.Main = append(p.Main, m)
		}
	}
	for _, a := range run.Assertions {
		p.Assertions = append(p.Assertions, assertedOf(a, known))
		if a.Held {
			p.Held++
		}
	}
	charts := make([]chart, len(run.Results.Figures))
	for i := range charts {
		charts[i] = chartOf(&run.Results.Figures[i])
	}
	p.Figures = figureViews(charts)
	return runTemplate.Execute(w, p)
}

func assertedOf(a Assertion, known glossary) asserted {
	out := asserted{Name: a.Measure, Condition: a.Condition.Op + " " + precise(a.Condition.Value),
		Value: "not measured", Held: a.Held}
	if a.Measured {
		out.Value = precise(a.Value)
		if unit := known.describe(a.Measure).Unit; unit != "share" {
			out.Value += " " + unit
		}
	}
	return out
}

// statusOf says how the run ended, the worst first.
func statusOf(run *Run) status {
	s := status{Class: "good", Head: "Ran to its end"}
	held := 0
	for _, a := range run.Assertions {
		if a.Held {
			held++
		}
	}
	n := len(run.Assertions)
	if n > 0 {
		s.Head += fmt.Sprintf("; all %d assertions held", n)
	}
	if n == 1 {
		s.Head = "Ran to its end; its assertion held"
	}
	if held < n {
		s.Class, s.Head = "bad", fmt.Sprintf("%d of %d assertions failed", n-held, n)
	}
	if k := len(run.Outcome.Broken); k > 0 {
		s.Class, s.Head = "bad", "What must always hold did not"
		s.Lines = append(s.Lines, run.Outcome.Broken[:min(k, 20)]...)
		if k > 20 {
			s.Lines = append(s.Lines, fmt.Sprintf("and %d more, in run.json", k-20))
		}
	}
	if run.Outcome.Stopped != "" {
		s.Lines = slices.Insert(s.Lines, 0, "Everything below is about the part that ran.")
		if s.Class == "bad" {
			s.Lines = slices.Insert(s.Lines, 1, s.Head+".")
		}
		s.Class, s.Head = "early", fmt.Sprintf("Stopped early (%s) after %s of virtual time", plain(run.Outcome.Stopped), spell(run.Outcome.Virtual))
	}
	return s
}

func factsOf(run *Run) []fact {
	tier := run.Tier
	switch tier {
	case "real":
		tier += ": whole nodes and clients"
	case "model":
		tier += ": their decisions alone"
	}
	facts := []fact{{"Tier", tier}, {"Seed", strconv.FormatUint(run.Seed, 10)},
		{"Virtual time", spell(run.Outcome.Virtual)}, {"Real time", spell(run.Wall)},
		{"Program", run.Version}, {"Go", strings.TrimPrefix(run.Go, "go")}}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" })
}

// cut ends a text that is too long at a line.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	s = s[:limit]
	if i := strings.LastIndexByte(s, '\n'); i > 0 {
		s = s[:i]
	}
	return s + "\n… the rest is in run.json"
}

// figureView is a chart as a page shows it.
type figureView struct {
	ID, Title, Caption string
	SVG                template.HTML
	Keys               []keyView
	Marks              []keyText
	Notes              []string
	Table              dataTable
	Wide               bool
}

type keyView struct {
	Sample template.HTML
	Name   string
}

type keyText struct{ Letter, Text string }

// figureViews draws charts, with as much of each as the page has room for.
func figureViews(charts []chart) []figureView {
	all, cells := 0, 0
	for i := range charts {
		all += len(charts[i].series)
		cells += 1 + len(charts[i].series)
	}
	points := max(minPoints, min(MaxPoints, maxPagePoints/max(1, all)))
	rows := max(4, min(maxTableRows, maxPageCells/max(1, cells)))
	out := make([]figureView, len(charts))
	for i := range charts {
		out[i] = charts[i].view("figure-"+strconv.Itoa(i+1), points, rows)
	}
	return out
}

func (c *chart) view(id string, points, rows int) figureView {
	v := figureView{ID: id, Title: c.title, Caption: c.caption, SVG: c.svg(id, points), Table: c.table(rows)}
	if v.SVG == "" {
		return v
	}
	bars := c.kind == measure.Bars
	if len(c.series) > 1 {
		for i := range c.series {
			v.Keys = append(v.Keys, keyView{c.series[i].key(bars), plain(c.series[i].name)})
		}
	}
	x, _ := c.axes()
	for _, m := range c.markers(x) {
		v.Marks = append(v.Marks, keyText{m.letter, m.text()})
	}
	v.Notes = c.notes(points)
	return v
}

// notes says what a chart leaves out.
func (c *chart) notes(points int) (out []string) {
	zeros, thinned := 0, 0
	for i := range c.series {
		segments, z := c.segments(&c.series[i])
		zeros += z
		n := 0
		for _, s := range segments {
			n += len(s)
		}
		thinned = max(thinned, n)
	}
	if zeros > 0 {
		out = append(out, fmt.Sprintf("%s at or below nought have no place on a logarithmic axis.", count(zeros, "point")))
	}
	if thinned > points && c.kind != measure.Bars {
		out = append(out, fmt.Sprintf("Lines are drawn with about %d points that keep every peak; the longest has %s.", points, short(float64(thinned))))
	}
	if c.named() {
		names := map[string]bool{}
		for _, s := range c.series {
			for _, l := range s.labels {
				names[l] = true
			}
		}
		if n := len(names) - maxBars; n > 0 {
			out = append(out, fmt.Sprintf("%s more are in the data.", count(n, "bar")))
		}
	}
	return out
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return short(float64(n)) + " " + what + "s"
}
