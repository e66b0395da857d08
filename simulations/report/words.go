package report

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxText is how many letters of a text a chart draws.
const maxText = 90

// plain is a text as a chart draws it: on one line, without what controls a terminal or
// turns the direction of writing, and not too long.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	return middle(strings.Join(strings.Fields(s), " "), maxText)
}

// middle shortens a text in its middle, where names differ least.
func middle(s string, limit int) string {
	r := []rune(s)
	if len(r) <= limit {
		return s
	}
	half := (limit - 1) / 2
	return string(r[:limit-1-half]) + "…" + string(r[len(r)-half:])
}

// short writes a number with about four figures, in groups of three where it is large.
func short(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return "—"
	case math.IsInf(v, 1):
		return "∞"
	case math.IsInf(v, -1):
		return "−∞"
	case v == 0:
		return "0"
	case a >= 1e15 || a < 1e-4:
		return strings.Replace(strconv.FormatFloat(v, 'g', 4, 64), "-", "−", 2)
	}
	decimals := 0
	if v != math.Trunc(v) && a < 10_000 {
		decimals = max(0, 3-int(math.Floor(math.Log10(a))))
	}
	s := strconv.FormatFloat(a, 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		fraction = "." + fraction
	}
	if len(whole) > 4 {
		whole = grouped(whole)
	}
	if v < 0 {
		whole = "−" + whole
	}
	return whole + fraction
}

// grouped puts a narrow space, at which no line breaks, between groups of three digits.
func grouped(digits string) string {
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteRune('\u202f')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// precise writes a measure: a share near 1 keeps the digits that tell it from 1.
func precise(v float64) string {
	if d := 1 - v; d > 0 && d < 0.001 && d > 1e-9 {
		return strings.TrimRight(strconv.FormatFloat(v, 'f', min(9, 2+int(math.Ceil(-math.Log10(d)))), 64), "0")
	}
	return short(v)
}

// spell writes a length of time as people do: 1 h 10 min, 4.2 s.
func spell(d time.Duration) string {
	switch {
	case d < time.Second:
		return short(float64(d)/1e6) + " ms"
	case d < time.Minute:
		return short(math.Round(d.Seconds()*10)/10) + " s"
	}
	var parts []string
	d = d.Round(time.Second)
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / u.unit; n > 0 && len(parts) < 2 {
			parts = append(parts, strconv.Itoa(int(n))+" "+u.name)
		}
		d %= u.unit
	}
	return strings.Join(parts, " ")
}
