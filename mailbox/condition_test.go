package mailbox

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"communicator/eventlog"
	"communicator/mailbox/address"
	"communicator/wire"
	"communicator/wire/pb"
)

// failing is a log in a bad condition.
type failing struct {
	eventlog.Log
	health  eventlog.Health
	damaged uint64 // the body that cannot be read
	err     error  // what decisions fail with
}

func (f *failing) Bodies(seqs []uint64, fn func(uint64, []byte, error) bool) error {
	return f.Log.Bodies(seqs, func(seq uint64, body []byte, err error) bool {
		if seq == f.damaged {
			return fn(seq, nil, &eventlog.DamageError{})
		}
		return fn(seq, body, err)
	})
}

func (f *failing) State() eventlog.State { return eventlog.State{Health: f.health} }

func (f *failing) Decide(ctx context.Context, d eventlog.Decision) ([]eventlog.Appended, error) {
	if f.health == eventlog.ReadOnly {
		return nil, eventlog.ErrReadOnly
	}
	if f.err != nil {
		return nil, f.err
	}
	return f.Log.Decide(ctx, d)
}

func TestDamagedOrFullLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{}
		a := newAgent(t, func(c *Config) { f.Log, c.Log = c.Log, f })
		o := a.owner(1)
		to := o.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		a.code(c, a.attempt(to, "stored before"))
		page, _ := o.page(&pb.Collect{})
		ack := &pb.Ack{Positions: []uint64{page[0].Position}}

		f.health = eventlog.ReadOnly
		if resp := a.deliver(c, a.attempt(to, "x")); wire.Status(resp.Status) != wire.StatusReadOnly || resp.RetryAfterSeconds == 0 {
			t.Errorf("put, read-only: %v", wire.Status(resp.Status))
		}
		if got := o.collect(); len(got) != 1 {
			t.Errorf("collected %q", got)
		}
		items := o.items(pb.SignedOp_WATCH, &pb.Watch{})
		if nextItem(t, items).Delivery == nil {
			t.Error("watching does not work read-only")
		}
		items.Close()
		if _, status := o.do(pb.SignedOp_ACK, ack); status != wire.StatusReadOnly {
			t.Errorf("ack, read-only: %v", status)
		}
		if _, status := o.do(pb.SignedOp_CREATE, &pb.Create{}); status != wire.StatusReadOnly {
			t.Errorf("create, read-only: %v", status)
		}
		if _, status := o.do(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_CLOSE}); status != wire.StatusReadOnly {
			t.Errorf("revoke, read-only: %v", status)
		}

		f.health = eventlog.DiskLow
		if resp := a.deliver(c, a.attempt(to, "x")); wire.Status(resp.Status) != wire.StatusStorageFull || resp.RetryAfterSeconds == 0 {
			t.Errorf("put, disk low: %v", wire.Status(resp.Status))
		}
		o.must(pb.SignedOp_ACK, ack)
		if got := o.collect(); len(got) != 0 {
			t.Errorf("the ack erased nothing: %q", got)
		}

		f.health = eventlog.Healthy
		if code := a.code(c, a.attempt(to, "x")); code != address.Stored {
			t.Errorf("put afterwards: %v", code)
		}
	})
}

func TestStorageQuotaAndClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trusted := true
		room := &fakeStorage{left: 100}
		a := newAgent(t, func(c *Config) {
			c.Storage = room
			c.ClockTrusted = func() bool { return trusted }
		})
		o := a.owner(1)
		to := o.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		if code := a.code(c, a.attempt(to, strings.Repeat("x", 100))); code != address.Stored {
			t.Fatalf("first: %v", code)
		}
		if room.left != 0 || room.stored != 100 {
			t.Errorf("%d bytes left, %d stored", room.left, room.stored)
		}
		if resp := a.deliver(c, a.attempt(to, "y")); wire.Status(resp.Status) != wire.StatusStorageFull {
			t.Errorf("over the agent's quota: %v", wire.Status(resp.Status))
		}
		page, _ := o.page(&pb.Collect{})
		o.must(pb.SignedOp_ACK, &pb.Ack{Positions: []uint64{page[0].Position}})
		room.left = 3
		if code := a.code(c, a.attempt(to, "z")); code != address.Stored {
			t.Errorf("after collecting: %v", code)
		}
		// What is not stored gives its room back.
		bad := a.attempt(to, "bad")
		bad.req.Payload = []byte("no")
		for _, p := range []attempt{bad, a.attempt(to, "z")} {
			if resp := a.deliver(c, p); wire.Status(resp.Status) != wire.StatusOK {
				t.Errorf("taken without being stored: %v", wire.Status(resp.Status))
			}
		}
		if room.left != 2 || room.stored != 101 {
			t.Errorf("%d bytes left, %d stored", room.left, room.stored)
		}

		trusted = false
		time.Sleep(30 * 24 * time.Hour)
		if err := a.cfg.Keyring.Rotate(time.Now()); err != nil {
			t.Fatal(err)
		}
		if resp := a.deliver(c, a.attempt(to, "w")); wire.Status(resp.Status) != wire.StatusTryAgain {
			t.Errorf("with a clock that is not trusted: %v", wire.Status(resp.Status))
		}
		if _, status := a.owner(1).do(pb.SignedOp_CREATE, &pb.Create{}); status != wire.StatusTryAgain {
			t.Errorf("create with a clock that is not trusted: %v", status)
		}
		if err := a.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := o.collect(); len(got) != 1 {
			t.Errorf("expired by a clock that is not trusted: %q", got)
		}
	})
}

func TestDamagedDeliveryHidesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{}
		a := newAgent(t, func(c *Config) { f.Log, c.Log = c.Log, f })
		o := a.owner(1)
		to := o.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		for _, payload := range []string{"one", "two", "three"} {
			a.code(c, a.attempt(to, payload))
		}
		page, _ := o.page(&pb.Collect{})
		f.damaged = page[1].Position
		if got := o.collect(); len(got) != 2 || got[0] != "one" || got[1] != "three" {
			t.Errorf("collected %q", got)
		}
		f.damaged = 0
	})
}

func TestFailuresOfTheLogAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{}
		a := newAgent(t, func(c *Config) { f.Log, c.Log = c.Log, f })
		o := a.owner(1)
		to := o.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		for err, want := range map[error]wire.Status{
			eventlog.ErrStorageFull: wire.StatusStorageFull,
			eventlog.ErrReadOnly:    wire.StatusReadOnly,
			eventlog.ErrClosed:      wire.StatusTryAgain,
			eventlog.ErrFailed:      wire.StatusInternal,
		} {
			f.err = err
			bad := a.attempt(to, "bad")
			bad.req.Sealed[1200] ^= 1
			for name, p := range map[string]attempt{"good": a.attempt(to, "x"), "bad": bad} {
				resp := a.deliver(c, p)
				if wire.Status(resp.Status) != want || resp.RetryAfterSeconds == 0 || len(resp.Outcome) != 0 {
					t.Errorf("%s put, %v: %v, retry %d", name, err, wire.Status(resp.Status), resp.RetryAfterSeconds)
				}
			}
		}
		f.err = nil
	})
}

// fakeStorage is a budget of which every byte is known.
type fakeStorage struct {
	mu           sync.Mutex // guards both
	left, stored int
}

func (f *fakeStorage) Take(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n > f.left {
		return false
	}
	f.left -= n
	return true
}

func (f *fakeStorage) Give(n int, stored bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if stored {
		f.stored += n
	} else {
		f.left += n
	}
}
