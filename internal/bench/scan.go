package bench

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sync/errgroup"

	"communicator/client/transport"
)

// ScanResult is the most anonymous memory, in MiB, that was seen while everything stored
// was read, and how long that took.
type ScanResult struct {
	Deliveries int `json:"deliveries"`
	Size       int `json:"size"`
	// Verify is a `log verify` beside an agent that is not running, Collect an agent whose
	// owners read all their mailboxes and acknowledge nothing.
	Verify  Scan `json:"verify"`
	Collect Scan `json:"collect"`
}

// Scan is one reading of everything.
type Scan struct {
	AnonymousMemory float64 `json:"rss_anon_mb"`
	Took            float64 `json:"s"`
}

// Scanned measures the memory for reading everything that an agent has stored.
func Scanned(ctx context.Context, o StockOptions, progress io.Writer) (r ScanResult, err error) {
	s, err := newStock(ctx, o, progress)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r.Deliveries, r.Size = o.Deliveries, o.Size
	fmt.Fprintf(progress, "verifying the log\n")
	if r.Verify, err = s.verify(ctx, o.Binary); err != nil {
		return r, err
	}
	fmt.Fprintf(progress, "%d owners read their mailboxes\n", len(s.owners))
	if err := s.agent.Start(ctx); err != nil {
		return r, err
	}
	r.Collect, err = s.readAll(ctx, o.Deliveries)
	return r, err
}

// verify runs `log verify` in a process of its own.
func (s *stock) verify(ctx context.Context, binary string) (Scan, error) {
	if binary == "" {
		var err error
		if binary, err = os.Executable(); err != nil {
			return Scan{}, err
		}
	}
	cmd := exec.CommandContext(ctx, binary, "log", "verify", "--data", s.agent.Dir)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return Scan{}, err
	}
	watched := watchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	return Scan{AnonymousMemory: watched(), Took: time.Since(began).Seconds()}, err
}

// readAll has every owner read all of a mailbox, while somebody looks at the agent's memory.
func (s *stock) readAll(ctx context.Context, all int) (scan Scan, err error) {
	leases, pool, err := s.connect(ctx)
	if err != nil {
		return scan, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	began := time.Now()
	watched := watchMemory(s.agent.PID())
	read := make([]int, len(s.owners))
	g, ctx := errgroup.WithContext(ctx)
	for i, owner := range s.owners {
		g.Go(func() (err error) {
			read[i], err = readMailbox(ctx, leases[i], owner)
			return err
		})
	}
	err = g.Wait()
	scan = Scan{AnonymousMemory: watched(), Took: time.Since(began).Seconds()}
	for _, n := range read {
		all -= n
	}
	if err == nil && all != 0 {
		err = fmt.Errorf("%d deliveries are missing", all)
	}
	return scan, err
}

// readMailbox reads page after page and returns how many deliveries there were.
func readMailbox(ctx context.Context, l *transport.Lease, owner ed25519.PrivateKey) (n int, err error) {
	for after := uint64(0); ; {
		page, err := l.Collect(ctx, owner, after)
		if err != nil {
			return n, err
		}
		if n += len(page.Deliveries); !page.More {
			return n, nil
		}
		after = page.Deliveries[len(page.Deliveries)-1].Position
	}
}
