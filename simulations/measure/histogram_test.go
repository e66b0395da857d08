package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestQuantilesAreWithinOnePercent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	var all []int64
	for range 50_000 {
		v := int64(math.Exp(r.NormFloat64()*3 + 10))
		h.Add(v)
		all = append(all, v)
	}
	slices.Sort(all)
	for _, q := range []float64{0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
		exact := float64(all[int(math.Ceil(q*float64(len(all))))-1])
		if got := h.Quantile(q); math.Abs(got-exact) > 0.005*exact+0.5 {
			t.Errorf("quantile %v is %v, not %v", q, got, exact)
		}
	}
	if h.Max() != float64(all[len(all)-1]) || h.N() != 50_000 {
		t.Errorf("max %v of %d", h.Max(), h.N())
	}
}

func TestBucketsFollowEachOther(t *testing.T) {
	last := -1
	for v := int64(0); v < 1<<14; v++ {
		b := bucket(v)
		if b != last && b != last+1 {
			t.Fatalf("%d is in bucket %d, the one before in %d", v, b, last)
		}
		if got := value(b); math.Abs(got-float64(v)) > float64(v)/256+0.5 {
			t.Fatalf("bucket %d of %d stands for %v", b, v, got)
		}
		last = b
	}
	if b := bucket(math.MaxInt64); value(b) < math.MaxInt64/2 {
		t.Errorf("the largest value is in bucket %d of %v", b, value(b))
	}
}

func TestAnEmptyHistogramHasNothing(t *testing.T) {
	var h Histogram
	if x, y := h.Distribution(10); h.Quantile(0.5) != 0 || h.Mean() != 0 || len(x)+len(y) != 0 {
		t.Error("something of nothing")
	}
	h.Add(-5)
	if h.Quantile(0.5) != 0 || h.N() != 1 {
		t.Error("a negative value is not counted as 0")
	}
}

func TestADistributionRisesToOne(t *testing.T) {
	var h Histogram
	for v := range int64(10_000) {
		h.Add(v)
	}
	x, y := h.Distribution(50)
	if len(x) < 40 || len(x) > 52 || y[len(y)-1] != 1 || !slices.IsSorted(x) || !slices.IsSorted(y) {
		t.Fatalf("%d points, the last at %v", len(x), y[len(y)-1])
	}
	for i := range x {
		if math.Abs(x[i]/10_000-y[i]) > 0.01 {
			t.Errorf("%v of all are at most %v", y[i], x[i])
		}
	}
}
