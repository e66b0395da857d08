package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"communicator/dht"
)

// LookupOptions say how large a network is, how much of it goes away, and how often names
// are looked up in it, for each figure.
type LookupOptions struct {
	Nodes   int
	Gone    float64 // share of them, 0 to less than 1
	Lookups int
	Seed    uint64 // of the keys, the places of the names, and who goes
}

// LookupResult is what lookups came to. Round trips are elapsed time in units of one,
// dialling included: two for each connection.
type LookupResult struct {
	Nodes   int     `json:"nodes"`
	Gone    float64 `json:"gone"`
	Lookups int     `json:"lookups"`
	Seed    uint64  `json:"seed"`

	// Of a client with a full table, and of one that knows three addresses, while all
	// nodes are there.
	WarmP50 float64 `json:"hops_warm_p50"`
	WarmP99 float64 `json:"hops_warm_p99"`
	ColdP50 float64 `json:"hops_cold_p50"`
	ColdP99 float64 `json:"hops_cold_p99"`

	// After the share went away: lookups that found the record, and their time.
	Success float64 `json:"success"`
	GoneP50 float64 `json:"gone_p50_s"`
	GoneP99 float64 `json:"gone_p99_s"`
	// Newest is the share of lookups that found the newest of five versions, which two or
	// three of 60 holders have, of NewestOf in which any of those is still there.
	Newest   float64 `json:"newest_found"`
	NewestOf int     `json:"newest_lookups"`

	// Of a name in a log of a million, with three witnesses. Deriving the name's secret
	// comes on top once for each name.
	StapleBytes  int     `json:"staple_bytes"`
	StapleVerify float64 `json:"staple_verify_ms"`
	NameSecret   float64 `json:"name_secret_ms"`
}

const (
	// lookupsPerName is how often each published name is looked up, on average.
	lookupsPerName = 5
	// versions is how many of a name are about; newestEvery the share of one place's
	// holders that have the newest: one of seven.
	versions, newestEvery = 5, 7
	// bootstrapPeers is how many addresses a cold client knows.
	bootstrapPeers = 3
	// lookupReaders share the lookups after nodes went away; planters plant at a time.
	lookupReaders, planters = 3, 16
	// reports is how often progress is told for each figure.
	reports = 4
)

// Lookup measures lookups of names on whole hosts over a network in memory, in virtual
// time. Virtual time ([testing/synctest]) exists only within a test, so this runs one, and
// ends the process: done is told the result and returns the exit status.
func Lookup(ctx context.Context, o LookupOptions, progress io.Writer, done func(LookupResult, error) (status int)) {
	// Nothing in virtual time waits for a context of real time.
	context.AfterFunc(ctx, func() { os.Exit(done(LookupResult{}, context.Cause(ctx))) })
	stdout := os.Stdout
	os.Args, os.Stdout = os.Args[:1], os.Stderr // where the test reads flags, and prints
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "lookup",
		F: func(t *testing.T) {
			r, err := lookups(t, o, progress)
			os.Stdout = stdout
			os.Exit(done(r, err))
		},
	}}, nil, nil)
}

// lookups is [Lookup] within a test that exists already.
func lookups(t *testing.T, o LookupOptions, progress io.Writer) (r LookupResult, err error) {
	r = LookupResult{Nodes: o.Nodes, Gone: o.Gone, Lookups: o.Lookups, Seed: o.Seed}
	staple, err := newStapled() // in real time
	if err != nil {
		return r, err
	}
	r.StapleBytes, r.StapleVerify, r.NameSecret = len(staple.bytes), staple.verifyMS, staple.secretMS
	synctest.Test(t, func(*testing.T) {
		w := &lookupRun{o: o, payload: staple.bytes, progress: progress, r: &r}
		if w.overlay, err = newOverlay(o.Seed, o.Nodes); err == nil {
			err = w.measure(context.Background())
		}
		if closeErr := w.overlay.close(); err == nil {
			err = closeErr
		}
	})
	return r, err
}

// lookupRun is one measurement.
type lookupRun struct {
	o        LookupOptions
	overlay  *overlay
	payload  []byte
	progress io.Writer
	r        *LookupResult

	names   []published // of version 1, published as a subject does
	mixed   []mixedName
	readers []*member
}

// mixedName has several versions about, the newest at few servers.
type mixedName struct {
	published
	newest []int // servers that have it
}

func (w *lookupRun) measure(ctx context.Context) error {
	if err := w.prepare(ctx); err != nil {
		return err
	}
	if err := w.warm(ctx); err != nil {
		return err
	}
	if err := w.cold(ctx); err != nil {
		return err
	}
	gone := w.overlay.rand.Perm(w.o.Nodes)[:int(math.Round(w.o.Gone*float64(w.o.Nodes)))]
	if err := w.overlay.goAway(gone); err != nil {
		return err
	}
	w.withGone(ctx)
	w.newest(ctx, gone)
	w.overlay.net.Heal()
	return nil
}

// prepare publishes names, and plants versions of others.
func (w *lookupRun) prepare(ctx context.Context) error {
	author, err := w.overlay.reader(ctx)
	if err != nil {
		return err
	}
	for i := range max(w.o.Lookups/lookupsPerName, 1) {
		w.tell("published", i, w.o.Lookups/lookupsPerName)
		n, err := w.overlay.name()
		if err != nil {
			return err
		}
		value, err := w.overlay.sign(n, 1, w.payload)
		if err != nil {
			return err
		}
		entries, err := dht.Entries(value)
		if err != nil {
			return err
		}
		if _, err := author.dht.Publish(ctx, entries...); err != nil {
			return err
		}
		w.names = append(w.names, n)
	}
	for i := range w.o.Lookups {
		w.tell("planted", i, w.o.Lookups)
		m, err := w.plant(ctx, author)
		if err != nil {
			return err
		}
		w.mixed = append(w.mixed, m)
	}
	for range lookupReaders {
		reader, err := w.overlay.reader(ctx)
		if err != nil {
			return err
		}
		w.readers = append(w.readers, reader)
	}
	return nil
}

// plant gives each holder of a name's three places one of its versions.
func (w *lookupRun) plant(ctx context.Context, author *member) (m mixedName, err error) {
	if m.published, err = w.overlay.name(); err != nil {
		return m, err
	}
	var values [versions][]byte
	for v := range values {
		if values[v], err = w.overlay.sign(m.published, uint32(v+1), w.payload); err != nil {
			return m, err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(planters)
	place, offset := w.overlay.rand.IntN(len(m.keys)), w.overlay.rand.IntN(newestEvery)
	for i, key := range m.keys {
		for j, server := range w.overlay.nearest(key) {
			value := values[w.overlay.rand.IntN(versions-1)]
			if i == place && j%newestEvery == offset {
				value = values[versions-1]
				m.newest = append(m.newest, server)
			}
			g.Go(func() error { return author.plant(ctx, w.overlay.infos[server], key, value) })
		}
	}
	return m, g.Wait()
}

// warm looks up with a client that has been running.
func (w *lookupRun) warm(ctx context.Context) error {
	var took []time.Duration
	for i := range w.o.Lookups {
		w.tell("looked up warm", i, w.o.Lookups)
		began := time.Now()
		if _, err := w.readers[0].dht.LookupAll(ctx, w.names[i%len(w.names)].keys, nil); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	w.r.WarmP50, w.r.WarmP99 = roundTrips(took)
	return nil
}

// cold looks up with clients of which each begins with some addresses.
func (w *lookupRun) cold(ctx context.Context) error {
	var took []time.Duration
	for i := range w.o.Lookups {
		w.tell("looked up cold", i, w.o.Lookups)
		m, err := w.overlay.join(dht.Config{})
		if err != nil {
			return err
		}
		known := make([]peer.AddrInfo, bootstrapPeers)
		for j := range known {
			known[j] = w.overlay.infos[w.overlay.rand.IntN(w.o.Nodes)]
		}
		began := time.Now()
		err = m.dht.Bootstrap(ctx, known)
		if err == nil {
			_, err = m.dht.LookupAll(ctx, w.names[i%len(w.names)].keys, nil)
		}
		took = append(took, time.Since(began))
		if leaveErr := m.leave(); err == nil {
			err = leaveErr
		}
		if err != nil {
			return err
		}
	}
	w.r.ColdP50, w.r.ColdP99 = roundTrips(took)
	return nil
}

// withGone looks up what was published before nodes went away.
func (w *lookupRun) withGone(ctx context.Context) {
	found := 0
	var took []time.Duration
	for i := range w.o.Lookups {
		w.tell("looked up with nodes gone", i, w.o.Lookups)
		n, reader := w.names[i%len(w.names)], w.readers[i%len(w.readers)]
		began := time.Now()
		a, err := reader.dht.LookupAll(ctx, n.keys, nil)
		took = append(took, time.Since(began))
		if err == nil && w.overlay.holds(n, a.Record, 1, w.payload) {
			found++
		}
	}
	w.r.Success = float64(found) / float64(w.o.Lookups)
	p50, p99 := quantiles(took)
	w.r.GoneP50, w.r.GoneP99 = p50/1000, p99/1000
}

// newest looks up names of which older versions are about.
func (w *lookupRun) newest(ctx context.Context, gone []int) {
	found := 0
	for i, m := range w.mixed {
		w.tell("looked for the newest version", i, len(w.mixed))
		if !slices.ContainsFunc(m.newest, func(server int) bool { return !slices.Contains(gone, server) }) {
			continue // nobody has it any more
		}
		w.r.NewestOf++
		a, err := w.readers[i%len(w.readers)].dht.LookupAll(ctx, m.keys, nil)
		if err == nil && w.overlay.holds(m.published, a.Record, versions, w.payload) {
			found++
		}
	}
	w.r.Newest = float64(found) / float64(max(w.r.NewestOf, 1))
}

func (w *lookupRun) tell(what string, i, of int) {
	if step := max(of/reports, 1); i%step == 0 {
		fmt.Fprintf(w.progress, "%s: %d of %d\n", what, i, of)
	}
}

// roundTrips are the median and the 99th percentile in round trips.
func roundTrips(took []time.Duration) (p50, p99 float64) {
	p50, p99 = quantiles(took)
	const ms = float64(roundTrip / time.Millisecond)
	return p50 / ms, p99 / ms
}
