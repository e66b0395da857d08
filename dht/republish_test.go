package dht

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"communicator/wire"
)

// press notes what is published, and when.
type press struct {
	mu   sync.Mutex // guards all
	at   []time.Time
	what []string
	err  error
}

// soFar is what has been published.
func (p *press) soFar() (what []string, at []time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.what), slices.Clone(p.at)
}

func (p *press) answer(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *press) Publish(_ context.Context, entries ...Entry) (Report, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = append(p.at, time.Now())
	p.what = append(p.what, string(entries[0].Value))
	return Report{make([]Place, len(entries))}, p.err
}

func never(time.Duration) time.Duration { return 0 }

func publication(what string, from, to time.Duration) Publication {
	p := Publication{Entries: []Entry{{"key", []byte(what)}}, NotBefore: time.Now().Add(from)}
	if to != 0 {
		p.NotAfter = time.Now().Add(to)
	}
	return p
}

// running runs a republisher until the test has ended.
func running(t *testing.T, p Publisher, cfg RepublishConfig, test func(r *Republisher)) {
	t.Helper()
	r, err := NewRepublisher(p, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	test(r)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRepublisherKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &press{}
		running(t, p, RepublishConfig{Rand: never}, func(r *Republisher) {
			now := publication("now", -time.Hour, 30*time.Hour)
			later := publication("later", 20*time.Hour, 60*time.Hour)
			if err := r.Set(now, later); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if until := r.Until(); !until.Equal(began.Add(60 * time.Hour)) {
				t.Errorf("until %v", until)
			}
			time.Sleep(31 * time.Hour)
			want := []time.Duration{0, 12 * time.Hour, 20 * time.Hour, 24 * time.Hour}
			var got []time.Duration
			what, times := p.soFar()
			for _, at := range times {
				got = append(got, at.Sub(began))
			}
			if !slices.Equal(got, want) || !slices.Equal(what, []string{"now", "now", "later", "now"}) {
				t.Errorf("%v at %v", what, got)
			}
			status := r.Status()
			if len(status) != 1 || !status[0].Last.Equal(began.Add(20*time.Hour)) || !status[0].Next.Equal(began.Add(32*time.Hour)) {
				t.Errorf("%+v", status)
			}
			// The same publication again keeps its time; a new one is due at once.
			if err := r.Set(later, publication("other", 0, 0)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if what, _ = p.soFar(); len(what) != 5 || what[4] != "other" {
				t.Errorf("%v", what)
			}
			time.Sleep(1000 * time.Hour)
			if what, _ = p.soFar(); what[len(what)-1] != "other" || len(r.Status()) != 1 {
				t.Error("a publication without an end has ended")
			}
		})
	})
}

func TestRepublisherTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &press{err: ErrNotStored}
		running(t, p, RepublishConfig{Every: 6 * time.Hour, Rand: never}, func(r *Republisher) {
			if err := r.Set(publication("x", 0, 100*time.Hour)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(4 * time.Hour)
			var gaps []time.Duration
			_, at := p.soFar()
			for i := range at[1:] {
				gaps = append(gaps, at[i+1].Sub(at[i])/time.Minute)
			}
			if !slices.Equal(gaps, []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}) || !errors.Is(r.Status()[0].Err, ErrNotStored) {
				t.Errorf("minutes between attempts: %d", gaps)
			}
			p.answer(nil)
			time.Sleep(time.Hour)
			_, before := p.soFar()
			time.Sleep(5 * time.Hour)
			if _, at = p.soFar(); len(at) != len(before) || r.Status()[0].Err != nil {
				t.Errorf("after success %d more, %v", len(at)-len(before), r.Status()[0].Err)
			}
		})
	})
}

// TestRepublisherFollowsTheClock that it was given, when that is set.
func TestRepublisherFollowsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		offset := make(chan time.Duration, 1)
		offset <- 0
		now := func() time.Time { o := <-offset; offset <- o; return time.Now().Add(o) }
		p := &press{}
		running(t, p, RepublishConfig{Rand: never, Now: now}, func(r *Republisher) {
			if err := r.Set(publication("x", -time.Hour, 1000*time.Hour)); err != nil {
				t.Fatal(err)
			}
			for _, jump := range []time.Duration{13 * time.Hour, -26 * time.Hour} {
				time.Sleep(time.Minute)
				_, before := p.soFar()
				offset <- <-offset + jump
				time.Sleep(wakeAtLeast)
				if _, at := p.soFar(); len(at) != len(before)+1 {
					t.Errorf("after a jump of %v it published %d times", jump, len(at)-len(before))
				}
			}
		})
	})
}

func TestRepublisherRefuses(t *testing.T) {
	for _, every := range []time.Duration{-1, RecordAge} {
		if _, err := NewRepublisher(&press{}, RepublishConfig{Every: every}); !errors.Is(err, ErrConfig) {
			t.Errorf("every %v: %v", every, err)
		}
	}
	r, err := NewRepublisher(&press{}, RepublishConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Set(make([]Publication, MaxPublications+1)...); !errors.Is(err, ErrTooMany) {
		t.Errorf("too many: %v", err)
	}
	if _, err := Attestation([]byte("junk")); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("junk: %v", err)
	}
}

// TestForgottenUnlessRepublished: peers drop a record after two days, and take an older
// one then; a subject that runs keeps the newer one there.
func TestForgottenUnlessRepublished(t *testing.T) {
	inWorld(t, 40, 4, func(t *testing.T, w *world) {
		author, reader := w.client(), w.client()
		kept, left := w.name(), w.name()
		old, value := left.sign(t, 1, "old"), left.sign(t, 2, "new")
		w.publish(author, value)
		attestation, err := Attestation(kept.sign(t, 1, "kept"))
		if err != nil {
			t.Fatal(err)
		}
		running(t, author, RepublishConfig{}, func(r *Republisher) {
			if err := r.Set(attestation); err != nil {
				t.Fatal(err)
			}
			if _, err := author.Publish(t.Context(), entries(t, old)...); !errors.Is(err, ErrNotStored) {
				t.Errorf("an older one is taken: %v", err)
			}
			time.Sleep(RecordAge + time.Hour)
			if _, err := reader.LookupAll(t.Context(), left.keys, nil); !errors.Is(err, ErrNotFound) {
				t.Errorf("what nobody published again: %v", err)
			}
			if a, err := reader.LookupAll(t.Context(), kept.keys, nil); err != nil || !bytes.Equal(a.Record, attestation.Entries[0].Value) {
				t.Errorf("what was: %v", err)
			}
			if status := r.Status(); len(status) != 1 || status[0].Report.Least() != 4 {
				t.Errorf("%+v", status)
			}
		})
		// Rollback protection is the reader's: a peer has forgotten.
		if report := w.publish(author, old); report.Least() != 4 {
			t.Errorf("%d copies", report.Least())
		}
		for _, d := range w.nodes {
			if d.cfg.Server && d.Stats().Attest.Records > 6 {
				t.Errorf("%d records are stored", d.Stats().Attest.Records)
			}
		}
	})
}

// What a settled republisher is given first was published some time ago; what comes later
// is new.
func TestSettledRepublisherBeginsSomeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &press{}
		half := func(below time.Duration) time.Duration { return below / 2 }
		running(t, p, RepublishConfig{Rand: half, Every: 10 * time.Hour, Settled: true}, func(r *Republisher) {
			began := time.Now()
			if err := r.Set(publication("old", -time.Hour, 0)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(6 * time.Hour)
			if what, at := p.soFar(); len(what) != 1 || at[0].Sub(began) != 5*time.Hour {
				t.Fatalf("%v at %v", what, at)
			}
			if err := r.Set(publication("new", -time.Hour, 0)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if what, _ := p.soFar(); len(what) != 2 || what[1] != "new" {
				t.Errorf("%v", what)
			}
		})
	})
}
