package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"communicator/eventlog"
	"communicator/wire"
)

// Run makes the node work until ctx ends, and then returns nil, or until something
// fails that it cannot go on from: the log, or its keys. The process must end then;
// the next one recovers. It is called once.
func (n *Node) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if n.relay != nil {
		group.Go(func() error { return n.relay.Run(ctx) })
	}
	if n.mailbox != nil {
		group.Go(func() error { return n.mailbox.Run(ctx) })
	}
	if n.directory != nil {
		group.Go(func() error { return n.directory.Run(ctx) })
	}
	if n.overlay != nil {
		group.Go(func() error { return n.overlay.run(ctx) })
	}
	if n.admin != nil {
		group.Go(func() error { return n.admin.Serve(ctx) })
	}
	group.Go(func() error { return n.watchLog(ctx) })
	group.Go(func() error { return n.watchKeys(ctx) })
	group.Go(func() error { return n.every(ctx, clockInterval, clockInterval, n.watchClock) })
	group.Go(func() error {
		return n.every(ctx, firstUpkeep, time.Duration(n.settings.Storage.Reclaim), n.reclaim)
	})
	group.Go(func() error { return n.every(ctx, firstUpkeep, pruneInterval, n.prune) })
	group.Go(func() error {
		return n.every(ctx, rotateInterval, rotateInterval, func(context.Context) error { return n.renew() })
	})
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// watchLog ends the node when the log has failed.
func (n *Node) watchLog(ctx context.Context) error {
	select {
	case err := <-n.failed:
		return fmt.Errorf("the event log failed: %w", err)
	case <-ctx.Done():
		return nil
	}
}

// watchKeys signs a new descriptor when sealing keys have come or gone.
func (n *Node) watchKeys(ctx context.Context) error {
	for {
		changed := n.keyring.Changed()
		if err := n.renew(); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// every calls fn after the first wait and then after each interval.
func (n *Node) every(ctx context.Context, first, interval time.Duration, fn func(context.Context) error) error {
	timer := time.NewTimer(first)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if err := fn(ctx); err != nil {
				return err
			}
			timer.Reset(interval)
		case <-ctx.Done():
			return nil
		}
	}
}

// watchClock notes the time, and says once when it stops being trusted.
func (n *Node) watchClock(context.Context) error {
	trusted := n.clock.Trusted()
	if was := n.trusted.Swap(trusted); was != trusted {
		if trusted {
			n.logger.Info("the clock is trusted again")
		} else {
			n.logger.Error("the clock has jumped: nothing expires and nothing new is admitted until it is set right or \"communicator node confirm-clock\"")
		}
	}
	if err := n.clock.tick(); err != nil {
		n.logger.Warn("could not note the time", "err", err)
	}
	return nil
}

// reclaim takes erased bodies off the log's files. What it cannot do now it does
// the next time, and the metrics say how long ago it last did.
func (n *Node) reclaim(ctx context.Context) error {
	return n.upkeep(ctx, "reclaim", n.log.Reclaim(ctx))
}

// prune drops headers that nothing can ask about any more.
func (n *Node) prune(ctx context.Context) error {
	if !n.clock.Trusted() {
		return nil
	}
	keep := max(time.Duration(n.settings.Storage.Retention), wire.MaxPutLife+wire.OutcomeGrace)
	return n.upkeep(ctx, "prune", n.log.Prune(ctx, n.Now().Add(-keep)))
}

func (n *Node) upkeep(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		n.metrics.upkeep.WithLabelValues(what).Set(float64(n.Now().Unix()))
		return nil
	case ctx.Err() != nil, errors.Is(err, eventlog.ErrClosed):
		return nil
	case errors.Is(err, eventlog.ErrFailed):
		return err
	}
	n.logger.Warn("upkeep of the log failed", "what", what, "err", err)
	return nil
}
