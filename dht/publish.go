package dht

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"communicator/dht/record"
	"communicator/wire"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	recordlib "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Entry is a value under one key.
type Entry struct {
	Key   string
	Value []byte
}

// Entries returns the places of an attestation record.
func Entries(value []byte) ([]Entry, error) {
	r, err := record.Parse(value)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, key := range r.Blind.Locations() {
		entries = append(entries, Entry{key, value})
	}
	return entries, nil
}

// DescriptorEntry is where an agent's descriptor is found by those whose address of it
// is out of date.
func DescriptorEntry(agent wire.AgentID, signed []byte) Entry {
	return Entry{record.AgentKey(agent), signed}
}

// Place is what became of one entry.
type Place struct {
	Key    string
	Asked  int // peers nearest to the key
	Stored int // of them, those that said that they store it
	Hops   int // as in Finding, and one for storing
	Err    error
}

// Report is what became of all entries, in their order.
type Report struct{ Places []Place }

// Least is the smallest number of copies of any entry: "stored at n peers".
func (r Report) Least() int {
	least := 0
	for i, p := range r.Places {
		if i == 0 || p.Stored < least {
			least = p.Stored
		}
	}
	return least
}

// Publish stores each entry, at most 64, at the peers nearest to its key, and counts
// those that acknowledge. An acknowledgement is a peer's word; a peer that has a newer
// record, is full or has a wrong clock gives none.
//
// Errors: [ErrTooMany] and those of record.Validate, before anything is sent;
// [ErrNotStored] if an entry has no copy anywhere, with the report of all others; the
// context's.
func (d *DHT) Publish(ctx context.Context, entries ...Entry) (Report, error) {
	if len(entries) == 0 || len(entries) > maxEntries {
		return Report{}, ErrTooMany
	}
	now := d.now()
	for _, e := range entries {
		if err := record.Validate(e.Key, e.Value, now, d.cfg.WorkBits); err != nil {
			return Report{}, err
		}
	}
	report := Report{make([]Place, len(entries))}
	tokens := make(chan struct{}, maxParallel)
	var wg sync.WaitGroup
	for i, e := range entries {
		wg.Go(func() {
			tokens <- struct{}{}
			defer func() { <-tokens }()
			report.Places[i] = d.spread(ctx, e)
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return report, err
	}
	for _, p := range report.Places {
		if p.Stored == 0 {
			if p.Err != nil {
				return report, fmt.Errorf("%w: %w", ErrNotStored, p.Err)
			}
			return report, ErrNotStored
		}
	}
	return report, nil
}

// spread stores one entry.
func (d *DHT) spread(ctx context.Context, e Entry) Place {
	p, err := d.walk(ctx, e.Key, false)
	place := Place{Key: e.Key, Asked: len(p.nearest), Hops: p.hops + 1, Err: err}
	stored := make(chan bool, len(p.nearest))
	tokens := make(chan struct{}, maxRequests)
	for _, near := range p.nearest {
		go func() {
			tokens <- struct{}{}
			stored <- d.put(ctx, near, e) == nil
			<-tokens
		}()
	}
	for range p.nearest {
		if <-stored {
			place.Stored++
		}
	}
	return place
}

// put asks a peer to store an entry; without an error it says that it has.
func (d *DHT) put(ctx context.Context, p peer.ID, e Entry) error {
	request := kadpb.NewMessage(kadpb.Message_PUT_VALUE, []byte(e.Key), 0)
	request.Record = recordlib.MakePutRecord(e.Key, e.Value)
	reply, err := d.sender.SendRequest(ctx, p, request)
	if err != nil {
		return err
	}
	if !bytes.Equal(reply.GetRecord().GetValue(), e.Value) {
		return errReply
	}
	return nil
}
