// Package budget holds token buckets by key: what each peer, account or network may still
// do. They are kept in memory alone, and bounded, so that nobody fills it with keys.
package budget

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate fills one bucket: Burst at once, then PerHour in an hour.
type Rate struct {
	Burst   int
	PerHour float64
}

// Limiter is one full bucket.
func (r Rate) Limiter() *rate.Limiter { return rate.NewLimiter(rate.Limit(r.PerHour/3600), r.Burst) }

// Table is a bucket for each key. A key that was not seen yet has a full one. It is safe
// for concurrent use.
type Table[K comparable] struct {
	rate Rate
	max  int

	mu   sync.Mutex // guards each
	each map[K]*rate.Limiter
}

// New makes a table that remembers at most so many keys, at about 100 bytes each.
func New[K comparable](r Rate, max int) *Table[K] {
	return &Table[K]{rate: r, max: max, each: map[K]*rate.Limiter{}}
}

// Spend takes one from the key's bucket, and says whether there was one.
func (t *Table[K]) Spend(key K, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bucket(key, now).AllowN(now, 1)
}

// Overdraw takes a whole burst from the key's bucket, though it is not there: the key
// waits for it to come back, and for one more.
func (t *Table[K]) Overdraw(key K, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bucket(key, now).ReserveN(now, t.rate.Burst)
}

// Spent says whether the key's bucket is empty.
func (t *Table[K]) Spent(key K, now time.Time) bool { return t.missing(key, now) > 0 }

// Wait is how long the key's bucket stays empty, 0 if there is one in it.
func (t *Table[K]) Wait(key K, now time.Time) time.Duration {
	if t.rate.PerHour <= 0 && t.Spent(key, now) {
		return rate.InfDuration
	}
	return time.Duration(t.missing(key, now) / t.rate.PerHour * float64(time.Hour))
}

// missing is what the bucket lacks of one.
func (t *Table[K]) missing(key K, now time.Time) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.each[key]
	if l == nil {
		return 0
	}
	return max(0, 1-l.TokensAt(now))
}

// bucket is called with t.mu held.
func (t *Table[K]) bucket(key K, now time.Time) *rate.Limiter {
	l := t.each[key]
	if l == nil {
		t.makeRoom(now)
		l = t.rate.Limiter()
		t.each[key] = l
	}
	return l
}

// makeRoom drops full buckets, which say nothing; where all are in use, a tenth of
// them at random, so that the cost of looking is spread: better than refusing all
// newcomers for the sake of whoever filled the table. It is called with t.mu held.
func (t *Table[K]) makeRoom(now time.Time) {
	if len(t.each) < t.max {
		return
	}
	for key, l := range t.each {
		if l.TokensAt(now) >= float64(t.rate.Burst) {
			delete(t.each, key)
		}
	}
	for key := range t.each {
		if len(t.each) <= t.max-t.max/10-1 {
			return
		}
		delete(t.each, key)
	}
}
