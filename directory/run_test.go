package directory

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"communicator/directory/vend"
	"communicator/eventlog"
)

func TestRunEndsWithTheDirectory(t *testing.T) {
	w := newWorld(t)
	for _, end := range []func(cancel context.CancelFunc){
		func(cancel context.CancelFunc) { cancel() },
		func(context.CancelFunc) { w.Directory.Close() },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		end(cancel)
		if err := <-done; err != nil {
			t.Error(err)
		}
		cancel()
	}
}

// What expires is erased, and no more than that.
func TestSweep(t *testing.T) {
	w := newWorld(t)
	p := w.registered("alice")
	p.rule(vend.Open, 1000)
	p.upload(p.pack("short", true, 10*time.Hour), p.pack("long", true, 100*time.Hour), p.pack("shared", false, 10*time.Hour))
	before, err := w.log.Stat()
	if err != nil {
		t.Fatal(err)
	}
	w.clock.move(20 * time.Hour)
	for range 2 {
		if err := w.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	after, err := w.log.Stat()
	if err != nil || before.Bodies-after.Bodies != 2 {
		t.Errorf("%d bodies, then %d, %v", before.Bodies, after.Bodies, err)
	}
	if s, err := p.Stock(t.Context()); err != nil || s.OneTime != 1 || !s.LastResort.IsZero() {
		t.Errorf("stock %+v, %v", s, err)
	}
}

// Pruning the log's headers loses no name, no proof and no package.
func TestPruneKeepsWhatIsInForce(t *testing.T) {
	w := newWorld(t)
	p := w.registered("alice")
	p.rule(vend.Open, 1000)
	c := w.dial("anybody")
	note, _, err := c.Checkpoint(t.Context(), w.chain)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.move(40 * 24 * time.Hour)
	p.upload(p.pack("shared", false, 100*time.Hour))
	if err := w.log.Prune(t.Context(), w.clock.now().Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	stat, err := w.log.Stat()
	if err != nil || stat.First < 3 {
		t.Fatalf("nothing was pruned: %+v, %v", stat, err)
	}
	if err := w.log.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Attestation(t.Context(), w.chain, "alice", secretOf(w.ns, "alice"), w.clock.now()); err != nil {
		t.Errorf("attestation: %v", err)
	}
	w.registered("bob")
	if _, cp, _, err := c.Continue(t.Context(), w.chain, note); err != nil || cp.Size != 2 {
		t.Errorf("continued to %d, %v", cp.Size, err)
	}
	if w.contact(c, p.request()) == nil {
		t.Error("not granted")
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *Config) { c.Metrics = m })
	p := w.registered("alice")
	w.contact(p.Client, p.request())
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]float64{}
	for _, f := range families {
		for _, metric := range f.Metric {
			seen[f.GetName()] += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	if seen["communicator_directory_statements_total"] != 1 || seen["communicator_directory_contacts_total"] != 1 ||
		seen["communicator_directory_requests_total"] < 4 || seen["communicator_directory_streams"] == 0 {
		t.Errorf("counted %v", seen)
	}
	if _, err := NewMetrics(reg); err == nil {
		t.Error("registered twice")
	}
}

func TestGrowing(t *testing.T) {
	for kind, want := range map[eventlog.Kind]bool{
		KindStatementLogged: true, KindManifestAccepted: true, KindRevocationKept: false, KindRelationKept: true,
		eventlog.Kind(vend.KindPackageAdded): true, eventlog.Kind(vend.KindPackageVended): false,
		eventlog.Kind(vend.KindForgotten): false, 0x0101: false,
	} {
		if Growing(kind) != want {
			t.Errorf("kind %#x grows: %v", uint16(kind), !want)
		}
	}
}
