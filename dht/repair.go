package dht

import (
	"context"
	"slices"
)

// bringUp gives a record, in the background, to those of the nearest peers that did not
// serve it. After a conflict nothing is repaired: what differs is evidence.
func (d *DHT) bringUp(f Finding, value []byte) {
	if len(f.Conflict) > 0 {
		return
	}
	for _, p := range f.nearest {
		if slices.Contains(f.Holders, p) {
			continue
		}
		// A failure is left to the next lookup, and to the subject.
		if !d.inBackground(func(ctx context.Context) { _ = d.put(ctx, p, Entry{f.Key, value}) }) {
			return
		}
	}
}

// inBackground runs work that Close gives up and joins; it says whether there was room.
func (d *DHT) inBackground(work func(context.Context)) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.repairs == maxRepairs {
		return false
	}
	if d.repairs++; d.repairs == 1 {
		d.idle = make(chan struct{})
	}
	go func() {
		defer d.repaired()
		work(d.ctx)
	}()
	return true
}

func (d *DHT) repaired() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.repairs--; d.repairs == 0 {
		close(d.idle)
		d.idle = nil
	}
}

// Settle waits for the repairs that lookups so far have begun, for programs that end
// after a lookup, and for tests.
func (d *DHT) Settle(ctx context.Context) error {
	d.mu.Lock()
	idle := d.idle
	d.mu.Unlock()
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
