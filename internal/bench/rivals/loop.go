package main

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
)

// sendFunc sends one message and returns once it is done.
type sendFunc func(ctx context.Context) error

// loop runs one client for each function, over and over, and returns how many messages
// a second were begun after the warm-up and done within the duration.
func loop(ctx context.Context, duration time.Duration, clients []sendFunc) (float64, error) {
	started := time.Now()
	counting, end := started.Add(warmUp), started.Add(warmUp+duration)
	done := make([]int, len(clients))
	g, ctx := errgroup.WithContext(ctx)
	for i, send := range clients {
		g.Go(func() error {
			for {
				began := time.Now()
				if !began.Before(end) {
					return nil
				}
				if err := send(ctx); err != nil {
					return err
				}
				if now := time.Now(); began.After(counting) && now.Before(end) {
					done[i]++
				}
			}
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	total := 0
	for _, n := range done {
		total += n
	}
	if total == 0 {
		return 0, errors.New("nothing was done: give more --duration")
	}
	return float64(total) / duration.Seconds(), nil
}
