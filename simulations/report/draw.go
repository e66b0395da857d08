package report

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Sizes of a chart, in points, which a page shows as pixels or smaller.
const (
	chartWidth   = 460
	chartHeight  = 256
	tickSize     = 11.5
	labelSize    = 11.5
	pointSize    = 9.5 // of texts at points
	labelRoom    = 20  // above the plot, for the label of the y axis
	markRoom     = 15  // above the plot, for the letters of marks
	rightRoom    = 6
	bottomRoom   = 17 // below the plot, for the label of the x axis
	lineWidth    = 1.6
	barRow       = 19   // height of a bar that lies
	barChartRest = 48   // of a chart with such bars, besides these
	edgeRoom     = 0.03 // share of the x axis that marked points keep clear, on either side
	nearNought   = 0.1  // share of the most below which an x axis begins at nought
)

// Colours are placeholders: the page replaces them by its own, light or dark.
var (
	ink   = color.RGBA{0x1F, 0x23, 0x28, 0xFF}
	muted = color.RGBA{0x59, 0x60, 0x68, 0xFF}
	faint = color.RGBA{0xE1, 0xE4, 0xE8, 0xFF}
	// lines are those of Okabe and Ito (2008), which people who see few colours can tell
	// apart, in an order in which neighbours differ in lightness too.
	lines = []color.RGBA{
		{0x00, 0x72, 0xB2, 0xFF}, {0xD5, 0x5E, 0x00, 0xFF}, {0x00, 0x9E, 0x73, 0xFF}, {0xCC, 0x79, 0xA7, 0xFF},
		{0xE6, 0x9F, 0x00, 0xFF}, {0x56, 0xB4, 0xE9, 0xFF}, {0x4D, 0x4D, 0x4D, 0xFF},
	}
	// dashes tell lines apart where there is no colour.
	dashes = [][]vg.Length{nil, {6, 2.5}, {2, 2}, {8, 2.5, 2, 2.5}}
)

func (s *series) hue() int {
	if s.colour > 0 {
		return (s.colour - 1) % len(lines)
	}
	return s.style % len(lines)
}

func (s *series) dash() []vg.Length { return dashes[s.style%len(dashes)] }

func (s *series) lineStyle() draw.LineStyle {
	return draw.LineStyle{Color: lines[s.hue()], Width: lineWidth, Dashes: s.dash()}
}

// textStyle is that of a chart's texts, as wide as Liberation Sans, Arial and Helvetica.
func textStyle(size vg.Length, c color.Color) text.Style {
	return text.Style{Color: c, Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size),
		Handler: plot.DefaultTextHandler}
}

// within shortens a text until it is no wider than room.
func within(style text.Style, s string, room vg.Length) string {
	s = plain(s)
	for n := len([]rune(s)); n > 3 && style.Width(s) > room; n-- {
		s = middle(s, n-1)
	}
	return s
}

// draw draws the chart as lines on a canvas; bars are drawn by drawBars.
func (c *chart) draw(canvas draw.Canvas, points int) {
	x, y := c.axes()
	p := c.frame(x, y)
	room := vg.Length(labelRoom)
	if marks := c.markers(x); len(marks) > 0 {
		p.Add(markPlotter(marks))
		room += markRoom
	}
	var taken []vg.Rectangle
	for i := range c.series {
		c.addSeries(p, &c.series[i], points, &taken)
	}
	c.labelled(canvas, p, room)
}

// axes are those of a chart of lines. Points that are marked keep clear of the edges.
func (c *chart) axes() (x, y axis) {
	xs, ys := c.spans()
	if !xs.empty() && !c.logX {
		for _, m := range c.marks {
			if drawable(m.X) {
				xs.take(m.X)
			}
		}
		if xs.min > 0 && xs.min < nearNought*xs.max {
			xs.min = 0
		}
	}
	if dots := slices.ContainsFunc(c.series, func(s series) bool { return s.dots }); dots && !xs.empty() {
		if c.logX {
			room := math.Pow(xs.max/xs.min, edgeRoom)
			xs = span{xs.min / room, xs.max * room}
		} else {
			room := (xs.max - xs.min) * edgeRoom
			xs = span{xs.min - room, xs.max + room}
		}
	}
	x, y = linear(xs, 7, false), linear(ys, 5, true)
	if c.logX {
		x = logarithmic(xs, false)
	}
	if c.logY {
		y = logarithmic(ys, true)
	}
	return x, y
}

// frame is a plot with axes and without data.
func (c *chart) frame(x, y axis) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []struct {
		to   *plot.Axis
		from axis
	}{{&p.X, x}, {&p.Y, y}} {
		a.to.Min, a.to.Max = a.from.min, a.from.max
		if a.from.log {
			a.to.Scale = plot.LogScale{}
		}
		a.to.Tick.Marker = plot.ConstantTicks(slices.DeleteFunc(slices.Clone(a.from.ticks), func(t plot.Tick) bool {
			return t.Value < a.from.min*(1-1e-9) && t.Value < a.from.min || t.Value > a.from.max && t.Value > a.from.max*(1+1e-9)
		}))
		align := a.to.Tick.Label
		a.to.Tick.Label = textStyle(tickSize, muted)
		a.to.Tick.Label.XAlign, a.to.Tick.Label.YAlign = align.XAlign, align.YAlign
		a.to.Tick.Color, a.to.Tick.Width, a.to.Tick.Length = muted, 0.6, 4
		a.to.Color, a.to.Width = muted, 0.8
		a.to.Padding = 0
	}
	p.Y.Width, p.Y.Tick.Length, p.Y.Padding = 0, 0, 2
	p.Add(gridPlotter(p.Y.Tick.Marker.Ticks(0, 0)))
	return p
}

// labelled draws the plot between the label of its y axis, which lies, to be read, and that
// of its x axis. (The plot's own labels take room for themselves where they are not, if an
// axis is logarithmic.)
func (c *chart) labelled(canvas draw.Canvas, p *plot.Plot, room vg.Length) {
	style := textStyle(labelSize, ink)
	style.XAlign, style.YAlign = draw.XLeft, draw.YTop
	canvas.FillText(style, vg.Point{X: canvas.Min.X + 1, Y: canvas.Max.Y}, within(style, c.y, canvas.Size().X-2))
	p.Draw(draw.Crop(canvas, 0, -rightRoom, bottomRoom, -room))
	c.below(canvas, c.x)
}

// below writes a label under the plot.
func (c *chart) below(canvas draw.Canvas, label string) {
	style := textStyle(labelSize, ink)
	style.XAlign, style.YAlign = draw.XCenter, draw.YBottom
	canvas.FillText(style, vg.Point{X: canvas.Center().X, Y: canvas.Min.Y + 3}, within(style, label, canvas.Size().X-2))
}

// addSeries adds a line, its spread, and marks where a line alone would not be seen.
func (c *chart) addSeries(p *plot.Plot, s *series, points int, taken *[]vg.Rectangle) {
	if s.low != nil {
		p.Add(spreadPlotter{s, c})
	}
	segments, _ := c.segments(s)
	total := 0
	for _, segment := range segments {
		total += len(segment)
	}
	var single []point
	for _, segment := range segments {
		if len(segment) == 1 {
			single = append(single, segment...)
			continue
		}
		if total > points {
			segment = thin(segment, max(4, points*len(segment)/total))
		}
		line := &plotter.Line{XYs: xys(segment), LineStyle: s.lineStyle()}
		if c.kind == "steps" {
			line.StepStyle = plotter.PostStep
		}
		p.Add(line)
		if s.dots {
			single = append(single, segment...)
		}
	}
	if len(single) > 0 {
		if len(single) > points {
			single = single[:points]
		}
		p.Add(&plotter.Scatter{XYs: xys(single),
			GlyphStyle: draw.GlyphStyle{Color: lines[s.hue()], Radius: 2.6, Shape: draw.CircleGlyph{}}})
	}
	if s.dots && len(s.labels) == len(s.y) {
		p.Add(textPlotter{s, c, taken})
	}
}

func xys(in []point) plotter.XYs {
	out := make(plotter.XYs, len(in))
	for i, p := range in {
		out[i] = plotter.XY{X: p.x, Y: p.y}
	}
	return out
}

// gridPlotter draws a faint line at each label of the y axis.
type gridPlotter []plot.Tick

func (g gridPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	_, y := p.Transforms(&c)
	for _, t := range g {
		if !t.IsMinor() {
			c.StrokeLine2(draw.LineStyle{Color: faint, Width: 0.7}, c.Min.X, y(t.Value), c.Max.X, y(t.Value))
		}
	}
}

// spreadPlotter draws how far runs lie apart, as a bar with ends at each point.
type spreadPlotter struct {
	*series
	of *chart
}

func (s spreadPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := draw.LineStyle{Color: lines[s.hue()], Width: 0.8}
	for i := range s.y {
		if !shows(s.x[i], s.of.logX) || !shows(s.low[i], s.of.logY) || !shows(s.high[i], s.of.logY) || s.low[i] == s.high[i] {
			continue
		}
		at, low, high := x(s.x[i]), y(s.low[i]), y(s.high[i])
		c.StrokeLine2(style, at, low, at, high)
		c.StrokeLine2(style, at-3, low, at+3, low)
		c.StrokeLine2(style, at-3, high, at+3, high)
	}
}

// textPlotter writes what points stand for beside them, where there is room.
type textPlotter struct {
	*series
	of    *chart
	taken *[]vg.Rectangle // by the texts of all series
}

func (s textPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := textStyle(pointSize, muted)
	for i := range s.y {
		words := plain(s.labels[i])
		if words == "" || !shows(s.x[i], s.of.logX) || !shows(s.y[i], s.of.logY) {
			continue
		}
		width, height := style.Width(words), vg.Length(pointSize)
		for _, up := range []vg.Length{4, -4 - height} {
			at := vg.Point{X: x(s.x[i]) + 5, Y: y(s.y[i]) + up}
			if at.X+width > c.Max.X {
				at.X -= width + 10
			}
			if s.take(vg.Rectangle{Min: at, Max: vg.Point{X: at.X + width, Y: at.Y + height}}, c.Rectangle) {
				c.FillText(style, at, words)
				break
			}
		}
	}
}

// take keeps a place for a text, if it is within and free.
func (s textPlotter) take(r, within vg.Rectangle) bool {
	if r.Min.X < within.Min.X || r.Min.Y < within.Min.Y || r.Max.Y > within.Max.Y+pointSize {
		return false
	}
	for _, other := range *s.taken {
		if r.Min.X < other.Max.X && other.Min.X < r.Max.X && r.Min.Y < other.Max.Y && other.Min.Y < r.Max.Y {
			return false
		}
	}
	*s.taken = append(*s.taken, r)
	return true
}
