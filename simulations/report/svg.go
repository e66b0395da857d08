package report

import (
	"fmt"
	"html"
	"html/template"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"communicator/simulations/measure"
)

// svg draws the chart as an inline SVG whose ids begin with id, with about so many points
// of each line. It is empty where there is nothing to draw.
func (c *chart) svg(id string, points int) template.HTML {
	if _, y := c.spans(); y.empty() {
		return ""
	}
	height := vg.Length(chartHeight)
	if c.lies() {
		names, _ := c.names()
		height = barChartRest + barRow*vg.Length(len(names))*max(1, vg.Length(len(c.series))*0.6)
	}
	to := vgsvg.New(chartWidth, height)
	switch canvas := draw.New(to); {
	case c.lies():
		c.drawLying(canvas)
	case c.kind == measure.Bars:
		c.drawBars(canvas)
	default:
		c.draw(canvas, points)
	}
	var b strings.Builder
	if _, err := to.WriteTo(&b); err != nil {
		return "" // a strings.Builder takes everything
	}
	return c.dress(id, b.String(), float64(height))
}

// dress makes of a file's SVG one that stands in a page: with a name for those who do not
// see it, the page's colours, one font for all, and no more digits than can be seen.
func (c *chart) dress(id, file string, height float64) template.HTML {
	_, body, _ := strings.Cut(file, "<svg")
	_, body, _ = strings.Cut(body, ">")
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %g" role="img" aria-labelledby="%s-t %s-d" `+
		`font-family="Liberation Sans,Arial,Helvetica,sans-serif">`, chartWidth, height, id, id)
	fmt.Fprintf(&b, `<title id="%s-t">%s</title><desc id="%s-d">%s</desc>`,
		id, template.HTMLEscapeString(plainLong(c.title)), id, template.HTMLEscapeString(c.describe()))
	body = attribute.ReplaceAllStringFunc(body, func(a string) string {
		if strings.HasPrefix(a, "d=") {
			return decimals.ReplaceAllStringFunc(a, oneDecimal)
		}
		return palette.Replace(strings.Replace(a, vgFont, "", 1))
	})
	b.WriteString(drawnText.ReplaceAllStringFunc(strings.ReplaceAll(body, "\n\t", " "), fitted))
	return template.HTML(b.String())
}

// fitted gives a text the width for which the chart was laid out, whatever font the reader
// has.
func fitted(text string) string {
	m := drawnText.FindStringSubmatch(text)
	size, err := strconv.ParseFloat(m[2], 64)
	if words := html.UnescapeString(m[3]); err == nil && len(words) > 1 {
		width := textStyle(vg.Length(size), ink).Width(words)
		return fmt.Sprintf(`<text textLength="%.1f" lengthAdjust="spacingAndGlyphs"%s%s</text>`, width.Points(), m[1], m[3])
	}
	return text
}

// Attributes of the drawing. Texts that are drawn have their quotes escaped, so that they
// never look like one.
var (
	attribute = regexp.MustCompile(`(?:style|d)="[^"]*"`)
	decimals  = regexp.MustCompile(`-?[0-9.]+(?:e[-+][0-9]+)?`)
	drawnText = regexp.MustCompile(`<text((?: [a-z]+="[^"]*")* style="font-size:([0-9.]+)px[^"]*">)([^<]*)</text>`)
)

// vgFont is how the canvas names the font of each text.
const vgFont = "font-family:Liberation Sans;font-variant:normal;font-weight:normal;font-style:normal;"

// palette replaces the colours by the page's: variables, so that they follow the reader's
// light or dark setting, with what was drawn where a chart is taken out of its page.
var palette = func() *strings.Replacer {
	var pairs []string
	add := func(name string, c interface{ RGBA() (r, g, b, a uint32) }) {
		r, g, b, _ := c.RGBA()
		hex := fmt.Sprintf("#%02X%02X%02X", r>>8, g>>8, b>>8)
		pairs = append(pairs, hex, "var(--"+name+","+hex+")")
	}
	add("ink", ink)
	add("muted", muted)
	add("faint", faint)
	for i, c := range lines {
		add("c"+strconv.Itoa(i), c)
	}
	return strings.NewReplacer(pairs...)
}()

func oneDecimal(n string) string {
	v, err := strconv.ParseFloat(n, 64)
	if err != nil {
		return n
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// plainLong is a text on one line, of any length.
func plainLong(s string) string { return strings.Join(strings.Fields(s), " ") }

// describe says in words what a chart shows, for those who do not see it.
func (c *chart) describe() string {
	x, y := c.spans()
	var names []string
	for i, s := range c.series {
		if i == 12 {
			names = append(names, "and more")
			break
		}
		if s.name != "" {
			names = append(names, plain(s.name))
		}
	}
	text := plainLong(c.caption)
	if text != "" && !strings.HasSuffix(text, ".") {
		text += "."
	}
	if c.named() {
		return fmt.Sprintf("%s Bars of %s from %s to %s.", text, plain(c.y), short(y.min), short(y.max))
	}
	text += fmt.Sprintf(" %s from %s to %s against %s from %s to %s.", plain(c.y), short(y.min), short(y.max), plain(c.x), short(x.min), short(x.max))
	if len(names) > 0 {
		text += " Lines: " + strings.Join(names, ", ") + "."
	}
	return strings.TrimSpace(text)
}

// key is the sample of a line beside its name.
func (s *series) key(bars bool) template.HTML {
	shape := fmt.Sprintf(`<path d="M0,5H24" style="fill:none;stroke:var(--c%d);stroke-width:2`, s.hue())
	if bars {
		shape = fmt.Sprintf(`<path d="M4,0H16V10H4Z" style="fill:var(--c%d)`, s.hue())
	} else if d := s.dash(); d != nil {
		shape += ";stroke-dasharray:"
		for i, n := range d {
			if i > 0 {
				shape += ","
			}
			shape += strconv.FormatFloat(n.Points(), 'f', -1, 64)
		}
	}
	return template.HTML(`<svg class="key" viewBox="0 0 24 10" aria-hidden="true">` + shape + `"/></svg>`)
}
