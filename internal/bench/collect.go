package bench

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"communicator/client/transport"
)

// CollectResult is how fast mailboxes are emptied.
type CollectResult struct {
	Deliveries int     `json:"deliveries"`
	Size       int     `json:"size"`
	Owners     int     `json:"owners"`
	PerS       float64 `json:"deliveries_per_s"` // collected and durably acknowledged
	Missing    int     `json:"missing"`
}

// Collect measures owners who page through their mailboxes and acknowledge each page,
// all at once, each over a connection of its own.
func Collect(ctx context.Context, o StockOptions, progress io.Writer) (r CollectResult, err error) {
	s, err := newStock(ctx, o, progress)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.agent.Start(ctx); err != nil {
		return r, err
	}
	target, err := newTarget(s.agent.URI)
	if err != nil {
		return r, err
	}
	pool, err := transport.NewPool(transport.Options{MaxOpen: len(s.owners)})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	leases := make([]*transport.Lease, len(s.owners))
	for i, owner := range s.owners {
		if leases[i], err = pool.Take(ctx, transport.Key{Relationship: [16]byte(owner), Agent: target.URI.Agent}, target, false); err != nil {
			return r, err
		}
		if _, err := leases[i].Collect(ctx, owner, 0); err != nil { // connects
			return r, err
		}
	}
	fmt.Fprintf(progress, "%d owners collect\n", len(s.owners))
	var collected atomic.Int64
	began := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	for i, owner := range s.owners {
		g.Go(func() error { return empty(gctx, leases[i], owner, &collected) })
	}
	if err := g.Wait(); err != nil {
		return r, err
	}
	n := int(collected.Load())
	return CollectResult{Deliveries: n, Size: o.Size, Owners: len(s.owners),
		PerS: float64(n) / time.Since(began).Seconds(), Missing: o.Deliveries - n}, nil
}

// empty collects and acknowledges until a mailbox has nothing more.
func empty(ctx context.Context, l *transport.Lease, owner ed25519.PrivateKey, collected *atomic.Int64) error {
	var after uint64
	for {
		page, err := l.Collect(ctx, owner, after)
		if err != nil {
			return err
		}
		positions := make([]uint64, len(page.Deliveries))
		for i, d := range page.Deliveries {
			positions[i], after = d.Position, d.Position
		}
		if len(positions) > 0 {
			if err := l.Ack(ctx, owner, positions); err != nil {
				return err
			}
			collected.Add(int64(len(positions)))
		}
		if !page.More {
			return nil
		}
	}
}
