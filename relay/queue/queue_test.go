package queue

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"communicator/wire"
)

var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// bench drives a queue by hand.
type bench struct {
	t   *testing.T
	q   *Queue
	now time.Time
	out Effects
}

func newBench(t *testing.T, cfg Config) *bench { return &bench{t: t, q: New(cfg), now: epoch} }

// step returns the ids sent.
func (b *bench) step(in Input) []ID {
	b.t.Helper()
	b.out.Reset()
	b.q.Step(b.now, in, &b.out)
	ids := []ID{}
	for _, s := range b.out.Send {
		ids = append(ids, s.ID)
	}
	return ids
}

func (b *bench) add(id ID, dest string) []ID {
	b.t.Helper()
	return b.step(Input{Kind: Add, ID: id, Destination: dest, NotAfter: epoch.Add(14 * 24 * time.Hour)})
}

func (b *bench) want(got []ID, want ...ID) {
	b.t.Helper()
	if !slices.Equal(got, want) {
		b.t.Fatalf("at +%v sent %v, want %v", b.now.Sub(epoch), got, want)
	}
}

func (b *bench) wantWake(after time.Duration) {
	b.t.Helper()
	if got := b.out.Wake.Sub(b.now); got != after {
		b.t.Fatalf("wakes after %v, want %v", got, after)
	}
}

func TestOneProbeThenPipeline(t *testing.T) {
	b := newBench(t, Config{PerDestination: 3})
	b.want(b.add(1, "a"), 1)
	for id := ID(2); id <= 6; id++ {
		b.want(b.add(id, "a"))
	}
	b.want(b.step(Input{Kind: Settled, ID: 1}), 2, 3, 4)
	b.want(b.step(Input{Kind: Settled, ID: 3}), 5)
	if st := b.q.Stat(); st != (Stat{Items: 4, InFlight: 3, Destinations: 1}) {
		t.Fatalf("stat %+v", st)
	}
	for _, id := range []ID{2, 4, 5, 6} {
		b.step(Input{Kind: Settled, ID: id})
	}
	if st := b.q.Stat(); st != (Stat{}) {
		t.Fatalf("an empty queue holds %+v", st)
	}
}

func TestUnreachableDestinationIsProbedAlone(t *testing.T) {
	b := newBench(t, Config{BackoffMin: time.Second, BackoffMax: 8 * time.Second})
	b.want(b.add(1, "dead"), 1)
	for id := ID(2); id <= 100; id++ {
		b.add(id, "dead")
	}
	// Random 0 is the longest pause.
	flying := ID(1)
	for _, pause := range []time.Duration{2, 4, 8, 8, 8} {
		b.want(b.step(Input{Kind: Failed, ID: flying}))
		b.wantWake(pause * time.Second)
		b.now = b.now.Add(pause*time.Second - 1)
		b.want(b.step(Input{}))
		b.now = b.now.Add(1)
		got := b.step(Input{})
		if len(got) != 1 {
			t.Fatalf("sent %v at once to a destination that does not answer", got)
		}
		flying = got[0]
	}
	if st := b.q.Stat(); st.Paused != 1 || st.Probes != 1 {
		t.Fatalf("stat %+v", st)
	}
	if got := b.step(Input{Kind: Settled, ID: flying}); len(got) != 64 {
		t.Fatalf("an answer opened the way for %d, want 64", len(got))
	}
	if st := b.q.Stat(); st.Paused != 0 || st.InFlight != 64 {
		t.Fatalf("stat %+v", st)
	}
}

// TestPauseIsAShareOfTheOutage: an outage of ten minutes is not followed by a wait of
// fifteen, and one of a day is not probed every few seconds.
func TestPauseIsAShareOfTheOutage(t *testing.T) {
	for _, c := range []struct{ outage, least, most time.Duration }{
		{10 * time.Minute, 10 * time.Second, 20 * time.Second},
		{2 * time.Hour, 2 * time.Minute, 4 * time.Minute},
		{24 * time.Hour, 7 * time.Minute, 15 * time.Minute},
	} {
		b := newBench(t, Config{})
		b.add(1, "a")
		for b.now.Sub(epoch) < c.outage {
			b.step(Input{Kind: Failed, ID: 1, Random: 0.5})
			b.now = b.out.Wake
			b.want(b.step(Input{Kind: Tick}), 1)
		}
		b.step(Input{Kind: Failed, ID: 1, Random: 0.5})
		if wait := b.out.Wake.Sub(b.now); wait < c.least || wait > c.most {
			t.Errorf("after %v of failing it waits %v", c.outage, wait)
		}
	}
}

func TestFailuresTogetherCountOnce(t *testing.T) {
	b := newBench(t, Config{PerDestination: 10})
	b.add(1, "a")
	for id := ID(2); id <= 11; id++ {
		b.add(id, "a")
	}
	b.step(Input{Kind: Settled, ID: 1})
	for id := ID(2); id <= 11; id++ {
		b.want(b.step(Input{Kind: Failed, ID: id}))
	}
	b.wantWake(2 * time.Second)
	b.now = b.out.Wake
	b.want(b.step(Input{}), 2)
}

func TestFailureBesideAnswersDelaysOneMessage(t *testing.T) {
	b := newBench(t, Config{PerDestination: 2})
	b.add(1, "a")
	for id := ID(2); id <= 6; id++ {
		b.add(id, "a")
	}
	b.want(b.step(Input{Kind: Settled, ID: 1}), 2, 3)
	b.want(b.step(Input{Kind: Settled, ID: 3}), 4)
	b.want(b.step(Input{Kind: Failed, ID: 2}), 5) // 3 was answered after 2 was sent
	b.want(b.step(Input{Kind: Refused, ID: 4}), 6)
	b.step(Input{Kind: Settled, ID: 5})
	b.step(Input{Kind: Settled, ID: 6})
	b.wantWake(2 * time.Second)
	b.now = b.out.Wake
	b.want(b.step(Input{}), 2, 4)
}

func TestDeferredPausesAsLongAsAsked(t *testing.T) {
	b := newBench(t, Config{})
	b.add(1, "a")
	b.add(2, "a")
	b.want(b.step(Input{Kind: Deferred, ID: 1, RetryAfter: time.Minute}))
	b.wantWake(time.Minute)
	b.now = b.out.Wake
	b.want(b.step(Input{}), 1)
	// Asking for longer than the longest backoff does not strand anything.
	b.want(b.step(Input{Kind: Deferred, ID: 1, RetryAfter: 300 * time.Hour}))
	b.wantWake(15 * time.Minute)
}

func TestOneDestinationDoesNotHoldUpAnother(t *testing.T) {
	b := newBench(t, Config{PerDestination: 4, Total: 4, Probes: 2, Burst: 1})
	b.want(b.add(1, "slow"), 1)
	for id := ID(2); id <= 9; id++ {
		b.add(id, "slow")
	}
	b.want(b.step(Input{Kind: Settled, ID: 1}), 2, 3, 4, 5)
	// The total is used up, yet a destination that was never asked is probed.
	b.want(b.add(10, "new"), 10)
	b.want(b.step(Input{Kind: Settled, ID: 10}))
	b.now = b.now.Add(time.Second)
	b.add(11, "new")
	b.want(b.add(12, "new"))
	// "new" was forgotten when it was empty and is probed again by 11; once it
	// answers, the two take turns.
	b.want(b.step(Input{Kind: Settled, ID: 11}))
	b.want(b.step(Input{Kind: Settled, ID: 2}), 12)
	b.want(b.step(Input{Kind: Settled, ID: 3}), 6)
}

func TestExpiry(t *testing.T) {
	b := newBench(t, Config{})
	hour := epoch.Add(time.Hour)
	b.step(Input{Kind: Add, ID: 1, Destination: "a", NotAfter: hour})
	b.step(Input{Kind: Add, ID: 2, Destination: "a", NotAfter: hour})
	b.step(Input{Kind: Add, ID: 3, Destination: "a", NotAfter: hour.Add(time.Hour)})
	b.wantWake(time.Hour)
	b.now = hour
	b.want(b.step(Input{}))
	if !slices.Equal(b.out.Abandon, []ID{2}) {
		t.Fatalf("abandoned %v, want 2 alone: 1 is in flight", b.out.Abandon)
	}
	b.want(b.step(Input{Kind: Failed, ID: 1}))
	if !slices.Equal(b.out.Abandon, []ID{1}) {
		t.Fatalf("abandoned %v, want 1 once its answer was in", b.out.Abandon)
	}
	b.want(b.add(3, "a")) // known
	if b.q.Stat().Items != 1 {
		t.Fatal("a known id was added again")
	}
}

func TestExpiredInFlightButTaken(t *testing.T) {
	b := newBench(t, Config{})
	b.step(Input{Kind: Add, ID: 1, Destination: "a", NotAfter: epoch.Add(time.Hour)})
	b.now = epoch.Add(2 * time.Hour)
	b.step(Input{})
	b.step(Input{Kind: Settled, ID: 1})
	if len(b.out.Abandon) != 0 || b.q.Stat().Items != 0 {
		t.Fatalf("taken, yet abandoned %v, %+v", b.out.Abandon, b.q.Stat())
	}
}

func TestJitterIsExponentialAndCapped(t *testing.T) {
	draw := func(mean time.Duration, left time.Duration, random float64) time.Duration {
		b := newBench(t, Config{JitterMax: time.Minute})
		b.step(Input{Kind: Add, ID: 1, Destination: "a", NotAfter: epoch.Add(left), Jitter: mean, Random: random})
		if len(b.out.Send) == 1 {
			return 0
		}
		return b.out.Wake.Sub(epoch)
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		mean, left time.Duration
		random     float64
		want       time.Duration
	}{
		{0, day, 0.9, 0},
		{10 * time.Second, day, 0, 0},
		{10 * time.Second, day, 1 - 1/math.E, 10 * time.Second},
		{time.Hour, day, 1 - 1/math.E, time.Minute},                 // the mean is capped
		{time.Minute, day, 1 - 1e-12, 10 * time.Minute},             // the tail is cut
		{time.Minute, 10 * time.Minute, 1 - 1e-12, 5 * time.Minute}, // time is left to deliver
	} {
		if got := draw(c.mean, c.left, c.random); (got - c.want).Abs() > time.Microsecond {
			t.Errorf("mean %v, %v left, random %v: %v, want %v", c.mean, c.left, c.random, got, c.want)
		}
	}
	var sum time.Duration
	const n = 1000
	for i := range n {
		sum += draw(time.Second, day, (float64(i)+0.5)/n)
	}
	if mean := sum / n; mean < 990*time.Millisecond || mean > 1010*time.Millisecond {
		t.Errorf("mean of the draws %v, want 1 s", mean)
	}
}

func TestClockBackwardsLosesNothing(t *testing.T) {
	b := newBench(t, Config{})
	b.add(1, "a")
	b.now = b.now.Add(-10 * 365 * 24 * time.Hour)
	b.add(2, "a")
	b.step(Input{Kind: Failed, ID: 1})
	b.now = epoch.Add(time.Minute)
	if got := b.step(Input{}); len(got) != 1 {
		t.Fatalf("sent %v", got)
	}
}

func BenchmarkStep(b *testing.B) {
	q := New(Config{})
	var out Effects
	now, next := epoch, ID(0)
	// A backlog of 100,000 at 1,000 destinations that never answer, and one that does.
	for range 100_000 {
		next++
		q.Step(now, Input{Kind: Add, ID: next, Destination: fmt.Sprint("dead", next%1000), NotAfter: now.Add(time.Hour)}, &out)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		next++
		out.Reset()
		q.Step(now, Input{Kind: Add, ID: next, Account: wire.AccountID{1}, Destination: "live", NotAfter: now.Add(time.Hour)}, &out)
		if len(out.Send) != 0 {
			q.Step(now, Input{Kind: Settled, ID: out.Send[0].ID}, &out)
		}
	}
}
