package bench

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
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
	// CPUPerDelivery is microseconds of processor time, by process.
	CPUPerDelivery map[string]float64 `json:"cpu_us_per_delivery"`
}

// Collect measures owners who page through their mailboxes and acknowledge what they got,
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
	leases, pool, err := s.connect(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	fmt.Fprintf(progress, "%d owners collect\n", len(s.owners))
	before, err := s.usage()
	if err != nil {
		return r, err
	}
	var collected atomic.Int64
	began := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	for i, owner := range s.owners {
		g.Go(func() error { return empty(gctx, leases[i], owner, &collected) })
	}
	if err := g.Wait(); err != nil {
		return r, err
	}
	took := time.Since(began)
	after, err := s.usage()
	if err != nil {
		return r, err
	}
	n := int(collected.Load())
	r = CollectResult{Deliveries: n, Size: o.Size, Owners: len(s.owners),
		PerS: float64(n) / took.Seconds(), Missing: o.Deliveries - n, CPUPerDelivery: map[string]float64{}}
	for who, u := range after {
		r.CPUPerDelivery[who] = float64((u.cpu - before[who].cpu).Microseconds()) / float64(max(n, 1))
	}
	return r, nil
}

// connect opens a connection for each owner. The caller closes the pool.
func (s *stock) connect(ctx context.Context) ([]*transport.Lease, *transport.Pool, error) {
	target, err := newTarget(s.agent.URI)
	if err != nil {
		return nil, nil, err
	}
	pool, err := transport.NewPool(transport.Options{MaxOpen: len(s.owners)})
	if err != nil {
		return nil, nil, err
	}
	leases := make([]*transport.Lease, len(s.owners))
	for i, owner := range s.owners {
		leases[i], err = pool.Take(ctx, transport.Key{Relationship: [16]byte(owner), Agent: target.URI.Agent}, target)
		if err == nil {
			_, err = leases[i].Collect(ctx, owner, 0) // connects
		}
		if err != nil {
			return nil, nil, errors.Join(err, pool.Close())
		}
	}
	return leases, pool, nil
}

// usage is what the owners' process and the agent's have used so far.
func (s *stock) usage() (usage, error) {
	owners, err := useOf(os.Getpid())
	if err != nil {
		return nil, err
	}
	agent, err := useOf(s.agent.PID())
	return usage{"client": owners, "receiving": agent}, err
}

// empty collects and acknowledges until a mailbox has nothing more. The next page comes
// while the last is acknowledged, as with a client that stores what it gets in between.
func empty(ctx context.Context, l *transport.Lease, owner ed25519.PrivateKey, collected *atomic.Int64) error {
	pages := make(chan []uint64, transport.MaxAcks/transport.MaxCollect)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(pages)
		return collect(ctx, l, owner, pages)
	})
	g.Go(func() error {
		for positions := range pages {
			positions = append(positions, waiting(pages)...)
			if err := l.Ack(ctx, owner, positions); err != nil {
				return err
			}
			collected.Add(int64(len(positions)))
		}
		return nil
	})
	return g.Wait()
}

// collect hands over the positions of page after page.
func collect(ctx context.Context, l *transport.Lease, owner ed25519.PrivateKey, pages chan<- []uint64) error {
	for after := uint64(0); ; {
		page, err := l.Collect(ctx, owner, after)
		if err != nil {
			return err
		}
		positions := make([]uint64, len(page.Deliveries))
		for i, d := range page.Deliveries {
			positions[i], after = d.Position, d.Position
		}
		select {
		case pages <- positions:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !page.More {
			return nil
		}
	}
}

// waiting takes what one acknowledgement can hold of the pages that have come since.
func waiting(pages <-chan []uint64) (positions []uint64) {
	for range transport.MaxAcks/transport.MaxCollect - 1 {
		select {
		case more := <-pages:
			positions = append(positions, more...)
		default:
			return positions
		}
	}
	return positions
}
