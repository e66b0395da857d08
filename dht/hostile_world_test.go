package dht

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"communicator/dht/record"
	"communicator/internal/testenv"

	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// TestHostileNodesChangeNoAnswer: a third of the network serves what is old, forged,
// oversized, misnamed or nothing, and the peers that it names are few.
func TestHostileNodesChangeNoAnswer(t *testing.T) {
	inWorld(t, 20, 64, func(t *testing.T, w *world) {
		author, n := w.client(), w.name()
		stale, value := n.sign(t, 1, "stale"), n.sign(t, 2, "statement")
		w.publish(author, stale)
		w.publish(author, value)
		forged := bytes.Clone(value)
		forged[39]++ // a higher sequence
		other := w.name().sign(t, 9, "another name's")
		endless := n.endless(t)
		conducts := []func(request, reply *kadpb.Message) bool{
			serving(stale), serving(forged), serving(make([]byte, record.MaxValue+1)), serving(make([]byte, maxReply)),
			serving(other), serving(nil), serving(endless), misnamed(value), mute, hangs,
		}
		for i, d := range w.nodes[:20] {
			w.turn(d, conducts[i%len(conducts)])
		}
		reader := w.client()
		for range 3 {
			a, err := reader.LookupAll(t.Context(), n.keys, nil)
			if err != nil || !bytes.Equal(a.Record, value) || a.Conflict != nil {
				t.Fatalf("sequence %d, %d in conflict, %v", a.Sequence, len(a.Conflict), err)
			}
			rejected, older := 0, 0
			for _, f := range a.Places {
				rejected, older = rejected+f.Rejected, older+f.Older
			}
			if rejected == 0 || older == 0 {
				t.Errorf("%d rejected, %d older: were the hostile ones asked?", rejected, older)
			}
		}
	})
}

// endless is a record of a higher version that is valid for longer than records may be:
// it is well signed, for another week.
func (n name) endless(t *testing.T) []byte {
	t.Helper()
	b, err := record.Sign(n.zone, n.secret, record.Draft{Epoch: n.epoch + 1, Version: 7}, workBits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTarPit: peers that accept requests and never answer cost time, bounded.
func TestTarPit(t *testing.T) {
	inWorld(t, 21, 40, func(t *testing.T, w *world) {
		author, n := w.client(), w.name()
		value := n.sign(t, 1, "statement")
		w.publish(author, value)
		for _, d := range w.nearest(n.keys[0])[:10] {
			w.turn(d, hangs)
		}
		reader := w.client()
		at := time.Now()
		a, err := reader.LookupAll(t.Context(), n.keys, nil)
		if err != nil || !bytes.Equal(a.Record, value) {
			t.Fatal(err)
		}
		if took := time.Since(at); took > DefaultSearch+DefaultRequest {
			t.Errorf("held up for %v", took)
		}
	})
}

// TestAgreementEndsTheWait: with two places agreeing, the third gets as long again.
func TestAgreementEndsTheWait(t *testing.T) {
	inWorld(t, 22, 64, func(t *testing.T, w *world) {
		author, n := w.client(), w.name()
		value := n.sign(t, 1, "statement")
		w.publish(author, value)
		reader := w.client()
		if _, err := reader.LookupAll(t.Context(), w.name().keys, nil); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		// Everybody hangs when asked for the first key, and for no other.
		for _, d := range w.nodes {
			if d.cfg.Server {
				w.turn(d, func(request, reply *kadpb.Message) bool {
					serving(value)(request, reply)
					return string(request.GetKey()) != n.keys[0]
				})
			}
		}
		reader = w.client()
		at := time.Now()
		a, err := reader.LookupAll(t.Context(), n.keys, nil)
		if err != nil || !bytes.Equal(a.Record, value) || a.Places[0].Complete || !a.Places[1].Complete || !a.Places[2].Complete {
			t.Fatalf("complete: %v, %v, %v; %v", a.Places[0].Complete, a.Places[1].Complete, a.Places[2].Complete, err)
		}
		if took := time.Since(at); took > minPatience+20*roundTrip {
			t.Errorf("waited %v for a place that never answers", took)
		}
	})
}

// sybil makes a key whose id lies within a share 2^-bits of the space around a record.
func (w *world) sybil(key string, bits int) crypto.PrivKey {
	target := sha256.Sum256([]byte(key))
	for {
		candidate := w.key()
		id, err := peer.IDFromPrivateKey(candidate)
		if err != nil {
			w.t.Fatal(err)
		}
		at := sha256.Sum256([]byte(id))
		if (binary.BigEndian.Uint64(at[:])^binary.BigEndian.Uint64(target[:]))>>(64-bits) == 0 {
			return candidate
		}
	}
}

// TestSybilsAroundOnePlace: twenty ids made for the purpose shut one place of a name;
// the alarm says so and the two others answer. Without an attack it is silent.
func TestSybilsAroundOnePlace(t *testing.T) {
	inWorld(t, 23, 64, func(t *testing.T, w *world) {
		author, n := w.client(), w.name()
		value := n.sign(t, 1, "statement")
		reader := w.client()
		for range testenv.Times(25, 1000) {
			a, err := reader.LookupAll(t.Context(), w.name().keys, nil)
			if !errors.Is(err, ErrNotFound) || a.Alarm {
				t.Fatalf("alarm %v, %v", a.Alarm, err)
			}
		}
		size := reader.Stats().Network
		if size < 32 || size > 128 {
			t.Errorf("64 servers are estimated at %d", size)
		}
		for range Replication {
			h := w.hostWith(w.sybil(n.keys[0], 9))
			d := w.add(h, Config{Server: true})
			w.turn(d, mute).closer = nil
		}
		for _, d := range w.nodes {
			w.warm(d)
		}
		w.publishSome(author, value)
		a, err := reader.LookupAll(t.Context(), n.keys, nil)
		if err != nil || !bytes.Equal(a.Record, value) {
			t.Fatal(err)
		}
		for i, f := range a.Places {
			t.Logf("place %d: chance %.1e of %d peers among %d, %d holders", i, f.Density.Chance, f.Density.Peers, f.Density.Network, len(f.Holders))
			if f.Density.Alarm != (i == 0) {
				t.Errorf("place %d: alarm %v", i, f.Density.Alarm)
			}
		}
		if !a.Alarm {
			t.Error("no alarm")
		}
	})
}

// publishSome publishes where some place may refuse.
func (w *world) publishSome(d *DHT, value []byte) {
	w.t.Helper()
	if _, err := d.Publish(w.t.Context(), entries(w.t, value)...); err != nil && !errors.Is(err, ErrNotStored) {
		w.t.Fatal(err)
	}
}
