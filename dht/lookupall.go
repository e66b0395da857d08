package dht

import (
	"cmp"
	"context"
	"time"

	"communicator/dht/record"
)

// Fallback asks sources outside the overlay for records: the namespace's own peers,
// one's contacts. What it returns is checked like anything from the overlay; it may
// return records and an error.
type Fallback func(ctx context.Context, keys []string) ([][]byte, error)

// Answer is what all places of one record answered together.
type Answer struct {
	Record   []byte // the best of all places and of the fallback
	Sequence uint64
	Conflict [][]byte  // as in Finding, over all places
	Places   []Finding // in the order of the keys; one that was cut off is not Complete
	Hops     int       // the most of any place
	// Alarm says that the peers around one of the keys lie too densely for chance.
	Alarm bool
	// Fallback says that the other sources were asked, FromFallback that Record was
	// only there, FallbackErr how asking failed.
	Fallback, FromFallback bool
	FallbackErr            error
}

// LookupAll reads the places of one record, at most 8 keys: those of a blinded key's
// Locations. All are read at once, each to its end, and it stops early in one case: two
// have been read to their end, agree on a record and show no conflict; the others then
// get as long again as the slower of those two took, and at least two seconds.
//
// The fallback, which may be nil, is asked if no record was found, if records are in
// conflict, if a place could not be read to its end, or if the density alarm was
// raised. Peers of every place that were behind are repaired in the background.
//
// Errors: [ErrNotFound], [ErrNoPeers] if that was the answer for every key,
// [ErrTooMany], record.ErrNamespace, the context's.
func (d *DHT) LookupAll(ctx context.Context, keys []string, fallback Fallback) (Answer, error) {
	if len(keys) == 0 || len(keys) > maxKeys {
		return Answer{}, ErrTooMany
	}
	for _, key := range keys {
		if err := record.CheckKey(key); err != nil {
			return Answer{}, err
		}
	}
	places, err := d.readAll(ctx, keys)
	a := Answer{Places: places}
	complete := true
	var values [][]byte
	for _, f := range places {
		values = append(values, f.Conflict...)
		if f.Record != nil {
			values = append(values, f.Record)
		}
		a.Hops = max(a.Hops, f.Hops)
		a.Alarm = a.Alarm || f.Density.Alarm
		complete = complete && f.Complete
	}
	a.take(keys[0], values)
	if fallback != nil && (a.Record == nil || len(a.Conflict) > 0 || a.Alarm || !complete) && ctx.Err() == nil {
		d.askOthers(ctx, &a, keys, values, fallback)
	}
	if a.Record == nil {
		return a, cmp.Or(ctx.Err(), err, ErrNotFound)
	}
	if len(a.Conflict) == 0 {
		for _, f := range places {
			if f.Sequence < a.Sequence || f.Record == nil {
				f.Holders = nil // all of them are behind another place
			}
			d.bringUp(f, a.Record)
		}
	}
	return a, nil
}

func (a *Answer) take(key string, values [][]byte) {
	f := Finding{Key: key}
	f.take(values)
	a.Record, a.Sequence, a.Conflict = f.Record, f.Sequence, f.Conflict
}

// askOthers adds what the fallback knows.
func (d *DHT) askOthers(ctx context.Context, a *Answer, keys []string, values [][]byte, fallback Fallback) {
	var more [][]byte
	a.Fallback = true
	more, a.FallbackErr = fallback(ctx, keys)
	before, now := a.Sequence, d.now()
	had := a.Record != nil
	for _, v := range more[:min(len(more), maxFallback)] {
		if record.Validate(keys[0], v, now, d.cfg.WorkBits) == nil {
			values = append(values, v)
		}
	}
	a.take(keys[0], values)
	a.FromFallback = a.Record != nil && (!had || a.Sequence > before)
}

// readAll reads all keys, and gives up the last ones once two agree and patience ends.
// The error is nil unless no key could be searched for.
func (d *DHT) readAll(ctx context.Context, keys []string) ([]Finding, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		i   int
		f   Finding
		err error
	}
	results := make(chan result, len(keys))
	tokens := make(chan struct{}, maxParallel)
	began := time.Now()
	for i, key := range keys {
		go func() {
			tokens <- struct{}{}
			f, err := d.read(ctx, key)
			<-tokens
			results <- result{i, f, err}
		}()
	}
	places := make([]Finding, len(keys))
	var failed error
	failures := 0
	var ended []Finding
	var patience *time.Timer
	for range keys {
		r := <-results
		places[r.i] = r.f
		if r.err != nil {
			failed = r.err
			failures++
		}
		if r.f.Complete {
			ended = append(ended, r.f)
		}
		if patience == nil && agree(ended) {
			patience = time.AfterFunc(max(time.Since(began), minPatience), cancel)
			defer patience.Stop()
		}
	}
	if failures < len(keys) {
		return places, nil
	}
	return places, failed
}

// agree says whether two places that were read to their end, and none of the others,
// name one record.
func agree(ended []Finding) bool {
	if len(ended) < 2 {
		return false
	}
	for _, f := range ended {
		if f.Record == nil || len(f.Conflict) > 0 || string(f.Record) != string(ended[0].Record) {
			return false
		}
	}
	return true
}
