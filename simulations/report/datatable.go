package report

import (
	"fmt"
	"slices"
)

// dataTable is a chart's data in words.
type dataTable struct {
	Head []string
	Rows [][]string
	Note string // what is left out
}

// table lists a chart's data in about so many rows: side by side where lines share their
// places on the x axis, and else one line after the other.
func (c *chart) table(rows int) dataTable {
	if len(c.series) == 0 {
		return dataTable{}
	}
	if c.named() {
		return c.barTable(rows)
	}
	if c.shared() {
		return c.wideTable(rows)
	}
	return c.longTable(rows)
}

// shared says whether all lines have the same places on the x axis.
func (c *chart) shared() bool {
	for _, s := range c.series {
		if !slices.Equal(s.x, c.series[0].x) {
			return false
		}
	}
	return true
}

func (c *chart) wideTable(rows int) (t dataTable) {
	t.Head = append(t.Head, plain(c.x))
	for _, s := range c.series {
		if name := plain(s.name); name != "" || len(c.series) > 1 {
			t.Head = append(t.Head, name)
		} else {
			t.Head = append(t.Head, plain(c.y))
		}
	}
	n := len(c.series[0].x)
	for _, i := range spaced(n, rows) {
		row := []string{precise(c.series[0].x[i])}
		for _, s := range c.series {
			row = append(row, s.cell(i))
		}
		t.Rows = append(t.Rows, row)
	}
	t.Note = c.left(n, len(t.Rows))
	return t
}

func (c *chart) longTable(rows int) (t dataTable) {
	t.Head = []string{"", plain(c.x), plain(c.y)}
	all := 0
	each := max(4, rows/len(c.series))
	for _, s := range c.series {
		all += len(s.y)
		for _, i := range spaced(len(s.y), each) {
			t.Rows = append(t.Rows, []string{plain(s.name), precise(s.x[i]), s.cell(i)})
		}
	}
	t.Note = c.left(all, len(t.Rows))
	return t
}

func (c *chart) barTable(rows int) (t dataTable) {
	t.Head = append(t.Head, plain(c.x))
	for _, s := range c.series {
		if name := plain(s.name); len(c.series) > 1 {
			t.Head = append(t.Head, name)
		} else {
			t.Head = append(t.Head, plain(c.y))
		}
	}
	names, values := c.names()
	for i := range min(len(names), rows) {
		row := []string{plain(names[i])}
		for _, of := range values {
			row = append(row, precise(of[i]))
		}
		t.Rows = append(t.Rows, row)
	}
	longest := 0
	for _, s := range c.series {
		longest = max(longest, len(s.y))
	}
	t.Note = c.left(max(longest, len(names)), len(t.Rows))
	return t
}

// cell is a value with its spread, if it has one.
func (s *series) cell(i int) string {
	if s.low != nil && s.low[i] != s.high[i] {
		return precise(s.y[i]) + " (" + precise(s.low[i]) + " to " + precise(s.high[i]) + ")"
	}
	return precise(s.y[i])
}

// spaced chooses at most so many of n places, the first and last among them.
func spaced(n, most int) []int {
	out := make([]int, 0, min(n, most))
	for i := range min(n, most) {
		if n <= most {
			out = append(out, i)
			continue
		}
		out = append(out, i*(n-1)/(most-1))
	}
	return out
}

// left says what a table leaves out.
func (c *chart) left(of, shown int) string {
	if shown >= of {
		return ""
	}
	note := fmt.Sprintf("%s of %s rows", short(float64(shown)), short(float64(of)))
	if c.file != "" {
		note += "; all are in " + c.file
	}
	return note + "."
}
