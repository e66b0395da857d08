package report

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"communicator/internal/durable"
)

//go:embed sweep.html
var sweepText string

var sweepTemplate = page(sweepText)

// sweepPage is what the page of a sweep shows.
type sweepPage struct {
	Title   string
	Status  status
	Facts   []fact
	Keys    []fact // each with its values
	Spread  string // how charts show seeds
	Figures []figureView
	Table   dataTable
	First   int // columns of keys
	Meaning []measured
	Stopped []string
	Broken  []string
}

// maxSweepRows is how many combinations the page lists.
const maxSweepRows = 400

// WriteHTML writes a page with the charts and medians of a sweep.
func (s *Swept) WriteHTML(w io.Writer) error {
	p := sweepPage{Title: "Simulations: " + strconv.Itoa(s.Runs) + " runs", Status: s.status(), Keys: s.values(), Figures: figureViews(s.charts()),
		Table: s.medians(maxSweepRows), First: len(s.Keys), Stopped: s.Stopped, Broken: s.Broken,
		Facts: []fact{{"Runs", strconv.Itoa(s.Runs)}, {"Combinations", strconv.Itoa(len(s.Combinations))}, {"Along", s.Against}}}
	for _, name := range s.Measures {
		if about := s.known.describe(name); about.Doc != "" {
			p.Meaning = append(p.Meaning, measured{Name: name, Unit: about.Unit, Doc: about.Doc})
		}
	}
	for _, c := range s.Combinations {
		if c.Runs > 1 {
			p.Spread = fmt.Sprintf("Points are medians over seeds. Upright bars reach from the least to the most where up to %d runs make a point, and else from the lower to the upper quartile.", fewRuns)
		}
	}
	return sweepTemplate.Execute(w, p)
}

func (s *Swept) status() status {
	switch {
	case len(s.Stopped) > 0:
		out := status{Class: "early", Head: fmt.Sprintf("%d of %d runs stopped early", len(s.Stopped), s.Runs),
			Lines: []string{"They are named below and count for nothing here."}}
		if len(s.Broken) > 0 {
			out.Lines = append(out.Lines, fmt.Sprintf("In %d of the others an assertion or invariant did not hold.", len(s.Broken)))
		}
		return out
	case len(s.Broken) > 0:
		return status{Class: "bad", Head: fmt.Sprintf("In %d of %d runs an assertion or invariant did not hold", len(s.Broken), s.Runs)}
	default:
		return status{Class: "good", Head: "Every run came to its end, and what was asserted held"}
	}
}

// values lists what each key was.
func (s *Swept) values() (out []fact) {
	for i, key := range s.Keys {
		var list []string
		seen := map[string]bool{}
		for _, c := range s.Combinations {
			if v := dash(c.Values[i]); !seen[v] {
				seen[v] = true
				list = append(list, v)
			}
		}
		out = append(out, fact{key, strings.Join(list, ", ")})
	}
	return out
}

// medians is a table of the chosen measures.
func (s *Swept) medians(rows int) (t dataTable) {
	t.Head = append(append(t.Head, s.Keys...), "runs")
	t.Head = append(t.Head, s.Measures...)
	for i := range s.Combinations[:min(rows, len(s.Combinations))] {
		c := &s.Combinations[i]
		var row []string
		for _, v := range c.Values {
			row = append(row, dash(v))
		}
		row = append(row, strconv.Itoa(c.Runs))
		for _, name := range s.Measures {
			spread, measured := c.Measures[name]
			if !measured {
				row = append(row, "—")
				continue
			}
			row = append(row, precise(spread.Median))
		}
		t.Rows = append(t.Rows, row)
	}
	if n := len(s.Combinations) - len(t.Rows); n > 0 {
		t.Note = fmt.Sprintf("%s more are in %s.csv.", count(n, "combination"), sweepName)
	}
	return t
}

// WriteText writes the medians of the chosen measures as a table for a terminal.
func (s *Swept) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	m := s.medians(len(s.Combinations))
	for _, row := range append([][]string{m.Head}, m.Rows...) {
		for i, cell := range row {
			row[i] = plain(cell)
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// Write keeps sweep.csv, sweep.parquet and sweep.html in dir, which it makes.
//
// Errors: those of the file system.
func (s *Swept) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	t := s.table()
	for _, f := range []struct {
		ending string
		fill   func(io.Writer) error
	}{{".csv", t.writeCSV}, {".parquet", t.writeParquet}, {".html", s.WriteHTML}} {
		if err := replace(filepath.Join(dir, sweepName+f.ending), f.fill); err != nil {
			return err
		}
	}
	return durable.SyncDir(dir)
}
