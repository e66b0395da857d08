package dht

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"

	"communicator/dht/record"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Finding is what the overlay answered for one key.
type Finding struct {
	Key      string
	Record   []byte // valid now, of the highest sequence that any peer served; nil: none
	Sequence uint64
	// Conflict has the other records of that sequence, with other bytes, at most
	// four: whoever signed them said two things. Nothing is repaired then.
	Conflict [][]byte
	Holders  []peer.ID // who served Record

	Asked, Answered int // peers
	// Of those that answered: how many had an older record, none, or one that is
	// invalid.
	Older, Missing, Rejected int
	// Hops is the longest chain of peers of which each named the next.
	Hops int
	// Complete says that the search ended by itself and not by a time limit.
	Complete bool
	Density  Density

	nearest []peer.ID
}

// Lookup reads one key to the end: every peer that the search meets, and each of the 20
// nearest, is asked for its value, and the best valid one counts. Those of the nearest
// that were behind get it in the background. For a name use [DHT.LookupAll].
//
// Errors: [ErrNotFound], [ErrNoPeers], record.ErrNamespace, the context's. The finding
// tells what was seen all the same.
func (d *DHT) Lookup(ctx context.Context, key string) (Finding, error) {
	f, err := d.read(ctx, key)
	if f.Record != nil {
		d.bringUp(f, f.Record)
		return f, nil
	}
	return f, cmp.Or(err, ErrNotFound)
}

// read is [DHT.Lookup] without repairs.
func (d *DHT) read(ctx context.Context, key string) (Finding, error) {
	f := Finding{Key: key}
	if err := record.CheckKey(key); err != nil {
		return f, err
	}
	p, err := d.walk(ctx, key, true)
	answers := p.answers
	if own, ownErr := d.own(ctx, key); ownErr == nil && own != nil {
		answers = append(answers, answer{from: d.host.ID(), value: own})
	}
	f.nearest, f.Complete, f.Hops = p.nearest, p.complete, p.hops
	d.judge(&f, answers)
	return f, err
}

// own is the value that this node stores itself.
func (d *DHT) own(ctx context.Context, key string) ([]byte, error) {
	kind, _, _ := strings.Cut(key[1:], "/")
	return d.store.value(ctx, kind, key)
}

// judge sorts the answers. Equal values are checked once.
func (d *DHT) judge(f *Finding, answers []answer) {
	type verdict struct {
		sequence uint64
		valid    bool
	}
	now, seen := d.now(), map[string]verdict{}
	var values [][]byte
	for _, a := range answers {
		if a.value == nil {
			continue
		}
		if _, known := seen[string(a.value)]; !known {
			sequence, err := record.Check(f.Key, a.value, now, d.cfg.WorkBits)
			seen[string(a.value)] = verdict{sequence, err == nil}
			if err == nil {
				values = append(values, a.value)
			}
		}
	}
	f.take(values)
	var alive []peer.ID
	for _, a := range answers {
		f.Asked++
		if a.err != nil {
			continue
		}
		f.Answered++
		alive = append(alive, a.from)
		v := seen[string(a.value)]
		switch {
		case a.value == nil:
			f.Missing++
		case !v.valid:
			f.Rejected++
		case v.sequence < f.Sequence:
			f.Older++
		case bytes.Equal(a.value, f.Record):
			f.Holders = append(f.Holders, a.from)
		}
	}
	f.Density = densityOf(f.Key, among(f.nearest, alive), d.networkSize())
}

// take selects the best of valid records.
func (f *Finding) take(values [][]byte) {
	best, conflict, err := record.Select(f.Key, values)
	if err != nil {
		return
	}
	f.Record = values[best]
	f.Sequence, _ = record.Sequence(f.Key, f.Record) // it was selected: it parses
	if conflict {
		f.Conflict = rivals(f.Key, f.Record, f.Sequence, values)
	}
}

// rivals are the records of a sequence that differ from the one selected.
func rivals(key string, best []byte, sequence uint64, values [][]byte) [][]byte {
	var found [][]byte
	for _, v := range values {
		s, err := record.Sequence(key, v)
		if err != nil || s != sequence || bytes.Equal(v, best) || len(found) == maxConflicts ||
			slices.ContainsFunc(found, func(o []byte) bool { return bytes.Equal(o, v) }) {
			continue
		}
		found = append(found, v)
	}
	return found
}

func among(peers, in []peer.ID) []peer.ID {
	return slices.DeleteFunc(slices.Clone(peers), func(p peer.ID) bool { return !slices.Contains(in, p) })
}
