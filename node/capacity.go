package node

import (
	"context"
	"sync"
	"time"

	"communicator/eventlog"
	"communicator/relay"
	"communicator/wire"
)

// capacity is how many bytes of bodies the node may hold, whichever role holds them. It
// follows the log's own count, which is read once every measureEvery, and counts by
// itself what was taken since: so it errs, for that long, only on the safe side.
type capacity struct {
	max     uint64
	measure func() (uint64, error) // bytes of bodies in the log
	now     func() time.Duration   // a clock that never jumps

	mu        sync.Mutex // guards the rest; not held while measuring
	measuring bool
	at        time.Duration
	held      uint64 // as measured
	mark      uint64 // settled when that measurement began
	under     uint64 // taken and not given back
	settled   uint64 // ever given back as stored
}

// newCapacity returns nil, the capacity without a bound, for a maximum of 0.
func newCapacity(max uint64, log eventlog.Log, now func() time.Duration) *capacity {
	if max == 0 {
		return nil
	}
	return &capacity{max: max, now: now, at: -measureEvery, measure: func() (uint64, error) {
		stat, err := log.Stat()
		return stat.BodyBytes, err
	}}
}

// Take reserves room for n bytes, or says that there is none.
func (b *capacity) Take(n int) bool {
	if b == nil {
		return true
	}
	b.refresh()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held+(b.settled-b.mark)+b.under+uint64(n) > b.max {
		return false
	}
	b.under += uint64(n)
	return true
}

// Give ends a reservation of n bytes. Stored says that the log now counts them.
func (b *capacity) Give(n int, stored bool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.under -= uint64(n)
	if stored {
		b.settled += uint64(n)
	}
}

// refresh reads the log's count if the last one is old. Others go on with that
// meanwhile. What cannot be read leaves it as it is.
func (b *capacity) refresh() {
	b.mu.Lock()
	now := b.now()
	if b.measuring || now-b.at < measureEvery {
		b.mu.Unlock()
		return
	}
	b.measuring = true
	mark := b.settled
	b.mu.Unlock()
	held, err := b.measure()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.measuring = false
	b.at = now
	if err == nil {
		b.held, b.mark = held, mark
	}
}

// budgetedLog is the log as the sending agent has it: what it appends comes out of the
// budget. The receiving agent takes its part by itself, before it opens a seal, so that
// a refusal tells nothing of the mailbox.
type budgetedLog struct {
	eventlog.Log
	capacity *capacity
}

// Append implements [eventlog.Log]. Without room, submissions fail with
// [eventlog.ErrStorageFull], unless they were accepted before.
func (l budgetedLog) Append(ctx context.Context, events ...eventlog.Event) ([]eventlog.Appended, error) {
	n := 0
	for i := range events {
		if relay.Growing(events[i].Kind) {
			n += len(events[i].Body)
		}
	}
	if n == 0 {
		return l.Log.Append(ctx, events...)
	}
	if !l.capacity.Take(n) {
		return l.repeat(ctx, events)
	}
	appended, err := l.Log.Append(ctx, events...)
	l.capacity.Give(n, err == nil)
	return appended, err
}

// repeat appends only what has rows: the log has its key, and makes no event.
func (l budgetedLog) repeat(ctx context.Context, events []eventlog.Event) ([]eventlog.Appended, error) {
	return l.Log.Decide(ctx, func(_ time.Time, tables eventlog.Tables) ([]eventlog.Event, error) {
		rows := tables.Table(wire.TableRelay)
		for i := range events {
			row, err := rows.Get(events[i].Stream)
			if err != nil {
				return nil, err
			}
			if row == nil {
				return nil, eventlog.ErrStorageFull
			}
		}
		return events, nil
	})
}
