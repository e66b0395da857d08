package report

import (
	"math"

	"communicator/simulations/measure"
)

// chart is what a page draws: a figure, with what comparisons and sweeps add to it.
type chart struct {
	title, caption string
	x, y           string // axis labels
	logX, logY     bool
	kind           string // as in measure.Figure
	series         []series
	marks          []measure.Mark
	file           string // that has all of its data; empty: none
}

// series is one line, or one set of bars.
type series struct {
	name      string
	x, y      []float64
	low, high []float64 // spread around y; nil: none
	labels    []string  // of bars, or texts at points
	style     int       // its colour and dashes
	colour    int       // its colour, where it differs from style's: 1 + the number of it
	dots      bool      // points are marked
}

// point is a place in a chart.
type point struct{ x, y float64 }

// chartOf is a figure as it stands.
func chartOf(f *measure.Figure) chart {
	c := chart{title: f.Title, caption: f.Caption, x: f.X, y: f.Y, logX: f.LogX, logY: f.LogY, kind: f.Kind, marks: f.Marks, file: figuresName}
	for i := range f.Lines {
		c.series = append(c.series, seriesOf(&f.Lines[i], i))
	}
	return c
}

func seriesOf(l *measure.Line, style int) series {
	s := series{name: l.Name, y: l.Y, style: style, labels: l.Labels}
	s.x = make([]float64, len(l.Y))
	for i := range s.x {
		s.x[i] = pointX(l, i)
	}
	return s
}

// largest is the largest magnitude that is drawn: beyond it ranges overflow.
const largest = 1e150

// drawable says whether a number has a place on a linear axis.
func drawable(v float64) bool { return !math.IsNaN(v) && math.Abs(v) < largest }

// shows says whether a number has a place on an axis.
func shows(v float64, log bool) bool { return drawable(v) && (!log || v > 1/largest) }

// segments cuts a series where it has no place, and counts the points that are left out
// because a logarithmic axis has no zero.
func (c *chart) segments(s *series) (out [][]point, zeros int) {
	var run []point
	for i, y := range s.y {
		x := s.x[i]
		if shows(x, c.logX) && shows(y, c.logY) {
			run = append(run, point{x, y})
			continue
		}
		if drawable(x) && drawable(y) {
			zeros++
		}
		if len(run) > 0 {
			out, run = append(out, run), nil
		}
	}
	if len(run) > 0 {
		out = append(out, run)
	}
	return out, zeros
}

// thin keeps at most about limit points of a segment: the first, the last, and of each
// stretch between them the lowest and the highest, so that no peak goes missing.
func thin(in []point, limit int) []point {
	if len(in) <= limit || limit < 4 {
		return in
	}
	out := make([]point, 0, limit)
	out = append(out, in[0])
	inner := in[1 : len(in)-1]
	stretches := (limit - 2) / 2
	for i := range stretches {
		part := inner[i*len(inner)/stretches : (i+1)*len(inner)/stretches]
		if len(part) == 0 {
			continue
		}
		low, high := 0, 0
		for j, p := range part {
			if p.y < part[low].y {
				low = j
			}
			if p.y > part[high].y {
				high = j
			}
		}
		out = append(out, part[min(low, high)])
		if low != high {
			out = append(out, part[max(low, high)])
		}
	}
	return append(out, in[len(in)-1])
}

// span is the least and the most of an axis.
type span struct{ min, max float64 }

func (s span) empty() bool { return s.min > s.max }

func (s *span) take(v float64) { s.min, s.max = min(s.min, v), max(s.max, v) }

func noSpan() span { return span{math.Inf(1), math.Inf(-1)} }

// spans are those of everything that is drawn.
func (c *chart) spans() (x, y span) {
	x, y = noSpan(), noSpan()
	for i := range c.series {
		s := &c.series[i]
		for j, v := range s.y {
			if !shows(s.x[j], c.logX) || !shows(v, c.logY) {
				continue
			}
			x.take(s.x[j])
			y.take(v)
			if s.low != nil && shows(s.low[j], c.logY) && shows(s.high[j], c.logY) {
				y.take(s.low[j])
				y.take(s.high[j])
			}
		}
	}
	return x, y
}
