package mailbox

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"communicator/eventlog"
)

// Run keeps the agent up until ctx ends or the service is closed: it makes and deletes
// keys, expires what nobody collected, and learns at first which puts it has stored. What fails is logged and tried again at the
// next turn: keys are made a week ahead, so a disk that is full for a while costs none.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := s.seen.load(ctx, s.cfg.Log); err != nil && ctx.Err() == nil && !errors.Is(err, eventlog.ErrClosed) {
			s.cfg.Logger.Error("upkeep failed", "what", "reading replay ids", "err", err)
		}
		return nil
	})
	g.Go(func() error { s.every(ctx, "key rotation", rotateEvery, s.rotate); return nil })
	g.Go(func() error { s.every(ctx, "expiry sweep", sweepEvery, s.Sweep); return nil })
	return g.Wait()
}

// every does something at once and then again after each interval.
func (s *Service) every(ctx context.Context, what string, interval time.Duration, do func(context.Context) error) {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		err := do(ctx)
		if err != nil && ctx.Err() == nil && !errors.Is(err, eventlog.ErrClosed) {
			s.cfg.Logger.Error("upkeep failed", "what", what, "err", err)
		}
		timer.Reset(interval)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}

// rotate makes and deletes keys, if the time can be trusted: deleting is for ever.
func (s *Service) rotate(context.Context) error {
	if !s.cfg.ClockTrusted() {
		return nil
	}
	return s.cfg.Keyring.Rotate(s.cfg.Now())
}
