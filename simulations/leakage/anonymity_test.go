package leakage

import (
	"math"
	"slices"
	"testing"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > within {
		t.Errorf("%s is %v, not %v", what, got, want)
	}
}

func TestMeasuresOfADistribution(t *testing.T) {
	for _, c := range []struct {
		name                              string
		weights                           []float64
		truth                             int
		entropy, most, probability, place float64
		wrong                             bool
	}{
		{"alone", []float64{3}, 0, 0, 1, 1, 1, false},
		{"perfect mixing", []float64{1, 1, 1, 1, 1, 1, 1, 1}, 5, 3, 1. / 8, 1. / 8, 4.5, false},
		{"a suspect", []float64{2, 1, 1}, 1, 1.5, 0.5, 0.25, 2.5, true},
		{"certain", []float64{0, 7, 0}, 1, 0, 1, 1, 1, false},
		{"certain and wrong", []float64{0, 7, 0}, 0, 0, 1, 0, 2.5, true},
	} {
		a := summarize(c.weights, c.truth)
		near(t, c.name+": entropy", a.entropy, c.entropy, 1e-12)
		near(t, c.name+": effective set", a.effective(), math.Exp2(c.entropy), 1e-9)
		near(t, c.name+": largest probability", a.max, c.most, 1e-12)
		near(t, c.name+": probability of the truth", a.truth, c.probability, 1e-12)
		near(t, c.name+": rank", a.rank, c.place, 1e-12)
		if a.wrong != c.wrong {
			t.Errorf("%s: wrong is %v", c.name, a.wrong)
		}
	}
	perfect := summarize([]float64{1, 1, 1, 1}, 0)
	near(t, "degree of perfect mixing", perfect.degree(4), 1, 1e-12)
	near(t, "degree among more", perfect.degree(16), 0.5, 1e-12)
	near(t, "degree of the only one", known.degree(1), 0, 0)
}

func TestQuantilesAreOfThoseThere(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	near(t, "median", quantile(values, .5), 3, 0)
	near(t, "smallest", quantile(values, 0), 1, 0)
	near(t, "largest", quantile(values, 1), 5, 0)
	near(t, "of nothing", quantile(nil, .5), 0, 0)
	if l := curve("x", []float64{3, 2, 3}, 6, 9); !slices.Equal(l.X, []float64{1, 2, 3, 9}) || !slices.Equal(l.Y, []float64{0, 1. / 6, 0.5, 0.5}) {
		t.Errorf("%+v", l)
	}
	if l := distribution("x", []float64{2, 1, 2, 2}); !slices.Equal(l.X, []float64{1, 2}) || !slices.Equal(l.Y, []float64{0.25, 1}) {
		t.Errorf("%+v", l)
	}
}
