package report

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"communicator/simulations/measure"
)

// marker is one or several marks that lie close together, under one letter.
type marker struct {
	letter string
	marks  []measure.Mark
}

// markers gives letters to the marks within an axis, from its least to its most.
func (c *chart) markers(x axis) (out []marker) {
	if c.kind == measure.Bars {
		return nil
	}
	at := func(v float64) float64 {
		if x.log {
			return math.Log(v/x.min) / math.Log(x.max/x.min)
		}
		return (v - x.min) / (x.max - x.min)
	}
	sorted := slices.Clone(c.marks)
	slices.SortStableFunc(sorted, func(a, b measure.Mark) int { return cmp.Compare(a.X, b.X) })
	for _, m := range sorted {
		if !shows(m.X, x.log) || m.X < x.min || m.X > x.max {
			continue
		}
		if n := len(out); n > 0 && (at(m.X)-at(out[n-1].marks[0].X) < 0.028 || n == maxMarks) {
			out[n-1].marks = append(out[n-1].marks, m)
			continue
		}
		out = append(out, marker{string(rune('a' + len(out))), []measure.Mark{m}})
	}
	return out
}

// text says what a letter stands for.
func (m marker) text() string {
	var b strings.Builder
	for i, one := range m.marks {
		if i == 8 {
			b.WriteString(" …")
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(one.Text + " (" + short(one.X) + ")")
	}
	return b.String()
}

// markPlotter draws a line for each mark, with the letter above it.
type markPlotter []marker

func (ms markPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	line := draw.LineStyle{Color: muted, Width: 0.7, Dashes: []vg.Length{2, 2}}
	style := textStyle(tickSize, ink)
	style.XAlign, style.YAlign = draw.XCenter, draw.YBottom
	for _, m := range ms {
		for i, one := range m.marks {
			at := x(one.X)
			c.StrokeLine2(line, at, c.Min.Y, at, c.Max.Y)
			if i == 0 {
				c.FillText(style, vg.Point{X: at, Y: c.Max.Y + 1}, m.letter)
			}
		}
	}
}
