package report

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// axis is a range and the places on it that have a label.
type axis struct {
	span
	log   bool
	ticks []plot.Tick
}

// linear makes an axis of about n labels at 1, 2 or 5 times a power of ten. A whole one
// begins and ends at a label, and one that could begin at nought does if that costs little.
func linear(s span, n int, whole bool) axis {
	if s.empty() {
		s = span{0, 1}
	}
	if whole && s.min > 0 && s.min < 0.5*s.max {
		s.min = 0
	}
	if width := s.max - s.min; width <= 1e-12*math.Max(math.Abs(s.min), math.Abs(s.max)) || width == 0 {
		s.min, s.max = min(s.min, 0), max(s.max, 0)
		if s.min == s.max {
			s.max = 1
		}
	}
	step := niceStep((s.max - s.min) / float64(n))
	first, last := math.Ceil(s.min/step-1e-9), math.Floor(s.max/step+1e-9)
	if whole {
		first, last = math.Floor(s.min/step+1e-9), math.Ceil(s.max/step-1e-9)
		s = span{first * step, last * step}
	}
	a := axis{span: s}
	for i := first; i <= last; i++ {
		a.ticks = append(a.ticks, plot.Tick{Value: i * step, Label: tickText(i*step, step)})
	}
	return a
}

// niceStep is the next larger of 1, 2 and 5 times a power of ten.
func niceStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= least*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// logarithmic makes an axis with labels at powers of ten, and between them where there are
// few powers. A whole one begins and ends at a label.
func logarithmic(s span, whole bool) axis {
	if s.empty() {
		s = span{1, 10}
	}
	if s.min == s.max {
		s = span{s.min / 2, s.max * 2}
	}
	low, high := math.Floor(math.Log10(s.min)), math.Ceil(math.Log10(s.max))
	decades := high - low
	every := math.Max(1, math.Ceil(decades/7))
	a := axis{span: s, log: true}
	bounds := noSpan()
	for e := low; e <= high; e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, e)
			if m > 1 && (decades > 2 || e == high) {
				continue
			}
			t := plot.Tick{Value: v}
			if m > 1 || math.Mod(e-low, every) == 0 {
				t.Label = tickText(v, v)
			}
			a.ticks = append(a.ticks, t)
			if v <= s.min*(1+1e-9) {
				bounds.min = v
			}
			if v >= s.max*(1-1e-9) && math.IsInf(bounds.max, -1) {
				bounds.max = v
			}
		}
	}
	if whole {
		a.span = bounds
	}
	if a.labels() < 3 && a.max < 10*a.min {
		a.ticks = linear(a.span, 5, false).ticks
	}
	return a
}

// labels counts those within the axis.
func (a *axis) labels() (n int) {
	for _, t := range a.ticks {
		if t.Label != "" && t.Value >= a.min*(1-1e-9) && t.Value <= a.max*(1+1e-9) {
			n++
		}
	}
	return n
}

// tickText writes the number at a label: short, and no finer than the step.
func tickText(v, step float64) string {
	if v == 0 || math.Abs(v) < step*1e-6 {
		return "0"
	}
	for _, u := range []struct {
		unit float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= 10*u.unit || u.unit > 1e3 && math.Abs(v) >= u.unit || math.Abs(v) >= u.unit && step >= u.unit {
			if math.Abs(v) >= 1e15 {
				break
			}
			return trimmed(v/u.unit, step/u.unit) + u.name
		}
	}
	return trimmed(v, step)
}

// trimmed writes v with as many decimals as step needs.
func trimmed(v, step float64) string {
	if a := math.Abs(v); a >= 1e15 || a < 1e-5 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	decimals := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	return strconv.FormatFloat(v, 'f', decimals, 64)
}
