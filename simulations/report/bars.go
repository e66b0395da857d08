package report

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"communicator/simulations/measure"
)

// named says whether bars have names.
func (c *chart) named() bool {
	for _, s := range c.series {
		for _, l := range s.labels {
			if l != "" {
				return c.kind == measure.Bars
			}
		}
	}
	return false
}

// lies says whether bars lie, so that names that are long or many can be read.
func (c *chart) lies() bool {
	if !c.named() {
		return false
	}
	names, _ := c.names()
	letters := 0
	for _, name := range names {
		letters += len([]rune(name)) + 2
	}
	return letters > maxStanding
}

// standing gives bars with short names places beside each other, and ticks with the names.
func (c *chart) standing() []plot.Tick {
	names, values := c.names()
	var ticks []plot.Tick
	for i, name := range names {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: plain(name)})
	}
	for i := range c.series {
		s := &c.series[i]
		s.x, s.y = nil, values[i]
		for j := range s.y {
			s.x = append(s.x, float64(j))
		}
	}
	return ticks
}

// names are those of all bars, in the order in which they come, and the values of each
// series at them; what a series lacks is not a number.
func (c *chart) names() (names []string, values [][]float64) {
	at := map[string]int{}
	for _, s := range c.series {
		for i := range s.y {
			name := ""
			if i < len(s.labels) {
				name = s.labels[i]
			}
			if _, known := at[name]; !known && len(names) < maxBars {
				at[name] = len(names)
				names = append(names, name)
			}
		}
	}
	for _, s := range c.series {
		row := make([]float64, len(names))
		for i := range row {
			row[i] = math.NaN()
		}
		for i, v := range s.y {
			name := ""
			if i < len(s.labels) {
				name = s.labels[i]
			}
			if j, known := at[name]; known {
				row[j] = v
			}
		}
		values = append(values, row)
	}
	return names, values
}

// barAxis is the axis of values: from nought, or on a logarithmic one from a power of ten.
func (c *chart) barAxis(ys span, n int) axis {
	if c.logY {
		if ys.empty() {
			return logarithmic(ys, true)
		}
		ys.min = math.Pow(10, math.Floor(math.Log10(ys.min*0.999)))
		return logarithmic(ys, true)
	}
	ys.take(0)
	return linear(ys, n, true)
}

// drawLying draws bars that lie, the first one at the top.
func (c *chart) drawLying(canvas draw.Canvas) {
	names, values := c.names()
	_, ys := c.spans()
	value := c.barAxis(ys, 5)
	rows := axis{span: span{0.5 - float64(len(names)), 0.5}}
	for i, name := range names {
		rows.ticks = append(rows.ticks, plot.Tick{Value: -float64(i), Label: middle(plain(name), 30) + " "})
	}
	p := c.frame(value, rows)
	p.Y.Tick.Label.Color = ink
	p.Add(lyingPlotter{c, values})
	p.Draw(draw.Crop(canvas, 0, -3*rightRoom, bottomRoom, 0))
	c.below(canvas, c.y)
}

// lyingPlotter draws bars that lie, with their value at the end.
type lyingPlotter struct {
	*chart
	values [][]float64 // by series and name
}

func (n lyingPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	thick := 0.72 * (y(0) - y(-1)) / vg.Length(len(n.values))
	zero := x(math.Max(0, p.X.Min))
	for i, row := range n.values {
		for j, v := range row {
			if !shows(v, n.logY) {
				continue
			}
			top := y(-float64(j)) + thick*vg.Length(len(n.values))/2 - thick*vg.Length(i)
			fill(c, lines[n.series[i].hue()], zero, top-thick, x(v), top)
			if len(n.values) <= 2 {
				n.write(c, v, vg.Point{X: max(zero, x(v)), Y: top - thick/2})
			}
		}
	}
}

// write writes a value behind its bar, or in front where there is no room.
func (n lyingPlotter) write(c draw.Canvas, v float64, at vg.Point) {
	style := textStyle(min(9, barRow/vg.Length(len(n.values))), muted)
	style.XAlign, style.YAlign = draw.XLeft, draw.YCenter
	at.X += 3
	if at.X+style.Width(short(v)) > c.Max.X+3*rightRoom {
		return
	}
	c.FillText(style, at, short(v))
}

// drawBars draws bars that stand at their place on the x axis.
func (c *chart) drawBars(canvas draw.Canvas) {
	var names []plot.Tick
	if c.named() {
		placed := *c
		placed.series = slices.Clone(c.series)
		names = placed.standing()
		c = &placed
	}
	xs, ys := c.spans()
	width := c.barWidth()
	if !xs.empty() && !c.logX {
		xs.min, xs.max = xs.min-width/2, xs.max+width/2
	}
	x := linear(xs, 7, false)
	if c.logX {
		x = logarithmic(span{xs.min / 1.2, xs.max * 1.2}, false)
	}
	if names != nil {
		x.ticks = names
	}
	p := c.frame(x, c.barAxis(ys, 5))
	if names != nil {
		p.X.Tick.Length = 0
	}
	p.Add(standPlotter{c, width})
	c.labelled(canvas, p, labelRoom)
}

// barWidth is the least distance between bars, on the x axis.
func (c *chart) barWidth() float64 {
	width := math.Inf(1)
	for _, s := range c.series {
		for i := 1; i < len(s.x); i++ {
			if d := math.Abs(s.x[i] - s.x[i-1]); d > 0 {
				width = min(width, d)
			}
		}
	}
	if !drawable(width) {
		return 1
	}
	return width
}

// standPlotter draws bars that stand.
type standPlotter struct {
	*chart
	width float64
}

func (s standPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for i := range s.series {
		one := &s.series[i]
		for j, v := range one.y {
			if !shows(v, s.logY) || !shows(one.x[j], s.logX) {
				continue
			}
			at, thick := x(one.x[j]), vg.Length(4)
			if !s.logX {
				thick = 0.86 * (x(one.x[j]+s.width/2) - x(one.x[j]-s.width/2))
			}
			part := max(thick/vg.Length(len(s.series)), 0.4)
			left := at - thick/2 + part*vg.Length(i)
			fill(c, lines[one.hue()], left, y(math.Max(0, p.Y.Min)), left+part, y(v))
		}
	}
}

// fill draws a filled rectangle between two corners.
func fill(c draw.Canvas, with color.Color, x0, y0, x1, y1 vg.Length) {
	c.SetColor(with)
	var path vg.Path
	path.Move(vg.Point{X: x0, Y: y0})
	path.Line(vg.Point{X: x0, Y: y1})
	path.Line(vg.Point{X: x1, Y: y1})
	path.Line(vg.Point{X: x1, Y: y0})
	path.Close()
	c.Fill(path)
}
