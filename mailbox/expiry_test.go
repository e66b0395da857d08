package mailbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"communicator/eventlog"
	"communicator/mailbox/address"
	"communicator/mailbox/admit"
	"communicator/wire"
	"communicator/wire/pb"
)

// run keeps the agent up until the returned function stops it.
func (a *agent) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := a.Run(ctx); err != nil {
			a.t.Errorf("run: %v", err)
		}
	})
	return func() { cancel(); done.Wait() }
}

func TestDeliveriesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		defer a.run()()
		o := a.owner(1)
		to := o.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		const early = admit.MaxPositions + 6
		for i := range early {
			a.code(c, a.attempt(to, fmt.Sprint("early ", i)))
		}
		page, _ := o.page(&pb.Collect{MaxItems: 1})
		const between = 26 * time.Hour
		time.Sleep(between)
		a.code(c, a.attempt(to, "late"))
		time.Sleep(a.cfg.Limits.Retention - between - time.Hour)
		if got := o.collect(); len(got) != early+1 {
			t.Fatalf("%d before the retention ends, want %d", len(got), early+1)
		}
		time.Sleep(3 * time.Hour)
		if got := o.collect(); len(got) != 1 || got[0] != "late" {
			t.Errorf("%d afterwards: %q", len(got), got)
		}
		if _, err := a.log.Body(page[0].Position); !errors.Is(err, eventlog.ErrErased) {
			t.Errorf("an expired body: %v", err)
		}
	})
}

func TestVoidMailboxesAndReplaysGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		stop := a.run()
		open, silent, closed := a.owner(1), a.owner(1), a.owner(1)
		c := a.dial(a.ServeDeliver, sendingAgent)
		for _, o := range []*owner{open, silent, closed} {
			to := o.create(0)
			a.code(c, a.attempt(to, "before"))
		}
		toSilent := silent.create(0)
		silent.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_SILENT})
		closed.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_CLOSE})
		time.Sleep(30 * 24 * time.Hour)
		if got := keys(t, a.log, rowReplay); got != 0 {
			t.Errorf("%d replay ids after a month", got)
		}
		if got := keys(t, a.log, rowMailbox); got != 2 {
			t.Errorf("%d rows after a month, want the open and the silent one", got)
		}
		// The silent one stays silent for as long as anybody can write to it.
		time.Sleep(time.Until(toSilent.Expires) - 2*time.Hour)
		last := a.attemptUntil(toSilent, "last", toSilent.Expires.Truncate(time.Hour))
		if code := a.code(c, last); code != address.Stored {
			t.Errorf("silent near its end: %v", code)
		}
		time.Sleep(40 * 24 * time.Hour)
		if kept := rows(t, a.log); len(kept) != 0 {
			t.Errorf("rows at the end: %q", kept)
		}
		stop()
	})
}

// keys counts the rows of one sort.
func keys(t *testing.T, log eventlog.Log, sort byte) (n int) {
	t.Helper()
	err := log.View(func(tables eventlog.Tables) error {
		return tables.Table(wire.TableMailbox).Scan([]byte{sort}, nil, func(_, _ []byte) bool { n++; return true })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestManyMailboxesAreSweptInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		hour := admit.HourAt(time.Now())
		var events []eventlog.Event
		for i := range sweepRows + 40 {
			f := admit.MailboxCreated{Mailbox: wire.MailboxID{byte(i), byte(i >> 8)}, Expires: hour + 2, Slot: admit.Slot{byte(i), byte(i >> 8)}}
			if i%2 == 1 {
				f.Expires += 1000
			}
			events = append(events, event(f, nil))
		}
		if _, err := a.log.Append(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		if err := a.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := keys(t, a.log, rowMailbox); n != (sweepRows+40)/2 {
			t.Errorf("%d mailboxes left of %d", n, sweepRows+40)
		}
		if n := keys(t, a.log, rowSlot); n != (sweepRows+40)/2 {
			t.Errorf("%d slots left", n)
		}
	})
}

func TestManyReplaysAreForgottenInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o := a.owner(1)
		o.create(0)
		o.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_SILENT})
		const total = forgetRows + 20
		for week := range 2 {
			var events []eventlog.Event
			end := admit.HourAt(time.Now()) + admit.Hour(week*7*24)
			for i := range total {
				f := admit.Delivered{Mailbox: o.id(), Replay: admit.ReplayID{byte(i), byte(i >> 8), byte(week)}, NotAfter: end}
				events = append(events, event(f, []byte("x")))
			}
			if _, err := a.log.Append(t.Context(), events...); err != nil {
				t.Fatal(err)
			}
		}
		now := wire.EpochAt(time.Now()).End().Add(replayGrace)
		if err := a.forgetReplays(t.Context(), now.Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
		if n := keys(t, a.log, rowReplay); n != 2*total {
			t.Errorf("%d left within the grace", n)
		}
		if err := a.forgetReplays(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if n := keys(t, a.log, rowReplay); n != total {
			t.Errorf("%d left, want %d of the next week", n, total)
		}
	})
}

func TestClosedStaysClosedAfterPruning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		closed, silent, live := a.owner(1), a.owner(1), a.owner(1)
		toClosed, toSilent, toLive := closed.create(0), silent.create(0), live.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		a.code(c, a.attempt(toClosed, "from before"))
		week := address.NotAfter(time.Now(), 14*24*time.Hour)
		repeated := a.attemptUntil(toLive, "repeated", week)
		a.code(c, repeated)
		closed.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_CLOSE})
		silent.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_SILENT})
		time.Sleep(5 * 24 * time.Hour)
		before := rows(t, a.log)
		if err := a.log.Prune(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := a.log.Rebuild(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(before, rows(t, a.log)) {
			t.Error("rows differ after pruning and rebuilding")
		}
		out := a.outcome(c, repeated)
		if out.Code != address.Stored {
			t.Errorf("repeat: %v", out.Code)
		}
		for to, want := range map[wire.Address]address.OutcomeCode{
			toClosed: address.Closed, toSilent: address.Stored, toLive: address.Stored,
		} {
			if code := a.code(c, a.attempt(to, "later")); code != want {
				t.Errorf("outcome %v, want %v", code, want)
			}
		}
		if got := silent.collect(); len(got) != 0 {
			t.Errorf("the silent mailbox holds %q", got)
		}
		if got := live.collect(); len(got) != 2 {
			t.Errorf("the live mailbox holds %q", got)
		}
		if got := closed.collect(); len(got) != 1 {
			t.Errorf("the closed mailbox holds %q", got)
		}
	})
}

func TestAddressesDieWithTheirEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		defer a.run()()
		o := a.owner(1)
		to := o.create(0)
		time.Sleep(time.Until(to.Expires) - 30*time.Minute)
		c := a.dial(a.ServeDeliver, sendingAgent)
		forged := to
		forged.Expires = to.Expires.Add(24 * time.Hour)
		p := a.attemptUntil(forged, "x", forged.Expires.Truncate(time.Hour))
		if code := a.code(c, p); code != address.Closed {
			t.Errorf("an address that outlives its epoch: %v", code)
		}
		time.Sleep(24 * time.Hour)
		if _, ok := a.cfg.Keyring.AddressSecret(to.Epoch, 0); ok {
			t.Error("the epoch's secret is still there")
		}
		if n := len(a.cfg.Keyring.SealingKeys(time.Now())); n != 2 {
			t.Errorf("%d sealing keys for the descriptor", n)
		}
	})
}
