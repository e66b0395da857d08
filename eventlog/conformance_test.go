package eventlog_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"communicator/eventlog"
	"communicator/eventlog/logtest"
	"communicator/wire/logproof"
)

var (
	testKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32))
	testPub = testKey.Public().(ed25519.PublicKey)
)

// quiet are options for tests: one table, any disk will do, no background work.
func quiet() eventlog.Options {
	return eventlog.Options{
		Signer: testKey, Projections: []eventlog.Projection{logtest.Ledger{}},
		MinFree: -1, MinFreePercent: -1, Ballast: -1, DiskEvery: -1, ScrubEvery: -1,
	}
}

// put is an event of the ledger.
func put(stream, header, body string) eventlog.Event {
	return eventlog.Event{Kind: logtest.Put, Version: 1, Stream: []byte(stream), Header: []byte(header), Body: []byte(body)}
}

func drop(stream string) eventlog.Event {
	return eventlog.Event{Kind: logtest.Drop, Version: 1, Stream: []byte(stream)}
}

func mustAppend(t testing.TB, log eventlog.Log, events ...eventlog.Event) []eventlog.Appended {
	t.Helper()
	a, err := log.Append(t.Context(), events...)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return a
}

// engines runs a test on each engine; open may be called again after a Close and
// finds what was stored.
func engines(t *testing.T, test func(t *testing.T, open func(eventlog.Options) eventlog.Log)) {
	run := func(name string, open func(eventlog.Options) (eventlog.Log, error)) {
		t.Run(name, func(t *testing.T) {
			var logs []eventlog.Log
			test(t, func(o eventlog.Options) eventlog.Log {
				log, err := open(o)
				if err != nil {
					t.Fatalf("open: %v", err)
				}
				logs = append(logs, log)
				return log
			})
			for _, log := range logs {
				if err := log.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}
		})
	}
	memory := new(eventlog.Memory)
	run("memory", func(o eventlog.Options) (eventlog.Log, error) {
		o.Memory = memory
		return eventlog.OpenMemory(o)
	})
	dir := t.TempDir()
	run("badger", func(o eventlog.Options) (eventlog.Log, error) { return eventlog.Open(dir, o) })
}

func check(t testing.TB, log eventlog.Log) {
	t.Helper()
	logtest.CheckLog(t, log, testPub, logtest.LedgerID)
}

func TestAppendReadProve(t *testing.T) {
	engines(t, func(t *testing.T, open func(eventlog.Options) eventlog.Log) {
		log := open(quiet())
		a := mustAppend(t, log, put("a", "one", "body one"), put("b", "two", ""), put("c", "three", "body three"))
		for i, x := range a {
			if x.Seq != uint64(i+1) || x.Duplicate {
				t.Errorf("event %d was appended as %+v", i, x)
			}
			r, err := logproof.VerifyProof(testPub, x.Proof)
			if err != nil || r.Seq != x.Seq {
				t.Errorf("the proof of %d shows %d: %v", x.Seq, r.Seq, err)
			}
		}
		if body, err := log.Body(1); err != nil || string(body) != "body one" {
			t.Errorf("body 1 is %q: %v", body, err)
		}
		for seq, want := range map[uint64]error{2: eventlog.ErrNoRecord, 9: eventlog.ErrNoRecord, 0: eventlog.ErrNoRecord} {
			if _, err := log.Body(seq); !errors.Is(err, want) {
				t.Errorf("body %d: %v", seq, err)
			}
		}
		if _, err := log.Prove(4); !errors.Is(err, eventlog.ErrNoRecord) {
			t.Errorf("proof of what is not there: %v", err)
		}
		mustAppend(t, log, drop("a"))
		if _, err := log.Body(1); !errors.Is(err, eventlog.ErrErased) {
			t.Errorf("an erased body: %v", err)
		}
		if s := log.State(); s.Health != eventlog.Healthy {
			t.Errorf("state is %+v", s)
		}
		check(t, log)
	})
}

func TestIdempotentAppends(t *testing.T) {
	engines(t, func(t *testing.T, open func(eventlog.Options) eventlog.Log) {
		log := open(quiet())
		e := put("a", "one", "body")
		e.Key = []byte("scope:1")
		first := mustAppend(t, log, e)[0]
		mustAppend(t, log, drop("a")) // the content is compared even once the body is gone
		again := mustAppend(t, log, e)[0]
		if again.Seq != first.Seq || !again.Duplicate {
			t.Errorf("the same again gave %+v", again)
		}
		for _, other := range []eventlog.Event{put("a", "one", "other"), put("a", "two", "body"), put("b", "one", "body")} {
			other.Key = e.Key
			if _, err := log.Append(t.Context(), other); !errors.Is(err, eventlog.ErrConflict) {
				t.Errorf("other content: %v", err)
			}
		}
		before := log.Head()
		pair := mustAppend(t, log, e, e)
		if pair[0].Seq != first.Seq || pair[1].Seq != first.Seq || log.Head().Number != before.Number {
			t.Errorf("duplicates made an event: %+v", pair)
		}
		twice := put("z", "", "")
		twice.Key = []byte("scope:2")
		in := mustAppend(t, log, twice, twice)
		if in[0].Duplicate || !in[1].Duplicate || in[0].Seq != in[1].Seq || in[1].Proof == nil {
			t.Errorf("twice in one append gave %+v", in)
		}
		// All or none: a conflict takes the events beside it along.
		conflict := put("q", "", "")
		conflict.Key = e.Key
		if _, err := log.Append(t.Context(), put("q", "", ""), conflict); !errors.Is(err, eventlog.ErrConflict) {
			t.Errorf("conflict: %v", err)
		}
		if last := log.Head(); last.Last() != in[0].Seq {
			t.Errorf("a refused append left events: the log ends at %d", last.Last())
		}
		check(t, log)
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		if a := mustAppend(t, open(quiet()), e)[0]; a.Seq != first.Seq || !a.Duplicate {
			t.Errorf("after opening again: %+v", a)
		}
	})
}

func TestLimits(t *testing.T) {
	engines(t, func(t *testing.T, open func(eventlog.Options) eventlog.Log) {
		log := open(quiet())
		for name, e := range map[string]eventlog.Event{
			"stream": {Stream: make([]byte, eventlog.MaxStream+1)},
			"key":    {Key: make([]byte, eventlog.MaxKey+1)},
			"header": {Header: make([]byte, eventlog.MaxHeader+1)},
			"body":   {Body: make([]byte, eventlog.MaxBody+1)},
		} {
			if _, err := log.Append(t.Context(), e); !errors.Is(err, eventlog.ErrTooLarge) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := log.Append(t.Context(), make([]eventlog.Event, eventlog.MaxEvents+1)...); !errors.Is(err, eventlog.ErrTooLarge) {
			t.Errorf("too many: %v", err)
		}
		many := make([]eventlog.Event, 0, 200)
		for i := range 200 {
			many = append(many, put(fmt.Sprint(i), "", string(make([]byte, eventlog.MaxBody))))
		}
		if _, err := log.Append(t.Context(), many...); !errors.Is(err, eventlog.ErrTooLarge) {
			t.Errorf("more than a transaction: %v", err)
		}
		largest := eventlog.Event{
			Kind: logtest.Put, Stream: make([]byte, eventlog.MaxStream), Key: make([]byte, eventlog.MaxKey),
			Header: make([]byte, eventlog.MaxHeader), Body: make([]byte, eventlog.MaxBody),
		}
		if a := mustAppend(t, log, largest); a[0].Seq != 1 {
			t.Errorf("refused events took sequences: %+v", a)
		}
		check(t, log)
	})
}

func TestDecideSeesWhatIsQueued(t *testing.T) {
	engines(t, func(t *testing.T, open func(eventlog.Options) eventlog.Log) {
		log := open(quiet())
		// Each takes the next number; two may never get the same.
		take := func(_ time.Time, tables eventlog.Tables) ([]eventlog.Event, error) {
			n := 0
			err := tables.Table(logtest.LedgerID).Scan([]byte("n"), nil, func(_, _ []byte) bool {
				n++
				return true
			})
			return []eventlog.Event{put(fmt.Sprintf("n%04d", n), "", "")}, err
		}
		var group sync.WaitGroup
		var mu sync.Mutex
		seen := map[uint64]bool{}
		for range 16 {
			group.Go(func() {
				for range 10 {
					a, err := log.Decide(t.Context(), take)
					if err != nil {
						t.Errorf("decide: %v", err)
						return
					}
					mu.Lock()
					seen[a[0].Seq] = true
					mu.Unlock()
				}
			})
		}
		group.Wait()
		rows := 0
		err := log.View(func(tables eventlog.Tables) error {
			return tables.Table(logtest.LedgerID).Scan([]byte("n"), nil, func(key, _ []byte) bool {
				if string(key) != fmt.Sprintf("n%04d", rows) {
					t.Errorf("row %d is %q", rows, key)
				}
				rows++
				return true
			})
		})
		if err != nil || rows != 160 || len(seen) != 160 {
			t.Errorf("160 decisions made %d rows and %d events: %v", rows, len(seen), err)
		}
		check(t, log)
	})
}

func TestDecisionsThatAppendNothing(t *testing.T) {
	engines(t, func(t *testing.T, open func(eventlog.Options) eventlog.Log) {
		log := open(quiet())
		mustAppend(t, log, put("a", "", ""))
		head := log.Head()
		refused := errors.New("refused")
		_, err := log.Decide(t.Context(), func(time.Time, eventlog.Tables) ([]eventlog.Event, error) { return nil, refused })
		if !errors.Is(err, refused) {
			t.Errorf("a decision's error: %v", err)
		}
		a, err := log.Decide(t.Context(), func(time.Time, eventlog.Tables) ([]eventlog.Event, error) { return nil, nil })
		if err != nil || len(a) != 0 || log.Head() != head {
			t.Errorf("deciding nothing gave %v, %v", a, err)
		}
		if _, err := log.Decide(t.Context(), func(_ time.Time, tables eventlog.Tables) ([]eventlog.Event, error) {
			_, err := tables.Table(99).Get([]byte("x"))
			return nil, err
		}); err == nil {
			t.Error("a table that no projection owns can be read")
		}
		func() {
			defer func() {
				if p := recover(); p != "boom" {
					t.Errorf("recovered %v", p)
				}
			}()
			_, _ = log.Decide(t.Context(), func(time.Time, eventlog.Tables) ([]eventlog.Event, error) { panic("boom") })
		}()
		mustAppend(t, log, put("b", "", "")) // and the log goes on
		check(t, log)
	})
}

func TestTimeNeverRunsBackwards(t *testing.T) {
	engines(t, func(t *testing.T, open func(eventlog.Options) eventlog.Log) {
		now := time.Date(2030, 1, 2, 3, 4, 56, 789, time.UTC)
		o := quiet()
		o.Now = func() time.Time { return now }
		log := open(o)
		mustAppend(t, log, put("a", "", ""))
		now = now.Add(-10 * 365 * 24 * time.Hour)
		mustAppend(t, log, put("b", "", ""))
		now = now.Add(20 * 365 * 24 * time.Hour)
		mustAppend(t, log, put("c", "", ""))
		var times []time.Time
		for r, err := range log.Records(0) {
			if err != nil {
				t.Fatal(err)
			}
			times = append(times, r.Time)
		}
		first := time.Date(2030, 1, 2, 3, 4, 0, 0, time.UTC)
		if len(times) != 3 || !times[0].Equal(first) || !times[1].Equal(first) || !times[2].Equal(now.Truncate(time.Minute)) {
			t.Errorf("times are %v", times)
		}
		check(t, log)
	})
}

func TestPruneKeepsWhatIsInForce(t *testing.T) {
	engines(t, func(t *testing.T, open func(eventlog.Options) eventlog.Log) {
		now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		o := quiet()
		o.Now = func() time.Time { return now }
		log := open(o)
		keyed := put("closed", "revoked", "")
		keyed.Key = []byte("k")
		mustAppend(t, log, keyed)
		for i := range 50 {
			mustAppend(t, log, put("churn", fmt.Sprint(i), "body"))
		}
		mustAppend(t, log, put("kept", "", "still stored"))
		now = now.Add(30 * 24 * time.Hour)
		mustAppend(t, log, put("late", "", ""))
		before := logtest.Rows(t, log, logtest.LedgerID)
		if err := log.Prune(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if got := logtest.Rows(t, log, logtest.LedgerID); !bytes.Equal(got, before) {
			t.Error("pruning changed rows")
		}
		stat, err := log.Stat()
		if err != nil || stat.First != 51 || stat.Last != 53 {
			t.Errorf("kept %d to %d: %v", stat.First, stat.Last, err)
		}
		if body, err := log.Body(52); err != nil || string(body) != "still stored" {
			t.Errorf("a stored body was pruned: %q, %v", body, err)
		}
		if _, err := log.Prove(1); !errors.Is(err, eventlog.ErrNoRecord) {
			t.Errorf("a pruned header: %v", err)
		}
		check(t, log) // rebuilds: what was closed must stay closed
		if a := mustAppend(t, log, keyed)[0]; a.Duplicate {
			t.Error("a key outlived its event's header")
		}
		for range 2 {
			if err := log.Prune(t.Context(), now.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			mustAppend(t, log, put("more", "", ""))
		}
		check(t, log)
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		log = open(o)
		check(t, log)
		if s := log.State(); s.Health != eventlog.Healthy {
			t.Errorf("after opening again: %+v", s)
		}
	})
}

func TestOpenWithOtherTablesRebuilds(t *testing.T) {
	engines(t, func(t *testing.T, open func(eventlog.Options) eventlog.Log) {
		log := open(quiet())
		mustAppend(t, log, put("a", "x", ""), put("b", "y", ""))
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		o := quiet()
		o.Projections = append(o.Projections, counter{})
		log = open(o)
		if got := logtest.Rows(t, log, counter{}.ID()); !bytes.Contains(got, []byte("=0000000000000002")) {
			t.Errorf("the new table is %s", got)
		}
		logtest.CheckLog(t, log, testPub, logtest.LedgerID, counter{}.ID())
	})
}

// counter counts events.
type counter struct{}

func (counter) Name() string { return "counter" }
func (counter) ID() byte     { return 8 }
func (counter) Apply(w eventlog.Writer, _ eventlog.Record, _ []byte) error {
	old, err := w.Get([]byte("n"))
	if err != nil {
		return err
	}
	n := uint64(0)
	if old != nil {
		n = binary.BigEndian.Uint64(old)
	}
	return w.Set([]byte("n"), binary.BigEndian.AppendUint64(nil, n+1))
}

func TestContextAndClose(t *testing.T) {
	engines(t, func(t *testing.T, open func(eventlog.Options) eventlog.Log) {
		log := open(quiet())
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := log.Append(ended, put("a", "", "")); !errors.Is(err, context.Canceled) {
			t.Errorf("an append whose caller left: %v", err)
		}
		mustAppend(t, log, put("b", "", ""))
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := log.Append(t.Context(), put("c", "", "")); !errors.Is(err, eventlog.ErrClosed) {
			t.Errorf("append after close: %v", err)
		}
		if err := log.View(func(eventlog.Tables) error { return nil }); !errors.Is(err, eventlog.ErrClosed) {
			t.Errorf("view after close: %v", err)
		}
		if err := log.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	})
}

// badTable's invariant breaks at the event whose header says so.
type badTable struct{ logtest.Ledger }

func (b badTable) Apply(w eventlog.Writer, r eventlog.Record, body []byte) error {
	if string(r.Header) == "break" {
		return errors.New("broken invariant")
	}
	return b.Ledger.Apply(w, r, body)
}

func TestABrokenInvariantStopsTheLog(t *testing.T) {
	engines(t, func(t *testing.T, open func(eventlog.Options) eventlog.Log) {
		o := quiet()
		o.Projections = []eventlog.Projection{badTable{}}
		var reason error
		o.OnFail = func(err error) { reason = err }
		log := open(o)
		mustAppend(t, log, put("a", "", ""))
		if _, err := log.Append(t.Context(), put("b", "break", "")); !errors.Is(err, eventlog.ErrFailed) || reason == nil {
			t.Errorf("the event itself: %v, reason %v", err, reason)
		}
		if _, err := log.Append(t.Context(), put("c", "", "")); !errors.Is(err, eventlog.ErrFailed) {
			t.Errorf("the next one: %v", err)
		}
		if s := log.State(); s.Health != eventlog.Failed {
			t.Errorf("state is %+v", s)
		}
	})
}
