package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"communicator/eventlog"
	"communicator/mailbox/address"
	"communicator/node/config"
	"communicator/relay"
	"communicator/relay/receipt"
	"communicator/wire"
)

// TestBudgetCountsWhatIsUnderWay takes room while the log's count stands still.
func TestBudgetCountsWhatIsUnderWay(t *testing.T) {
	var now time.Duration
	held, broken := uint64(40), error(nil)
	b := &capacity{max: 100, now: func() time.Duration { return now }, at: -measureEvery,
		measure: func() (uint64, error) { return held, broken }}
	for i, c := range []struct {
		do   func() bool
		want bool
	}{
		{func() bool { return b.Take(61) }, false},
		{func() bool { return b.Take(60) }, true},
		{func() bool { return b.Take(1) }, false},
		{func() bool { b.Give(60, false); return b.Take(60) }, true},
		{func() bool { b.Give(60, true); return b.Take(1) }, false}, // stored since the count
		{func() bool { held = 0; return b.Take(1) }, false},         // the count is remembered
		{func() bool { now += measureEvery; return b.Take(100) }, true},
		{func() bool { now += measureEvery; return b.Take(1) }, false}, // under way, not in the count
		{func() bool { b.Give(100, true); held = 100; now += measureEvery; return b.Take(1) }, false},
		{func() bool { broken, held = errors.New("unreadable"), 0; now += measureEvery; return b.Take(1) }, false},
		{func() bool { broken = nil; now += measureEvery; return b.Take(100) }, true},
	} {
		if got := c.do(); got != c.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	if endless := newCapacity(0, nil, nil); !endless.Take(1 << 40) {
		t.Error("a budget without a maximum is spent")
	}
}

// TestBudgetIsNeverPassed takes from many goroutines, with counts in between.
func TestBudgetIsNeverPassed(t *testing.T) {
	const most = 1000
	var mu sync.Mutex // guards all
	stored, peak := uint64(0), uint64(0)
	var now time.Duration
	b := &capacity{max: most, at: -measureEvery,
		now: func() time.Duration { mu.Lock(); defer mu.Unlock(); now += measureEvery / 10; return now },
		measure: func() (uint64, error) {
			mu.Lock()
			defer mu.Unlock()
			return stored, nil
		}}
	var all sync.WaitGroup
	for who := range 8 {
		all.Go(func() {
			for i := range 300 {
				n := 1 + (who*31+i*17)%50
				if !b.Take(n) {
					mu.Lock()
					stored -= min(stored, 20) // somebody collects
					mu.Unlock()
					continue
				}
				keep := i%3 != 0
				if keep {
					mu.Lock()
					stored += uint64(n)
					peak = max(peak, stored)
					mu.Unlock()
				}
				b.Give(n, keep)
			}
		})
	}
	all.Wait()
	if peak > most || peak < most/2 {
		t.Errorf("at most %d of %d were stored", peak, most)
	}
}

// TestStorageIsOneBudget fills a node through its sending role: the receiving role takes
// nothing more, and the other way round; what was accepted stays, and making room helps.
func TestStorageIsOneBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const max = 64 << 10
		log, err := eventlog.OpenMemory(eventlog.Options{Signer: ed25519.NewKeyFromSeed(make([]byte, 32)), Projections: Projections(), Growing: growing})
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		start := time.Now()
		b := newCapacity(max, log, func() time.Duration { return time.Since(start) })
		sending := budgetedLog{log, b}
		submit := func(n byte, size int) error {
			_, err := sending.Append(context.Background(), submission(t, n, size))
			return err
		}
		if err := submit(1, 40<<10); err != nil {
			t.Fatal(err)
		}
		if b.Take(30 << 10) {
			t.Error("the receiving role has the room that the sending one took")
		}
		if !b.Take(10 << 10) {
			t.Fatal("the receiving role got nothing of what is left")
		}
		if err := submit(2, 20<<10); !errors.Is(err, eventlog.ErrStorageFull) {
			t.Errorf("over the budget: %v", err)
		}
		if err := submit(1, 40<<10); err != nil {
			t.Errorf("a repeat of what was accepted: %v", err)
		}
		if err := submit(1, 39<<10); !errors.Is(err, eventlog.ErrConflict) {
			t.Errorf("the same handle with other content: %v", err)
		}
		b.Give(10<<10, false)
		time.Sleep(measureEvery)
		if err := submit(2, 20<<10); err != nil {
			t.Errorf("with room again: %v", err)
		}
		if stat, err := log.Stat(); err != nil || stat.BodyBytes > max || stat.Bodies != 2 {
			t.Errorf("%d bodies of %d bytes, %v", stat.Bodies, stat.BodyBytes, err)
		}
	})
}

// submission is the event of a message of about size bytes.
func submission(t *testing.T, n byte, size int) eventlog.Event {
	t.Helper()
	h := wire.Handle{n}.Hash()
	body, err := receipt.SubmissionBody{
		URI: "/ip4/192.0.2.1/tcp/1", Sealed: make([]byte, wire.SealedSize), Payload: make([]byte, size),
		NotAfter: time.Now().Truncate(time.Hour).Add(2 * time.Hour),
	}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return eventlog.Event{Kind: relay.KindSubmitted, Version: 1, Stream: h[:], Key: append([]byte("submit"), h[:]...), Body: body}
}

// TestStorageMaxRefusesBothRoles fills a node with deliveries: it then takes neither
// more of them nor submissions, and collecting makes room for both.
func TestStorageMaxRefusesBothRoles(t *testing.T) {
	c := onDisk(initDir(t))
	c.Overrides = func(c *config.Config) { c.Storage.Max = 1 << 30 }
	start, skipped := time.Now(), new(atomic.Int64)
	c.Mono = func() time.Duration { return time.Since(start) + time.Duration(skipped.Load()) }
	full, other := run(t, c), run(t, onDisk(initDir(t)))
	full.storage.mu.Lock()
	full.storage.max = 12 << 10 // less than any configuration may say
	full.storage.mu.Unlock()
	defer full.end()
	defer other.end()
	ctx := t.Context()
	p := newPerson(t, nil, time.Now)
	defer p.close()
	at, via := p.at(ctx, full.token(1)), p.at(ctx, other.token(1))
	here, there := p.makeBox(ctx, full.URI()), p.makeBox(ctx, other.URI())
	for i := range 2 {
		if o := p.outcome(ctx, via, submit(t, p, here, i)); o.Code != address.Stored {
			t.Fatalf("delivery %d: %v", i, o.Code)
		}
	}
	submit(t, p, here, 2) // waits at the other node
	mail := p.prepare(there, numbered(0))
	if _, err := at.Submit(ctx, mail.Submission); refusal(t, err) != wire.StatusStorageFull {
		t.Errorf("a submission to a full node: %v", err)
	}
	payloads, positions := p.collect(ctx, at, here)
	checkDelivery(t, payloads, map[int]bool{0: true, 1: true}, 3)
	if err := at.Ack(ctx, here.owner, positions); err != nil {
		t.Fatal(err)
	}
	skipped.Store(int64(measureEvery)) // the count is read again
	if _, err := at.Submit(ctx, mail.Submission); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if o := p.outcome(ctx, at, mail); o.Code != address.Stored {
		t.Errorf("the message that was refused first: %v", o.Code)
	}
}
