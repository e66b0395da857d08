package directory

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// budgets are token buckets, one for each key. They are kept in memory alone.
type budgets[K comparable] struct {
	rate Rate
	max  int

	mu   sync.Mutex // guards each
	each map[K]*rate.Limiter
}

func newBudgets[K comparable](r Rate, max int) *budgets[K] {
	return &budgets[K]{rate: r, max: max, each: map[K]*rate.Limiter{}}
}

func (r Rate) limiter() *rate.Limiter { return rate.NewLimiter(rate.Limit(r.PerHour/3600), r.Burst) }

// spend takes one from the key's bucket, and says whether there was one.
func (b *budgets[K]) spend(key K, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.each[key]
	if l == nil {
		b.makeRoom(now)
		l = b.rate.limiter()
		b.each[key] = l
	}
	return l.AllowN(now, 1)
}

// makeRoom drops full buckets, which say nothing; where all are in use, a tenth of them
// at random, so that the cost of looking is spread.
func (b *budgets[K]) makeRoom(now time.Time) {
	if len(b.each) < b.max {
		return
	}
	for key, l := range b.each {
		if l.TokensAt(now) >= float64(b.rate.Burst) {
			delete(b.each, key)
		}
	}
	for key := range b.each {
		if len(b.each) <= b.max-b.max/10-1 {
			return
		}
		delete(b.each, key)
	}
}
