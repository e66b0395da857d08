package dht

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"slices"
	"testing"
	"time"

	"communicator/dht/record"
	"communicator/internal/testenv"

	"github.com/ipfs/go-datastore/query"
	recpb "github.com/libp2p/go-libp2p-record/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
)

func TestPublishedIsFoundEverywhere(t *testing.T) {
	inWorld(t, 1, 64, func(t *testing.T, w *world) {
		author, reader := w.client(), w.client()
		n := w.name()
		value := n.sign(t, 1, "statement")
		report := w.publish(author, value)
		if len(report.Places) != record.Copies || report.Least() != Replication {
			t.Errorf("stored at %d peers: %+v", report.Least(), report.Places)
		}
		a, err := reader.LookupAll(t.Context(), n.keys, nil)
		if err != nil || !bytes.Equal(a.Record, value) || a.Sequence != 1<<32 {
			t.Fatalf("sequence %d, %v", a.Sequence, err)
		}
		for i, f := range a.Places {
			if !f.Complete || len(f.Holders) != Replication || !bytes.Equal(f.Record, value) || f.Hops < 1 {
				t.Errorf("place %d: %d holders, complete %v, %d hops", i, len(f.Holders), f.Complete, f.Hops)
			}
		}
		if _, err := reader.Lookup(t.Context(), w.name().keys[0]); !errors.Is(err, ErrNotFound) {
			t.Errorf("a name that nobody published: %v", err)
		}
	})
}

// median of lookups by readers that each begin as start says.
func medianRoundTrips(t *testing.T, w *world, start func() *DHT, before func(*DHT)) time.Duration {
	t.Helper()
	var took []time.Duration
	author := w.client()
	for range 9 {
		n := w.name()
		w.publish(author, n.sign(t, 1, "statement"))
		reader := start()
		at := time.Now()
		before(reader)
		if _, err := reader.LookupAll(t.Context(), n.keys, nil); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

func TestRoundTrips(t *testing.T) {
	inWorld(t, 2, 64, func(t *testing.T, w *world) {
		reader := w.client()
		if _, err := reader.LookupAll(t.Context(), w.name().keys, nil); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		warm := medianRoundTrips(t, w, func() *DHT { return reader }, func(*DHT) {})
		cold := medianRoundTrips(t, w, func() *DHT { return w.add(w.host(), Config{}) }, func(d *DHT) {
			if err := d.Bootstrap(t.Context(), w.peers[:3]); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("round trips, median: warm %.1f, cold, from knowing three addresses, %.1f",
			float64(warm)/float64(roundTrip), float64(cold)/float64(roundTrip))
		if warm > 4*roundTrip {
			t.Errorf("a warm lookup takes %v, over 4 round trips", warm)
		}
		if cold > 15*roundTrip {
			t.Errorf("a cold lookup takes %v, over 15 round trips", cold)
		}
	})
}

// TestNearlyAThirdGone: nodes leave after the records were stored; some are switched
// off, some swallow packets.
func TestNearlyAThirdGone(t *testing.T) {
	inWorld(t, 3, 64, func(t *testing.T, w *world) {
		author := w.client()
		names := make([]name, 10)
		for i := range names {
			names[i] = w.name()
			w.publish(author, names[i].sign(t, 1, "statement"))
		}
		readers := []*DHT{w.client(), w.client(), w.client()}
		w.stop(w.nodes[:13]...)
		var cut []peer.ID
		for _, d := range w.nodes[13:19] {
			cut = append(cut, d.host.ID())
		}
		w.net.Partition(cut)
		trials, failed := testenv.Times(60, 1000), 0
		for i := range trials {
			if _, err := readers[i%len(readers)].LookupAll(t.Context(), names[i%len(names)].keys, nil); err != nil {
				failed++
			}
		}
		t.Logf("%d of %d lookups failed with 19 of 64 nodes gone", failed, trials)
		if failed*100 > trials {
			t.Errorf("%d of %d lookups failed", failed, trials)
		}
		w.net.Heal()
	})
}

// plant stores a value at a node as if it had been put there.
func plant(t *testing.T, d *DHT, key string, value []byte) {
	t.Helper()
	raw, err := proto.Marshal(&recpb.Record{Key: []byte(key), Value: value,
		TimeReceived: time.Now().UTC().Format(time.RFC3339Nano)})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.store.Put(t.Context(), storeKey(record.Attest, key), raw); err != nil {
		t.Fatal(err)
	}
}

// nearest are the servers that keep a key, were all of them known.
func (w *world) nearest(key string) []*DHT {
	ids := make([]peer.ID, len(w.peers))
	for i, p := range w.peers {
		ids[i] = p.ID
	}
	slices.SortFunc(ids, func(a, b peer.ID) int { return nearer(key, a, b) })
	var nodes []*DHT
	for _, id := range ids[:min(len(ids), Replication)] {
		nodes = append(nodes, w.byID(id))
	}
	return nodes
}

// TestNewestIsFound spreads five versions over those who keep a name, the newest at few
// of them, a third of which are gone.
func TestNewestIsFound(t *testing.T) {
	inWorld(t, 4, 64, func(t *testing.T, w *world) {
		reader := w.client()
		gone := w.nodes[:20]
		trials, missed, counted := testenv.Times(60, 1000), 0, 0
		values := make([][]byte, 5)
		w.stop(gone...)
		for range trials {
			n := w.name()
			for v := range values {
				values[v] = n.sign(t, uint32(v+1), "statement")
			}
			alive, newest := false, 1+w.rand.IntN(4)
			for i, key := range n.keys {
				for j, d := range w.nearest(key) {
					version := w.rand.IntN(4)
					if i == newest%len(n.keys) && j%7 == newest {
						version = 4
						alive = alive || !slices.Contains(gone, d)
					}
					plant(t, d, key, values[version])
				}
			}
			if !alive {
				continue
			}
			counted++
			a, err := reader.LookupAll(t.Context(), n.keys, nil)
			if err != nil || a.Sequence != 5<<32 {
				missed++
			}
			if err := reader.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("the newest of five versions missed %d times of %d", missed, counted)
		if missed*1000 > counted || counted < trials/2 {
			t.Errorf("missed %d times of %d", missed, counted)
		}
	})
}

func TestThoseBehindAreRepaired(t *testing.T) {
	inWorld(t, 5, 40, func(t *testing.T, w *world) {
		reader := w.client()
		n := w.name()
		old, value := n.sign(t, 1, "old"), n.sign(t, 2, "new")
		for i, key := range n.keys {
			for j, d := range w.nearest(key) {
				switch {
				case i == 1 && j == 19:
					plant(t, d, key, value)
				case j%2 == 0:
					plant(t, d, key, old)
				}
			}
		}
		a, err := reader.LookupAll(t.Context(), n.keys, nil)
		if err != nil || !bytes.Equal(a.Record, value) {
			t.Fatalf("%v", err)
		}
		if f := a.Places[1]; f.Older != 10 || f.Missing < 9 || len(f.Holders) != 1 {
			t.Errorf("%d older, %d missing, %d holders", f.Older, f.Missing, len(f.Holders))
		}
		if err := reader.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, key := range n.keys {
			f, err := reader.Lookup(t.Context(), key)
			if err != nil || len(f.Holders) != Replication || f.Older != 0 {
				t.Errorf("place %d: %d holders after the repair, %d behind, %v", i, len(f.Holders), f.Older, err)
			}
		}
	})
}

// TestTwoFaces: a namespace that signs two statements with one sequence.
func TestTwoFaces(t *testing.T) {
	inWorld(t, 6, 40, func(t *testing.T, w *world) {
		reader := w.client()
		n := w.name()
		one, two := n.sign(t, 3, "this"), n.sign(t, 3, "that")
		for i, key := range n.keys {
			for j, d := range w.nearest(key)[:Replication-2] {
				plant(t, d, key, [][]byte{one, two}[(i+j)%2])
			}
		}
		first := one
		if bytes.Compare(two, one) < 0 {
			first = two
		}
		a, err := reader.LookupAll(t.Context(), n.keys, nil)
		if err != nil || !bytes.Equal(a.Record, first) || len(a.Conflict) != 1 || bytes.Equal(a.Conflict[0], first) {
			t.Fatalf("%d in conflict, %v", len(a.Conflict), err)
		}
		if err := reader.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Lookup(t.Context(), n.keys[0]); err != nil {
			t.Fatal(err)
		}
		if err := reader.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, key := range n.keys {
			if f, err := reader.Lookup(t.Context(), key); err != nil || len(f.Holders) != Replication/2-1 || f.Missing != 2 || len(f.Conflict) != 1 {
				t.Errorf("one face was spread: %d hold the first, %d none, %v", len(f.Holders), f.Missing, err)
			}
		}
		// Neither replaces the other at those who store it, and a newer one both.
		if report, err := reader.Publish(t.Context(), Entry{n.keys[0], two}); err != nil || report.Least() != Replication/2+1 {
			t.Errorf("%d took the other face, %v", report.Least(), err)
		}
		w.publish(reader, n.sign(t, 4, "settled"))
		if a, err = reader.LookupAll(t.Context(), n.keys, nil); err != nil || a.Conflict != nil || a.Sequence != 4<<32 {
			t.Errorf("sequence %x, conflict %v, %v", a.Sequence, a.Conflict != nil, err)
		}
	})
}

// TestPlacesThatDiffer: each place for itself looks honest.
func TestPlacesThatDiffer(t *testing.T) {
	inWorld(t, 12, 30, func(t *testing.T, w *world) {
		reader, split := w.client(), w.name()
		one, two := split.sign(t, 1, "this"), split.sign(t, 1, "that")
		plant(t, w.nearest(split.keys[0])[0], split.keys[0], one)
		plant(t, w.nearest(split.keys[1])[0], split.keys[1], two)
		if a, err := reader.LookupAll(t.Context(), split.keys, nil); err != nil || len(a.Conflict) != 1 {
			t.Errorf("%d in conflict, %v", len(a.Conflict), err)
		}
		if err := reader.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Lookup(t.Context(), split.keys[2]); !errors.Is(err, ErrNotFound) {
			t.Errorf("one of two faces was spread: %v", err)
		}
	})
}

// TestNothingToTellByKey looks at all that nodes store and are asked.
func TestNothingToTellByKey(t *testing.T) {
	inWorld(t, 7, 40, func(t *testing.T, w *world) {
		namespace := [32]byte{}
		copy(namespace[:], "namespace id, 32 bytes, not here")
		n := w.name()
		n.secret = record.Secret("alice-the-subject", namespace)
		zone := n.zone.Public().(ed25519.PublicKey)
		blind, err := record.Blind(zone, n.secret, n.epoch)
		if err != nil {
			t.Fatal(err)
		}
		keys := blind.Locations()
		n.keys = keys[:]
		var observers []*hostile
		for _, d := range w.nodes[:20] {
			observers = append(observers, w.turn(d, mute))
		}
		w.publish(w.client(), n.sign(t, 1, "key of alice: "+string(zone)))
		if _, err := w.client().LookupAll(t.Context(), n.keys, nil); err != nil {
			t.Fatal(err)
		}
		all := w.stored(t)
		if !bytes.Contains(all, blind[:]) {
			t.Fatal("the record is not among what is stored")
		}
		seen := 0
		for _, o := range observers {
			for _, m := range o.seen() {
				raw, err := proto.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, raw...)
				seen++
			}
		}
		if seen < 20 {
			t.Errorf("%d requests observed", seen)
		}
		for what, secret := range map[string][]byte{
			"name": []byte("alice-the-subject"), "payload": []byte("key of alice"), "zone key": zone,
			"namespace": namespace[:], "name's secret": n.secret[:],
		} {
			if bytes.Contains(all, secret) || bytes.Contains(all, []byte(hex.EncodeToString(secret))) ||
				bytes.Contains(all, []byte(keyEncoding.EncodeToString(secret))) {
				t.Errorf("%s is there to read", what)
			}
		}
	})
}

// stored are the bytes of everything that the network keeps, keys first.
func (w *world) stored(t *testing.T) []byte {
	t.Helper()
	var all []byte
	for _, d := range w.nodes {
		results, err := d.store.Batching.Query(t.Context(), query.Query{})
		if err != nil {
			t.Fatal(err)
		}
		rest, err := results.Rest()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range rest {
			all = append(append(all, e.Key...), e.Value...)
		}
	}
	return all
}
