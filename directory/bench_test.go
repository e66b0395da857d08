package directory

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"communicator/directory/proof"
	"communicator/eventlog"
	"communicator/internal/budget"
	"communicator/internal/testenv"
	"communicator/wire"
	"communicator/wire/pb"
)

// benchWorld has a log on disk.
func benchWorld(b *testing.B) *world {
	dir := b.TempDir()
	return newWorldOn(b, func(o eventlog.Options) (eventlog.Log, error) { return eventlog.Open(dir, o) })
}

// batch is entries of new names, held by one identity. With forged signatures they pass
// for verified ones, and cost less to make.
func (w *world) batch(n, first int, forged bool) []entry {
	doc := idDocNamed(w.t, "bench")
	entries := make([]entry, n)
	by, key, attesting := w.by(), keyNamed("bench"), keyNamed("attesting")
	var all sync.WaitGroup
	for part := range 2 {
		all.Go(func() {
			for i := part; i < n; i += 2 {
				name := proof.Name(fmt.Sprintf("name%d", first+i))
				s := proof.NewName(w.ns, name).FirstBind(doc, proof.Hash{}, by)
				if forged {
					s.Signatures = []proof.Signature{{1}, {2}}
				} else if err := s.Sign(key, attesting); err != nil {
					w.t.Error(err)
				}
				raw, err := s.Marshal()
				if err != nil {
					w.t.Error(err)
				}
				e := entry{statement: s, raw: raw, identity: doc[:]}
				binary.BigEndian.PutUint64(e.secret[:], uint64(first+i))
				entries[i] = e
			}
		})
	}
	all.Wait()
	return entries
}

// appendAll logs entries in batches, sixteen at a time.
func (w *world) appendAll(entries []entry, verify bool) {
	m := w.chain.Current()
	batches := make(chan []entry, len(entries)/MaxEntries+1)
	for len(entries) > 0 {
		n := min(len(entries), MaxEntries)
		batches <- entries[:n]
		entries = entries[n:]
	}
	close(batches)
	s, err := w.space(w.ns[:])
	if err != nil {
		w.t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for batch := range batches {
				if verify {
					if err := w.verify(m, batch); err != nil {
						w.t.Error(err)
					}
				}
				if _, err := w.Directory.log(context.Background(), s, m, batch, nil); err != nil {
					w.t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkAppend is statements that were verified before, in batches of 128, on disk.
func BenchmarkAppend(b *testing.B) { benchmarkStatements(b, false) }

// BenchmarkVerifyAndAppend is the same with two signatures each to verify.
func BenchmarkVerifyAndAppend(b *testing.B) { benchmarkStatements(b, true) }

func benchmarkStatements(b *testing.B, verify bool) {
	w := benchWorld(b)
	entries := w.batch(b.N, 0, !verify)
	b.ResetTimer()
	before := processorTime(b)
	w.appendAll(entries, verify)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "statements/s")
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// processorTime is what the process used so far: it says more than the elapsed time on a
// machine that does something else as well.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkInclusion proves leaves of a log of 65,536, or of a million in the long form.
func BenchmarkInclusion(b *testing.B) {
	w := benchWorld(b)
	size := testenv.Times(1<<16, 1<<20)
	for first := 0; first < size; first += 1 << 14 {
		w.appendAll(w.batch(1<<14, first, true), false)
	}
	leaf := uint64(1)
	b.Run(fmt.Sprint(size), func(b *testing.B) {
		before := processorTime(b)
		defer func() { b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op") }()
		for b.Loop() {
			leaf = leaf*6364136223846793005 + 1442695040888963407
			resp, err := w.getInclusion(&pb.GetInclusion{Namespace: w.ns[:], Leaf: leaf % uint64(size), Size: uint64(size)})
			if err != nil || len(resp.Proof.Hashes) == 0 {
				b.Fatal(err)
			}
		}
	})
	b.Run(fmt.Sprintf("staple/%d", size), func(b *testing.B) {
		s, err := w.space(w.ns[:])
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			leaf = leaf*6364136223846793005 + 1442695040888963407
			st, err := w.staple(s, proof.Name(fmt.Sprintf("name%d", leaf%uint64(size))))
			if err != nil {
				b.Fatal(err)
			}
			if raw, err := st.Marshal(); err != nil || len(raw) > proof.MaxStaple {
				b.Fatalf("%d bytes, %v", len(raw), err)
			}
		}
	})
	err := w.Directory.cfg.Log.View(func(tables eventlog.Tables) error {
		_, err := tlog.TreeHash(int64(size), tree(tables.Table(wire.TableDirectory), 0))
		return err
	})
	if err != nil {
		b.Error(err)
	}
}

// BenchmarkContact is packages vended from memory, 64 requests at a time.
func BenchmarkContact(b *testing.B) {
	w := newWorld(b, func(c *Config) {
		c.Limits.Vend.Stock, c.Limits.Vend.PerHour = 1<<30, 1<<30
		c.Limits.Contacts = budget.Rate{Burst: 1 << 30}
		c.Limits.Requests = budget.Rate{Burst: 1 << 30}
	})
	p := w.registered("alice")
	p.rule(5, 1<<30)
	p.upload(p.pack("shared", false, 14*24*time.Hour))
	b.ResetTimer()
	next := make(chan struct{}, b.N)
	for range b.N {
		next <- struct{}{}
	}
	close(next)
	var all sync.WaitGroup
	c := w.dial("asker")
	for range 32 {
		all.Go(func() {
			for range next {
				if w.contact(c, p.request()) == nil {
					b.Error("not granted")
				}
			}
		})
	}
	all.Wait()
}
