package relay

import (
	"time"

	"golang.org/x/time/rate"
)

// requestLimit makes the limiters of streams. A request is charged before it is
// parsed, and again if it turns out to be one that no honest client makes.
type requestLimit struct {
	perSecond rate.Limit
	burst     int
	cost      int
}

func newRequestLimit(l Limits) *requestLimit {
	return &requestLimit{rate.Limit(l.RequestsPerSecond), l.RequestBurst, l.RefusedCost}
}

func (r *requestLimit) stream() *streamLimit {
	return &streamLimit{rate.NewLimiter(r.perSecond, r.burst), r.cost}
}

type streamLimit struct {
	l    *rate.Limiter // safe for concurrent use
	cost int
}

func (s *streamLimit) allow(now time.Time) bool { return s.l.AllowN(now, 1) }

// charge takes what a refused request costs beyond the first, into debt if need be.
func (s *streamLimit) charge(now time.Time) { s.l.ReserveN(now, s.cost-1) }
