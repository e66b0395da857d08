package relay

import (
	"context"
	"sync"
	"time"

	"communicator/eventlog"
	"communicator/wire"
	"communicator/wire/pb"
)

// housekeeper settles what ran out of time, in batches: many submissions expire in
// the same hour.
type housekeeper struct {
	s      *Service
	posted chan struct{} // capacity 1: expired is not empty

	mu      sync.Mutex
	expired []*entry // guarded by mu: gone from the queue, not yet from the log
}

func newHousekeeper(s *Service) *housekeeper {
	return &housekeeper{s: s, posted: make(chan struct{}, 1)}
}

// abandon has a submission settled as expired.
func (k *housekeeper) abandon(e *entry) {
	k.mu.Lock()
	k.expired = append(k.expired, e)
	k.mu.Unlock()
	select {
	case k.posted <- struct{}{}:
	default:
	}
}

// run settles and sweeps until ctx ends. Events that the log refuses are tried
// again: until then their senders see them as pending.
func (k *housekeeper) run(ctx context.Context) error {
	sweep := time.NewTimer(sweepFirst)
	defer sweep.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.posted:
		case <-retry.C:
		case <-sweep.C:
			sweep.Reset(sweepEvery)
			if err := k.sweep(ctx); err != nil {
				k.s.observe(Result{Op: OpExpire, Status: wire.StatusInternal}, err)
			}
		}
		if !k.settle(ctx) {
			retry.Reset(abandonRetry)
		}
	}
}

// settle appends Abandoned for everything waiting, and says whether it could.
func (k *housekeeper) settle(ctx context.Context) bool {
	k.mu.Lock()
	all := k.expired
	k.expired = nil
	k.mu.Unlock()
	for len(all) > 0 {
		if ctx.Err() != nil {
			return true // the rows keep them
		}
		some := all[:min(decideChunk, len(all))]
		if err := k.abandonAll(some); err != nil {
			k.s.observe(Result{Op: OpAbandon, Status: wire.StatusInternal}, err)
			k.mu.Lock()
			k.expired = append(all, k.expired...)
			k.mu.Unlock()
			return false
		}
		all = all[len(some):]
	}
	return true
}

func (k *housekeeper) abandonAll(some []*entry) error {
	var taken []*entry
	appended, err := k.s.cfg.Log.Decide(k.s.ctx, func(_ time.Time, t eventlog.Tables) ([]eventlog.Event, error) {
		taken = taken[:0]
		var events []eventlog.Event
		for _, e := range some {
			queued, err := isQueued(t.Table(wire.TableRelay), e)
			if err != nil {
				return nil, err
			}
			if queued {
				taken = append(taken, e)
				events = append(events, abandoned(e.handle, settled{uint64(e.id), e.notAfter}))
			}
		}
		return events, nil
	})
	if err != nil {
		k.s.fail(err)
		return err
	}
	for i, e := range taken {
		k.s.settled(settlement{entry: e, state: pb.OutcomeState_EXPIRED}, appended[i].Seq)
		k.s.observe(Result{Op: OpAbandon, Status: wire.StatusExpired}, nil)
	}
	return nil
}

func isQueued(table eventlog.Reader, e *entry) (bool, error) {
	r, err := readRow(table, e.handle)
	return r != nil && r.state == stateQueued && r.seq == uint64(e.id), err
}

// sweep drops the outcomes that nobody acknowledged in time.
func (k *housekeeper) sweep(ctx context.Context) error {
	if !k.s.clockOK() {
		return nil
	}
	now := k.s.now()
	due := func(r row) bool {
		return r.state != stateQueued && !r.notAfter.time().Add(wire.OutcomeGrace).After(now)
	}
	find := func(table eventlog.Reader, h wire.HandleHash) (uint64, error) {
		r, err := readRow(table, h)
		if err != nil || r == nil || !due(*r) {
			return 0, err
		}
		return r.seq, nil
	}
	var some []wire.HandleHash
	var failed error
	flush := func() {
		if failed != nil || len(some) == 0 {
			return
		}
		if failed = k.s.drop(KindOutcomeExpired, some, find); failed == nil {
			for range some {
				k.s.observe(Result{Op: OpExpire, Status: wire.StatusOK}, nil)
			}
		}
		some = some[:0]
	}
	err := k.s.scan(ctx, func(h wire.HandleHash, r row) {
		if due(r) {
			if some = append(some, h); len(some) == decideChunk {
				flush()
			}
		}
	})
	flush()
	if failed != nil {
		return failed
	}
	return err
}
