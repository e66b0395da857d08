package mailbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"communicator/eventlog"
	"communicator/mailbox/address"
	"communicator/mailbox/admit"
	"communicator/wire"
	"communicator/wire/logproof"
	"communicator/wire/pb"
)

func TestRepeatIsStoredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o := a.owner(1)
		to := o.create(0)
		p := a.attempt(to, "once")
		before := a.events()
		var all sync.WaitGroup
		for range 8 {
			c := a.dial(a.ServeDeliver, sendingAgent)
			all.Go(func() {
				if code := a.code(c, p); code != address.Stored {
					t.Errorf("outcome %v", code)
				}
			})
		}
		all.Wait()
		if n := a.events() - before; n != 1 {
			t.Errorf("%d events for one put", n)
		}
		if got := o.collect(); len(got) != 1 {
			t.Errorf("collected %q", got)
		}
		// Sealed again, from another agent, with another end: still the same put.
		c := a.dial(a.ServeDeliver, "another-agent")
		week := a.attemptUntil(to, "once", address.NotAfter(time.Now(), 14*24*time.Hour))
		if code := a.code(c, week); code != address.Stored || a.events()-before != 1 {
			t.Errorf("another end: %v, %d events", code, a.events()-before)
		}
		// Known even after it was collected, after the mailbox was closed and after a
		// rebuild.
		page, _ := o.page(&pb.Collect{})
		o.must(pb.SignedOp_ACK, &pb.Ack{Positions: []uint64{page[0].Position}})
		o.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_CLOSE})
		if err := a.log.Rebuild(t.Context()); err != nil {
			t.Fatal(err)
		}
		out := a.outcome(c, p)
		if out.Code != address.Stored {
			t.Errorf("repeat after closing: %v", out.Code)
		}
		if record := a.verifyReceipt(out.Receipt, ""); record.Seq != page[0].Position {
			t.Errorf("the repeat's receipt is for event %d, not %d", record.Seq, page[0].Position)
		}
		if code := a.code(c, a.attempt(to, "new")); code != address.Closed {
			t.Errorf("a new put after closing: %v", code)
		}
	})
}

func TestReplayIsRememberedAcrossWeeks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o := a.owner(1)
		to := o.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		p := a.attemptUntil(to, "slow", address.NotAfter(time.Now(), 14*24*time.Hour))
		a.code(c, p)
		before := a.events()
		for day := range 13 {
			time.Sleep(24 * time.Hour)
			if err := a.rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := a.forgetReplays(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
			if code := a.code(c, p); code != address.Stored {
				t.Fatalf("day %d: %v", day+1, code)
			}
		}
		if n := a.events() - before; n != 0 {
			t.Errorf("%d events from repeats", n)
		}
		time.Sleep(2 * 24 * time.Hour)
		if resp := a.deliver(c, p); wire.Status(resp.Status) != wire.StatusExpired {
			t.Errorf("after its end: %v", wire.Status(resp.Status))
		}
	})
}

// TestStoredIsSeenAfterARestart reads the ids of a log into a new service, and offers it
// puts before and after.
func TestStoredIsSeenAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		to := a.owner(1).create(0)
		first := a.attempt(to, "first")
		a.code(a.dial(a.ServeDeliver, sendingAgent), first)
		mb := a.owner(1).create(0).Mailbox
		var events []eventlog.Event
		for i := range seenRows + 500 { // more than one page
			f := admit.Delivered{Mailbox: mb, NotAfter: admit.HourAt(time.Now())}
			binary.BigEndian.PutUint64(f.Replay[:], uint64(i)*0x9e3779b97f4a7c15)
			binary.BigEndian.PutUint64(f.Replay[8:], uint64(i)*0xbf58476d1ce4e5b9)
			events = append(events, event(f, []byte{1}))
		}
		for part := range slices.Chunk(events, 1000) {
			if _, err := a.log.Append(t.Context(), part...); err != nil {
				t.Fatal(err)
			}
		}
		again := newService(a.cfg)
		again.startWorkers()
		b := &agent{t: t, Service: again, log: a.log}
		defer b.close()
		c := b.dial(b.ServeDeliver, sendingAgent)
		before := b.events()
		if b.code(c, first) != address.Stored || b.events() != before {
			t.Error("a repeat before anything was read")
		}
		second := b.attempt(to, "second") // stored while nothing has been read
		b.code(c, second)
		if err := b.seen.load(t.Context(), b.log); err != nil {
			t.Fatal(err)
		}
		before = b.events()
		for _, p := range []attempt{first, second} {
			if b.code(c, p) != address.Stored || b.events() != before {
				t.Error("a repeat after reading")
			}
		}
		wrong, week := 0, admit.HourAt(time.Now()).Week()
		for i := range 1000 {
			var id admit.ReplayID
			binary.BigEndian.PutUint64(id[:], uint64(i)*0x94d049bb133111eb+1)
			binary.BigEndian.PutUint64(id[8:], uint64(i)*0xd6e8feb86659fd93+1)
			if b.seen.may(week, id) {
				wrong++
			}
		}
		if wrong > 10 || b.seen.may(week+9, admit.ReplayID{}) {
			t.Errorf("%d of 1000 new ids seem to be known", wrong)
		}
		b.seen.forget(week + 1)
		if b.seen.may(week, admit.ReplayID{}) {
			t.Error("a week that is over is remembered")
		}
	})
}

func TestLastPlaceIsTakenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t, func(c *Config) { c.Limits.Quotas.Deliveries = 5 })
		o := a.owner(1)
		to := o.create(0)
		var mu sync.Mutex
		codes := map[address.OutcomeCode]int{}
		var all sync.WaitGroup
		for i := range 12 {
			c, p := a.dial(a.ServeDeliver, sendingAgent), a.attempt(to, fmt.Sprint("put ", i))
			all.Go(func() {
				code := a.code(c, p)
				mu.Lock()
				defer mu.Unlock()
				codes[code]++
			})
		}
		all.Wait()
		if codes[address.Stored] != 5 || codes[address.Full] != 7 {
			t.Errorf("outcomes %v", codes)
		}
		// Collecting makes room.
		page, _ := o.page(&pb.Collect{})
		o.must(pb.SignedOp_ACK, &pb.Ack{Positions: []uint64{page[0].Position}})
		c := a.dial(a.ServeDeliver, sendingAgent)
		if code := a.code(c, a.attempt(to, "again")); code != address.Stored {
			t.Errorf("after an ack: %v", code)
		}
	})
}

func TestByteQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t, func(c *Config) { c.Limits.Quotas.Bytes = 100 })
		o := a.owner(1)
		to := o.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		for i, want := range []address.OutcomeCode{address.Stored, address.Full, address.Stored} {
			payload := strings.Repeat("x", []int{60, 41, 40}[i])
			out := a.outcome(c, a.attempt(to, payload))
			if out.Code != want {
				t.Errorf("put %d: %v, want %v", i, out.Code, want)
			}
			if out.Code == address.Full && out.RetryAfter != a.cfg.Limits.Quotas.FullRetry {
				t.Errorf("retry after %v", out.RetryAfter)
			}
		}
	})
}

func TestSilentRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t, func(c *Config) { c.Limits.Quotas.Deliveries = 2 })
		silent, live := a.owner(1), a.owner(1)
		c := a.dial(a.ServeDeliver, sendingAgent)
		toSilent, toLive := silent.create(0), live.create(0)
		a.code(c, a.attempt(toSilent, "from before"))
		silent.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_SILENT})

		first := a.attempt(toSilent, "into the void")
		for _, p := range []attempt{first, a.attempt(toSilent, "x"), a.attempt(toSilent, "y")} {
			before := a.events()
			out := a.outcome(c, p)
			if out.Code != address.Stored || a.events() != before+1 {
				t.Fatalf("outcome %v, %d events", out.Code, a.events()-before)
			}
			record := a.verifyReceipt(out.Receipt, string(p.req.Payload))
			if _, err := a.log.Body(record.Seq); !errors.Is(err, eventlog.ErrErased) {
				t.Errorf("the body was kept: %v", err)
			}
		}
		if got := silent.collect(); len(got) != 1 || got[0] != "from before" {
			t.Errorf("collected %q", got)
		}

		// Asking twice tells nothing either.
		p := a.attempt(toLive, "into a mailbox")
		a.code(c, p)
		var again [2]*logproof.Proof
		for i, p := range []attempt{first, p} {
			out := a.outcome(c, p)
			if out.Code != address.Stored {
				t.Fatalf("repeat: %v", out.Code)
			}
			proof, err := logproof.ParseProof(out.Receipt)
			if err != nil {
				t.Fatal(err)
			}
			again[i] = proof
		}
		if again[0].Salt != nil || again[1].Salt != nil || len(again[0].Record) != len(again[1].Record) {
			t.Error("receipts of repeats tell a silent mailbox from a live one")
		}
		silent.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_CLOSE})
		if code := a.code(c, a.attempt(toSilent, "z")); code != address.Closed {
			t.Errorf("loudly closed later: %v", code)
		}
	})
}

// What the operator has must not tell who talks to whom.
func TestNothingOfTheSenderIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		a := newAgent(t, func(c *Config) { c.Logger = debugLogger(&logged) })
		o := a.owner(0xc7)
		to := o.create(0)
		p := a.attempt(to, "the payload canary")
		other := a.owner(0xc7)
		other.create(0)
		a.code(a.dial(a.ServeDeliver, "canary-of-the-peer"), p)
		bad := a.attempt(to, "a refused payload canary")
		bad.req.Sealed[1200] ^= 1
		a.deliver(a.dial(a.ServeDeliver, "canary-of-the-peer"), bad)

		kept := rows(t, a.log)
		for r, err := range a.log.Records(1) {
			if err != nil {
				t.Fatal(err)
			}
			kept = fmt.Appendf(kept, "%s %s %s\n", r.Stream, r.Header, r.BodyHash[:])
		}
		account := wire.Credential(credential(0xc7)).Account()
		hash := wire.HashPayload(p.req.Payload)
		for name, canary := range map[string][]byte{
			"peer": []byte("canary-of-the-peer"), "owner's peer": []byte(o.remote), "credential": credential(0xc7),
			"account": account[:], "address key": to.Key[:], "seal": p.req.Sealed[:32], "payload hash": hash[:16],
			"payload": p.req.Payload, "refused payload": bad.req.Payload, "owner key": o.key[32:],
		} {
			if bytes.Contains(kept, canary) {
				t.Errorf("the log keeps the %s outside of bodies", name)
			}
			if bytes.Contains(logged.Bytes(), canary) || strings.Contains(logged.String(), fmt.Sprintf("%x", canary)) {
				t.Errorf("the operator's log tells the %s", name)
			}
		}
		if id := o.id(); strings.Contains(logged.String(), fmt.Sprintf("%x", id[:])) || logged.Len() == 0 {
			t.Error("the operator's log tells the mailbox, or nothing at all")
		}
	})
}
