package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// StartResult is how long an agent takes until it serves.
type StartResult struct {
	Deliveries int     `json:"deliveries"`
	Size       int     `json:"size"`
	AfterKill  float64 `json:"after_kill_s"`
	AfterStop  float64 `json:"after_stop_s"`
	RSSAnon    float64 `json:"rss_anon_mb"` // once it serves, after the kill
}

// Start measures how long an agent with stored deliveries takes from exec to ready,
// after a SIGKILL and after a clean stop.
func Start(ctx context.Context, o StockOptions, progress io.Writer) (r StartResult, err error) {
	s, err := newStock(ctx, o, progress)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r.Deliveries, r.Size = o.Deliveries, o.Size
	timed := func() (float64, error) {
		began := time.Now()
		err := s.agent.Start(ctx)
		return time.Since(began).Seconds(), err
	}
	if _, err := timed(); err != nil { // so that there is something to kill
		return r, err
	}
	if err := s.agent.Kill(); err != nil {
		return r, err
	}
	if r.AfterKill, err = timed(); err != nil {
		return r, err
	}
	fmt.Fprintf(progress, "ready %.2f s after kill -9\n", r.AfterKill)
	u, err := useOf(s.agent.PID())
	if err != nil {
		return r, err
	}
	r.RSSAnon = float64(u.anon) / (1 << 20)
	if err := s.agent.Stop(); err != nil {
		return r, err
	}
	r.AfterStop, err = timed()
	return r, err
}
