package measure

import "math/bits"

// subBits makes 2^subBits buckets of each power of two: a value is known within half a
// bucket, 1/2^(subBits+1) of it, which is 0.4 %.
const subBits = 7

// Histogram counts whole numbers, such as microseconds or bytes, in buckets whose width
// grows with the value (Gil Tene's HdrHistogram): a quantile is within 0.4 % of the true
// one. It uses integers alone, so that it is the same on every machine. The zero value is
// empty.
type Histogram struct {
	counts []uint32
	n      int64
	sum    float64
	max    int64
}

// bucket is where a value is counted: exactly below 2^subBits.
func bucket(v int64) int {
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(uint64(v)) - 1 - subBits
	return (shift+1)<<subBits + int(v>>shift) - 1<<subBits
}

// value is the middle of a bucket.
func value(b int) float64 {
	if b < 1<<subBits {
		return float64(b)
	}
	shift := b>>subBits - 1
	low := float64(int64(b&(1<<subBits-1)+1<<subBits) << shift)
	return low + float64(int64(1)<<shift-1)/2
}

// Add counts v; below 0 as 0.
func (h *Histogram) Add(v int64) {
	v = max(v, 0)
	b := bucket(v)
	for b >= len(h.counts) {
		h.counts = append(h.counts, make([]uint32, 1<<subBits)...)
	}
	h.counts[b]++
	h.n++
	h.sum += float64(v)
	h.max = max(h.max, v)
}

// N is how many were counted.
func (h *Histogram) N() int64 { return h.n }

// Max is the largest.
func (h *Histogram) Max() float64 { return float64(h.max) }

// Mean is the average; 0 of nothing.
func (h *Histogram) Mean() float64 {
	if h.n == 0 {
		return 0
	}
	return h.sum / float64(h.n)
}

// Quantile is the smallest value that at least the share q of all are at most; 0 of
// nothing.
func (h *Histogram) Quantile(q float64) float64 {
	want := int64(q * float64(h.n))
	if float64(want) < q*float64(h.n) || want == 0 {
		want++
	}
	seen := int64(0)
	for b, c := range h.counts {
		if seen += int64(c); seen >= want && h.n > 0 {
			return min(value(b), float64(h.max))
		}
	}
	return 0
}

// Distribution is the share of values (y) that are at most x, at no more than n points.
func (h *Histogram) Distribution(n int) (x, y []float64) {
	seen, step := int64(0), max(h.n/int64(n), 1)
	next := step
	for b, c := range h.counts {
		if seen += int64(c); c > 0 && (seen >= next || seen == h.n) {
			x, y = append(x, min(value(b), float64(h.max))), append(y, float64(seen)/float64(h.n))
			next = seen + step
		}
	}
	return x, y
}
