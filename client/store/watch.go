package store

import (
	"context"
	"sync"
	"time"
)

// bell wakes everybody who waits in this process.
type bell struct {
	mu      sync.Mutex // guards what follows
	ch      chan struct{}
	changes uint64 // transactions of this process that changed something
}

func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ch
}

func (b *bell) ring(changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.ch)
	b.ch = make(chan struct{})
	if changed {
		b.changes++
	}
}

func (b *bell) count() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changes
}

// watch is the connection that looks for commits: SQLite's data_version tells
// each connection whether another one, of any process, has committed.
type watch struct {
	conn       *conn
	version    int64
	generation uint64
}

// Generation numbers what this Store has noticed: it grows when anybody, this
// process or another one, has committed since the last look. It means nothing
// across two Stores.
func (s *Store) Generation(ctx context.Context) (uint64, error) {
	w, err := take(ctx, s, s.watch)
	if err != nil {
		return 0, err
	}
	defer func() { s.watch <- w }()
	if s.opts.Alone {
		return w.generation + s.bell.count(), nil
	}
	if w.conn == nil {
		c, err := openConn(s.path, s.key, s.opts)
		if err != nil {
			return 0, err
		}
		w.conn = c
		if w.version, err = c.pragmaInt("data_version"); err != nil {
			return 0, mapError(ctx, err)
		}
	}
	v, err := w.conn.pragmaInt("data_version")
	if err != nil {
		return 0, mapError(ctx, err)
	}
	if v != w.version {
		w.version = v
		w.generation++
	}
	return w.generation, nil
}

// Changed waits until the generation differs from since and returns the new
// one. A loop that starts with 0 and takes each result along misses nothing:
//
//	for gen := uint64(0); ; {
//		if gen, err = s.Changed(ctx, gen); err != nil {
//			return err
//		}
//		err = s.View(ctx, …) // sees at least what gen stands for
//	}
func (s *Store) Changed(ctx context.Context, since uint64) (uint64, error) {
	var poll <-chan time.Time // never, Alone
	if !s.opts.Alone {
		t := time.NewTicker(s.opts.Poll)
		defer t.Stop()
		poll = t.C
	}
	for {
		rung := s.bell.wait() // before looking, so that no commit falls between
		gen, err := s.Generation(ctx)
		if err != nil || gen != since {
			return gen, err
		}
		select {
		case <-rung:
		case <-poll:
		case <-s.closed:
			return 0, ErrClosed
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}
