package eventlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"communicator/eventlog"
	"communicator/eventlog/logtest"
	"communicator/internal/testenv"
)

// TestReclaimBesideErasing: whether few bodies were erased or most, they leave the
// files, and those that are read and erased meanwhile stay what they are.
func TestReclaimBesideErasing(t *testing.T) {
	dir := t.TempDir()
	log, err := eventlog.Open(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	const n, size = 3000, 4000
	body := func(i int) string { return strings.Repeat(fmt.Sprintf("%07d.", i), size/8) }
	for i := 0; i < n; i += 100 {
		var events []eventlog.Event
		for k := range 100 {
			events = append(events, put(fmt.Sprint(i+k), "", body(i+k)))
		}
		mustAppend(t, log, events...)
	}
	erased := make([]bool, n)
	erase := func(some func(i int) bool) {
		for i := range n {
			if some(i) && !erased[i] {
				erased[i] = true
				mustAppend(t, log, drop(fmt.Sprint(i)))
			}
		}
	}
	intact := func(what string) {
		for i := range n {
			got, err := log.Body(uint64(i + 1))
			if erased[i] != errors.Is(err, eventlog.ErrErased) || !erased[i] && string(got) != body(i) {
				t.Fatalf("%s: body %d: %d bytes, %v", what, i, len(got), err)
			}
		}
	}
	erase(func(i int) bool { return i%50 == 7 })
	if err := log.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	intact("wiped")
	if files := imageOf(t, dir); files.count("0000007.") > 0 || files.count("0000008.") == 0 {
		t.Error("a few erased bodies are still in the files, or others are not")
	}
	erase(func(i int) bool { return i%10 != 3 && i < n-100 })
	var beside sync.WaitGroup
	beside.Go(func() { erase(func(i int) bool { return i >= n-100 && i%2 == 0 }) })
	err = log.Reclaim(t.Context())
	beside.Wait()
	if err != nil {
		t.Fatal(err)
	}
	intact("rewritten")
	if err := log.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	intact("rewritten again")
	if files := imageOf(t, dir); files.count("0000011.") > 0 || files.count("0000013.") == 0 {
		t.Error("erased bodies are still in the files, or others are not")
	}
	check(t, log)
}

// TestReadingBesideReclaim: values that move while a page is read are not taken for
// damaged ones.
func TestReadingBesideReclaim(t *testing.T) {
	log, err := eventlog.Open(t.TempDir(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	const n = 400
	var seqs []uint64
	for i := range uint64(n) {
		mustAppend(t, log, put(fmt.Sprint(i), "", strings.Repeat("body", 500)))
		if i%3 == 0 {
			seqs = append(seqs, i+1)
		}
	}
	reclaimed := make(chan error, 1)
	go func() {
		var err error
		for i := range n {
			if i%3 == 1 && err == nil {
				_, err = log.Append(t.Context(), drop(fmt.Sprint(i)))
			}
			if i%100 == 99 && err == nil {
				err = log.Reclaim(t.Context())
			}
		}
		reclaimed <- err
	}()
	for {
		err := log.Bodies(seqs, func(seq uint64, body []byte, err error) bool {
			if err != nil || len(body) != 2000 {
				t.Errorf("event %d: %d bytes, %v", seq, len(body), err)
			}
			return err == nil
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-reclaimed:
			if err != nil {
				t.Fatal(err)
			}
			check(t, log)
			return
		default:
		}
	}
}

// TestAppendsGoOnBesidePrune: an append waits for a part of a prune, not for all.
func TestAppendsGoOnBesidePrune(t *testing.T) {
	var clock sync.Mutex
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	o := quiet()
	o.Now = func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		return now
	}
	log, err := eventlog.Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n := testenv.Times(20_000, 1_000_000)
	for i := 0; i < n; i += 500 {
		events := make([]eventlog.Event, 500)
		for k := range events {
			events[k] = put(fmt.Sprint(i+k), "", "")
			events[k].Key = fmt.Append(nil, i+k)
		}
		mustAppend(t, log, events...)
	}
	clock.Lock()
	now = now.Add(48 * time.Hour)
	horizon := now
	clock.Unlock()
	mustAppend(t, log, put("late", "", ""))
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- log.Prune(t.Context(), horizon) }()
	var longest, took time.Duration
	appended := 0
	for pruning := true; pruning; appended++ {
		begin := time.Now()
		mustAppend(t, log, put("beside", "", ""))
		longest = max(longest, time.Since(begin))
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			pruning, took = false, time.Since(began)
		default:
		}
	}
	t.Logf("%d events were pruned in %v; %d appends beside took %v at most", n, took, appended, longest)
	// Few appends would fit in if it held the writer. How long one takes says something in
	// the long form alone: a short prune is over within a stutter of the machine.
	if appended < 5 || testenv.Soak() && longest > took/2 {
		t.Errorf("%d appends beside a prune of %v took up to %v", appended, took, longest)
	}
	stat, err := log.Stat()
	if err != nil || stat.First <= uint64(n)-500 {
		t.Errorf("kept from %d: %v", stat.First, err)
	}
	if a := mustAppend(t, log, eventlog.Event{Kind: logtest.Put, Stream: []byte("0"), Key: []byte("0")}); a[0].Duplicate {
		t.Error("a pruned key is remembered")
	}
	check(t, log)
}

// TestManyBodiesAtOnce reads them as Body does, in the order asked for.
func TestManyBodiesAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, open func(eventlog.Options) eventlog.Log) {
		log := open(quiet())
		for i := range 60 {
			mustAppend(t, log, put(fmt.Sprint(i), "h", strings.Repeat(fmt.Sprint(i, "."), i%3*200+1)))
		}
		mustAppend(t, log, put("none", "", ""), drop("7"))
		seqs := []uint64{1, 3, 8, 9, 59, 61, 99, 2}
		read := 0
		err := log.Bodies(seqs, func(seq uint64, body []byte, err error) bool {
			want, wantErr := log.Body(seqs[read])
			if seq != seqs[read] || !bytes.Equal(body, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("event %d gave %d bytes, %v; alone %d bytes, %v", seq, len(body), err, len(want), wantErr)
			}
			read++
			return true
		})
		if err != nil || read != len(seqs) {
			t.Errorf("%d of %d were read: %v", read, len(seqs), err)
		}
		read = 0
		err = log.Bodies(seqs, func(uint64, []byte, error) bool { read++; return read < 3 })
		if err != nil || read != 3 {
			t.Errorf("%d were read after it was enough: %v", read, err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		if err := log.Bodies(seqs, nil); !errors.Is(err, eventlog.ErrClosed) {
			t.Errorf("after close: %v", err)
		}
	})
}
