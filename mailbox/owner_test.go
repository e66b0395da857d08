package mailbox

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"communicator/eventlog"
	"communicator/internal/budget"
	"communicator/mailbox/address"
	"communicator/mailbox/admit"
	"communicator/wire"
	"communicator/wire/pb"
)

func TestSignaturesAreBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t, func(c *Config) { c.Limits.BadRequests = 100 })
		o := a.owner(1)
		to := o.create(0)
		a.code(a.dial(a.ServeDeliver, sendingAgent), a.attempt(to, "mine"))
		good := func() *pb.SignedOp {
			return o.signed(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_CLOSE, Purge: true}).GetSigned()
		}
		_, foreign, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for name, test := range map[string]struct {
			change func(*pb.SignedOp)
			want   wire.Status
		}{
			"flipped":        {func(s *pb.SignedOp) { s.Signature[5] ^= 1 }, wire.StatusAuth},
			"other body":     {func(s *pb.SignedOp) { s.Body = append(s.Body, 0x18, 0) }, wire.StatusAuth},
			"other op":       {func(s *pb.SignedOp) { s.Op = pb.SignedOp_ACK }, wire.StatusAuth},
			"other owner":    {func(s *pb.SignedOp) { s.Owner = foreign.Public().(ed25519.PublicKey) }, wire.StatusAuth},
			"no signature":   {func(s *pb.SignedOp) { s.Signature = nil }, wire.StatusMalformed},
			"short owner":    {func(s *pb.SignedOp) { s.Owner = s.Owner[1:] }, wire.StatusMalformed},
			"unknown op":     {func(s *pb.SignedOp) { s.Op = 99 }, wire.StatusUnsupported},
			"no op":          {func(s *pb.SignedOp) { s.Op = 0 }, wire.StatusUnsupported},
			"oversized body": {func(s *pb.SignedOp) { s.Body = make([]byte, maxOperation+1) }, wire.StatusTooLarge},
		} {
			op := good()
			test.change(op)
			resp := o.call(&pb.MailboxRequest{Op: &pb.MailboxRequest_Signed{Signed: op}})
			if wire.Status(resp.Status) != test.want {
				t.Errorf("%s: %v, want %v", name, wire.Status(resp.Status), test.want)
			}
		}
		// What is signed for one stream works on no other, not even before its hello.
		other := &owner{a: a, c: a.dial(a.ServeMailbox, o.remote), key: o.key, remote: o.remote}
		for _, when := range []string{"before", "after"} {
			resp := other.call(&pb.MailboxRequest{Op: &pb.MailboxRequest_Signed{Signed: good()}})
			if wire.Status(resp.Status) != wire.StatusAuth {
				t.Errorf("replayed %s the hello: %v", when, wire.Status(resp.Status))
			}
			other.hello(1)
		}
		// Nor for another peer.
		o.remote = "somebody-else"
		if _, status := o.do(pb.SignedOp_COLLECT, &pb.Collect{}); status != wire.StatusAuth {
			t.Errorf("signed for another peer: %v", status)
		}
		if got := other.collect(); len(got) != 1 {
			t.Errorf("a refused request changed the mailbox: %q", got)
		}
	})
}

func TestBadRequestsEndTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t, func(c *Config) { c.Limits.BadRequests = 3 })
		o := a.owner(1)
		for i := range 2 {
			if _, status := o.do(pb.SignedOp_REVOKE, &pb.Revoke{}); status != wire.StatusMalformed {
				t.Fatalf("request %d: %v", i, status)
			}
		}
		o.c.Call(t.Context(), o.signed(pb.SignedOp_REVOKE, &pb.Revoke{}), &pb.MailboxResponse{})
		<-o.c.Done()
		if o.c.Err() == nil {
			t.Error("the stream ended without an error")
		}
	})
}

func TestPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		a.access.work = 20
		o := a.owner(0)
		if _, status := o.do(pb.SignedOp_CREATE, &pb.Create{}); status != wire.StatusPermission {
			t.Errorf("create without an account: %v", status)
		}
		if got := o.collect(); len(got) != 0 {
			t.Errorf("collected %q", got)
		}
		a.access.refuse = &wire.StatusError{Status: wire.StatusPermission}
		resp := o.hello(1)
		h := resp.Hello
		if wire.Status(resp.Status) != wire.StatusPermission || h.WorkBits != 20 || len(h.Nonce) != 32 {
			t.Errorf("refused hello: %v, %v", wire.Status(resp.Status), h)
		}
		a.access.refuse = &wire.StatusError{Status: wire.StatusTryAgain, RetryAfter: 1500 * time.Millisecond}
		if resp := o.hello(1); wire.Status(resp.Status) != wire.StatusTryAgain || resp.RetryAfterSeconds != 2 {
			t.Errorf("deferred hello: %v, %d", wire.Status(resp.Status), resp.RetryAfterSeconds)
		}
		a.access.refuse = nil
		resp = o.hello(1)
		h = resp.Hello
		if wire.Status(resp.Status) != wire.StatusOK || h.MailboxQuota != 100 || h.DeliveryQuota != 1024 || h.ByteQuota != 16<<20 {
			t.Errorf("hello: %v", resp)
		}
		o.create(0)
	})
}

func TestCreate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t, func(c *Config) { c.Limits.MailboxesPerAccount = 3 })
		first := a.owner(1)
		to := first.create(0)
		if again := first.create(0); again != to {
			t.Errorf("created again: %+v, want %+v", again, to)
		}
		keys := a.cfg.Keyring.SealingKeys(time.Now())
		if to.Pin != wire.PinOf(a.cfg.Agent, keys[0].Epoch, keys[0].Public) || to.Epoch != keys[0].Epoch {
			t.Error("the pin is not the week's key's")
		}
		if _, status := first.do(pb.SignedOp_CREATE, &pb.Create{Caps: uint32(wire.CapContact)}); status != wire.StatusConflict {
			t.Errorf("other capabilities: %v", status)
		}
		if _, status := first.do(pb.SignedOp_CREATE, &pb.Create{Caps: 64}); status != wire.StatusMalformed {
			t.Errorf("unknown capabilities: %v", status)
		}
		if _, status := first.do(pb.SignedOp_CREATE, &pb.Create{Expires: 5}); status != wire.StatusExpired {
			t.Errorf("past: %v", status)
		}
		contact, lifeline, fourth := a.owner(1), a.owner(1), a.owner(1)
		contact.create(wire.CapContact)
		if l := lifeline.create(wire.CapLifeline); l.Pin != (wire.EpochPin{0xdc}) || l.Epoch != wire.LifelineYearAt(time.Now()) {
			t.Errorf("lifeline: %+v", l)
		}
		resp, status := fourth.do(pb.SignedOp_CREATE, &pb.Create{})
		if status != wire.StatusTryAgain || resp.RetryAfterSeconds == 0 {
			t.Errorf("over the quota: %v, retry %d", status, resp.RetryAfterSeconds)
		}
		a.owner(2).create(0) // another account has room
		for _, mode := range []pb.Revoke_Mode{pb.Revoke_SILENT, pb.Revoke_CLOSE} {
			first.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: mode})
		}
		fourth.create(0)
		if _, status := a.owner(1).do(pb.SignedOp_CREATE, &pb.Create{}); status != wire.StatusTryAgain {
			t.Errorf("one revocation made room for two: %v", status)
		}
		// Every kind takes a put.
		c := a.dial(a.ServeDeliver, sendingAgent)
		if code := a.code(c, a.attempt(lifeline.create(wire.CapLifeline), "l")); code != address.Stored {
			t.Errorf("lifeline: %v", code)
		}
		if code := a.code(c, a.attempt(contact.create(wire.CapContact), "c")); code != address.Stored {
			t.Errorf("contact: %v", code)
		}
	})
}

func TestCreatingIsRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t, func(c *Config) { c.Limits.Creates = budget.Rate{Burst: 2, PerHour: 1} })
		o := a.owner(1)
		o.create(0)
		o.create(0)
		if _, status := o.do(pb.SignedOp_CREATE, &pb.Create{}); status != wire.StatusTryAgain {
			t.Errorf("third: %v", status)
		}
		time.Sleep(time.Hour)
		o.create(0)
	})
}

func TestAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o, other := a.owner(1), a.owner(1)
		to := o.create(0)
		theirs := other.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		for i := range 70 {
			a.code(c, a.attempt(to, fmt.Sprint(i)))
		}
		a.code(c, a.attempt(theirs, "another's"))
		page, _ := o.page(&pb.Collect{})
		foreign, _ := other.page(&pb.Collect{})
		positions := []uint64{0, 1 << 60, foreign[0].Position}
		for _, d := range page {
			positions = append(positions, d.Position, d.Position)
		}
		ack := &pb.Ack{Positions: positions}
		o.must(pb.SignedOp_ACK, ack)
		before := a.events()
		o.must(pb.SignedOp_ACK, ack)
		if a.events() != before {
			t.Error("acknowledging again made an event")
		}
		if got := o.collect(); len(got) != 6 {
			t.Errorf("%d left, want 6", len(got))
		}
		if got := other.collect(); len(got) != 1 {
			t.Error("an ack reached another mailbox")
		}
		if _, status := o.do(pb.SignedOp_ACK, &pb.Ack{Positions: make([]uint64, MaxAckPositions+1)}); status != wire.StatusTooLarge {
			t.Errorf("too many: %v", status)
		}
	})
}

// TestPositionsAreFoundHoweverTheyLie acknowledges any choice of positions, stored or
// not, and compares with looking each up.
func TestPositionsAreFoundHoweverTheyLie(t *testing.T) {
	a := newAgent(t)
	o, other := a.owner(1), a.owner(2)
	o.create(0)
	other.create(0)
	for i := range 400 {
		f := admit.Delivered{Mailbox: o.id(), Replay: admit.ReplayID{byte(i), byte(i >> 8)}, NotAfter: 1}
		if i%3 == 0 {
			f.Mailbox = other.id()
		}
		if _, err := a.log.Append(t.Context(), event(f, []byte{1})); err != nil {
			t.Fatal(err)
		}
	}
	choice := mathrand.New(mathrand.NewPCG(1, 2))
	for _, share := range []float64{1, 0.9, 0.5, 0.1, 0.01} {
		positions := []uint64{0}
		for p := range uint64(500) {
			if choice.Float64() < share {
				positions = append(positions, p+1)
			}
		}
		positions = append(positions, ^uint64(0))
		err := a.log.View(func(tables eventlog.Tables) error {
			r := tables.Table(wire.TableMailbox)
			var want []delivery
			for _, p := range positions {
				d, err := loadDelivery(r, o.id(), p)
				if err != nil {
					return err
				}
				if d != nil {
					want = append(want, *d)
				}
			}
			got, err := findDeliveries(r, o.id(), positions)
			if !slices.Equal(got, want) || len(want) == 0 {
				t.Errorf("of %d positions found %d, not %d", len(positions), len(got), len(want))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestRevokeAndPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o := a.owner(1)
		to := o.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		a.code(c, a.attempt(to, "kept"))
		o.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_CLOSE})
		o.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_CLOSE})
		if code := a.code(c, a.attempt(to, "late")); code != address.Closed {
			t.Errorf("put after closing: %v", code)
		}
		if _, status := o.do(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_SILENT}); status != wire.StatusConflict {
			t.Errorf("silent after loud: %v", status)
		}
		if _, status := o.do(pb.SignedOp_CREATE, &pb.Create{}); status != wire.StatusConflict {
			t.Errorf("created again: %v", status)
		}
		page, _ := o.page(&pb.Collect{})
		if len(page) != 1 {
			t.Fatalf("%d kept", len(page))
		}
		o.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_CLOSE, Purge: true})
		if _, err := a.log.Body(page[0].Position); !errors.Is(err, eventlog.ErrErased) {
			t.Errorf("purged body: %v", err)
		}
		if got := o.collect(); len(got) != 0 {
			t.Errorf("collected %q after the purge", got)
		}
		// The row is gone by now, and that is as good as closed.
		if code := a.code(c, a.attempt(to, "later")); code != address.Closed {
			t.Errorf("put after the row is gone: %v", code)
		}
		o.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_CLOSE, Purge: true})
	})
}
