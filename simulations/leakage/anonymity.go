package leakage

import (
	"math"
	"slices"

	"communicator/simulations/measure"
)

// anonymity is what a probability distribution over candidates says of one person.
type anonymity struct {
	entropy float64 // bits
	max     float64 // largest probability of any candidate
	truth   float64 // probability of the one who it is
	rank    float64 // of the one who it is, from 1; the middle one among equals
	wrong   bool    // the largest probability is somebody else's
}

// known is the anonymity of who has none.
var known = anonymity{max: 1, truth: 1, rank: 1}

// effective is the size of the anonymity set in which everybody would be as likely as
// another (Serjantov & Danezis 2002).
func (a anonymity) effective() float64 { return math.Exp2(a.entropy) }

// degree is the entropy's share of what it could be among n (Díaz et al. 2002): 1 is
// perfect, and so is being alone with nobody else to be.
func (a anonymity) degree(n int) float64 {
	if n <= 1 {
		return 0
	}
	return a.entropy / math.Log2(float64(n))
}

// summarize reads a distribution: weights of candidates that need not sum to 1, and which
// of them is the true one.
func summarize(weights []float64, truth int) anonymity {
	a := anonymity{rank: 1}
	total, largest := 0.0, 0.0
	for _, w := range weights {
		total += w
		largest = max(largest, w)
	}
	if total == 0 {
		return a
	}
	for i, w := range weights {
		p := w / total
		if p > 0 {
			a.entropy -= p * math.Log2(p)
		}
		switch {
		case i == truth:
		case w > weights[truth]:
			a.rank++
		case w == weights[truth]:
			a.rank += 0.5
		}
	}
	a.entropy = max(a.entropy, 0) // not a rounding below it
	a.max, a.truth = largest/total, weights[truth]/total
	a.wrong = weights[truth] < largest
	return a
}

// crowd gathers the anonymity of many people.
type crowd []anonymity

func (c crowd) mean(of func(anonymity) float64) float64 {
	total := 0.0
	for _, a := range c {
		total += of(a)
	}
	return total / float64(len(c))
}

// quantile is the smallest value that at least the share q of all are at most.
func (c crowd) quantile(q float64, of func(anonymity) float64) float64 {
	values := make([]float64, len(c))
	for i, a := range c {
		values[i] = of(a)
	}
	return quantile(values, q)
}

func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	return values[min(max(int(math.Ceil(q*float64(len(values))))-1, 0), len(values)-1)]
}

func entropyOf(a anonymity) float64   { return a.entropy }
func effectiveOf(a anonymity) float64 { return a.effective() }
func maxOf(a anonymity) float64       { return a.max }
func truthOf(a anonymity) float64     { return a.truth }
func rankOf(a anonymity) float64      { return a.rank }

// curve is, in steps from 1 up to a number of messages, the share of pairs whose value is at
// most so much, of all in total.
func curve(name string, values []float64, total, upTo int) measure.Line {
	l := measure.Line{Name: name}
	values = slices.Sorted(slices.Values(values))
	if len(values) == 0 || values[0] > 1 {
		l.X, l.Y = append(l.X, 1), append(l.Y, 0)
	}
	for i, v := range values {
		if i+1 < len(values) && values[i+1] == v {
			continue
		}
		l.X, l.Y = append(l.X, v), append(l.Y, float64(i+1)/float64(total))
	}
	if last := len(l.X) - 1; l.X[last] < float64(upTo) {
		l.X, l.Y = append(l.X, float64(upTo)), append(l.Y, l.Y[last])
	}
	return l
}

// distribution is, as a curve, the share of all values that are at most so much.
func distribution(name string, values []float64) measure.Line {
	l := measure.Line{Name: name}
	values = slices.Sorted(slices.Values(values))
	for i, v := range values {
		if i+1 == len(values) || values[i+1] != v {
			l.X, l.Y = append(l.X, v), append(l.Y, float64(i+1)/float64(len(values)))
		}
	}
	return l
}
