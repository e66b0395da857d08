package mailbox

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/eventlog"
	"communicator/internal/budget"
	"communicator/mailbox/address"
	"communicator/wire"
	"communicator/wire/logproof"
	"communicator/wire/pb"
)

const sendingAgent = peer.ID("a-sending-agent")

func TestJourney(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o := a.owner(1)
		c := a.dial(a.ServeDeliver, sendingAgent)
		p := a.attempt(o.create(0), "hello")
		out := a.outcome(c, p)
		if out.Code != address.Stored {
			t.Fatalf("outcome %v", out.Code)
		}
		a.verifyReceipt(out.Receipt, "hello")

		page, last := o.page(&pb.Collect{})
		if len(page) != 1 || string(page[0].Payload) != "hello" || last.More {
			t.Fatalf("collected %v, more %v", page, last.More)
		}
		if got := time.Unix(int64(page[0].Received), 0); got.Minute() != 0 || time.Since(got) > time.Hour {
			t.Errorf("received at %v", got)
		}
		position := page[0].Position
		o.must(pb.SignedOp_ACK, &pb.Ack{Positions: []uint64{position}})
		if _, err := a.log.Body(position); !errors.Is(err, eventlog.ErrErased) {
			t.Errorf("body after the ack: %v", err)
		}
		if left := o.collect(); len(left) != 0 {
			t.Errorf("collected again: %q", left)
		}
	})
}

// verifyReceipt checks that a receipt holds, and that it shows the payload.
func (a *agent) verifyReceipt(receipt []byte, payload string) logproof.Record {
	a.t.Helper()
	proof, err := logproof.ParseProof(receipt)
	if err != nil {
		a.t.Fatalf("receipt: %v", err)
	}
	record, err := logproof.VerifyProof(a.root.Public().(ed25519.PublicKey), proof)
	if err != nil {
		a.t.Fatalf("receipt: %v", err)
	}
	if payload != "" && (len(proof.Salt) == 0 || !record.MatchesBody((*[logproof.SaltSize]byte)(proof.Salt), []byte(payload))) {
		a.t.Errorf("the receipt does not show the payload")
	}
	return record
}

func TestRefusedInTheClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		o := a.owner(1)
		to := o.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		soon := uint64(address.NotAfter(time.Now(), time.Hour).Unix())
		for name, test := range map[string]struct {
			change func(*pb.DeliverRequest)
			want   wire.Status
		}{
			"no key id":        {func(r *pb.DeliverRequest) { r.KeyId = nil }, wire.StatusMalformed},
			"long key id":      {func(r *pb.DeliverRequest) { r.KeyId = make([]byte, 9) }, wire.StatusMalformed},
			"short seal":       {func(r *pb.DeliverRequest) { r.Sealed = r.Sealed[1:] }, wire.StatusMalformed},
			"long seal":        {func(r *pb.DeliverRequest) { r.Sealed = append(r.Sealed, 0) }, wire.StatusMalformed},
			"no payload":       {func(r *pb.DeliverRequest) { r.Payload = nil }, wire.StatusMalformed},
			"long payload":     {func(r *pb.DeliverRequest) { r.Payload = make([]byte, wire.MaxPayload+1) }, wire.StatusTooLarge},
			"not a whole hour": {func(r *pb.DeliverRequest) { r.NotAfter = soon + 1 }, wire.StatusMalformed},
			"past":             {func(r *pb.DeliverRequest) { r.NotAfter = uint64(time.Now().Unix()) }, wire.StatusExpired},
			"long past":        {func(r *pb.DeliverRequest) { r.NotAfter = 0 }, wire.StatusExpired},
			"too far ahead":    {func(r *pb.DeliverRequest) { r.NotAfter += 15 * 24 * 3600 }, wire.StatusMalformed},
			"out of range":     {func(r *pb.DeliverRequest) { r.NotAfter = 1 << 63 }, wire.StatusMalformed},
		} {
			p := a.attempt(to, "payload")
			test.change(p.req)
			before := a.events()
			resp := a.deliver(c, p)
			if wire.Status(resp.Status) != test.want || len(resp.Outcome) != 0 {
				t.Errorf("%s: %v with %d bytes, want %v", name, wire.Status(resp.Status), len(resp.Outcome), test.want)
			}
			if a.events() != before {
				t.Errorf("%s: an event was made", name)
			}
		}
		if out := a.code(c, a.attempt(to, "still works")); out != address.Stored {
			t.Errorf("afterwards: %v", out)
		}
	})
}

// variant is a put that differs from a good one only in what must not show.
type variant struct {
	put  attempt
	code address.OutcomeCode // 0: nothing can be opened
}

// variants makes one put of each kind, all of the same size.
func (a *agent) variants() map[string]variant {
	full := a.cfg.Limits.Quotas.Deliveries
	c := a.dial(a.ServeDeliver, "filler")
	live, closed, silent, filled := a.owner(1), a.owner(1), a.owner(1), a.owner(1)
	to := map[string]wire.Address{
		"live": live.create(0), "closed": closed.create(0), "silent": silent.create(0), "full": filled.create(0),
	}
	closed.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_CLOSE})
	silent.must(pb.SignedOp_REVOKE, &pb.Revoke{Mode: pb.Revoke_SILENT})
	for i := range full {
		a.code(c, a.attempt(to["full"], fmt.Sprint("filler ", i)))
	}
	unknown := to["live"]
	unknown.Mailbox = wire.MailboxID{1}
	wrongTag := to["live"]
	wrongTag.Key[0] ^= 1
	deleted := to["live"]
	deleted.Epoch -= 30
	outlived := to["live"]
	outlived.Expires = outlived.Expires.Add(time.Hour)
	secret, _ := a.cfg.Keyring.AddressSecret(outlived.Epoch, 0)
	outlived.Key = address.Mint(secret, outlived.Mailbox, outlived.Epoch, outlived.Expires, 0)
	badSeal := a.attempt(to["live"], "variant bad seal")
	badSeal.req.Sealed[1200] ^= 1
	badEnc := a.attempt(to["live"], "variant bad enc-")
	badEnc.req.Sealed[3] ^= 1
	badKey := a.attempt(to["live"], "variant no key--")
	badKey.req.KeyId[0] ^= 1
	otherPayload := a.attempt(to["live"], "variant payload-")
	otherPayload.req.Payload[0] ^= 1
	return map[string]variant{
		"live":            {a.attempt(to["live"], "variant live----"), address.Stored},
		"closed":          {a.attempt(to["closed"], "variant closed--"), address.Closed},
		"silent":          {a.attempt(to["silent"], "variant silent--"), address.Stored},
		"full":            {a.attempt(to["full"], "variant full----"), address.Full},
		"unknown mailbox": {a.attempt(unknown, "variant unknown-"), address.Closed},
		"wrong tag":       {a.attempt(wrongTag, "variant tag-----"), address.Closed},
		"deleted epoch":   {a.attempt(deleted, "variant epoch---"), address.Closed},
		"overlong life":   {a.attempt(outlived, "variant life----"), address.Closed},
		"bad seal":        {badSeal, 0},
		"bad enc":         {badEnc, 0},
		"unknown key":     {badKey, 0},
		"other payload":   {otherPayload, 0},
	}
}

// gate holds every decision back until it is let through.
type gate struct {
	eventlog.Log
	mu      sync.Mutex // guards waiting
	waiting int
	held    bool
	open    chan struct{}
}

func (g *gate) Decide(ctx context.Context, d eventlog.Decision) ([]eventlog.Appended, error) {
	g.mu.Lock()
	held, open := g.held, g.open
	if held {
		g.waiting++
	}
	g.mu.Unlock()
	if held {
		<-open
	}
	return g.Log.Decide(ctx, d)
}

func TestEveryPutLooksTheSameInTheClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		a := newAgent(t, func(c *Config) {
			c.Limits.Quotas.Deliveries = 3
			g.Log, c.Log = c.Log, g
		})
		all := a.variants()
		g.mu.Lock()
		g.held = true
		g.mu.Unlock()
		type answer struct {
			name string
			resp *pb.DeliverResponse
		}
		answers := make(chan answer, len(all))
		for name, v := range all {
			c := a.dial(a.ServeDeliver, sendingAgent)
			go func() { answers <- answer{name, a.deliver(c, v.put)} }()
		}
		// None is answered before a commit, however early it was refused.
		synctest.Wait()
		if g.waiting != len(all) || len(answers) != 0 {
			t.Fatalf("%d of %d wait for a commit, %d are answered", g.waiting, len(all), len(answers))
		}
		close(g.open)
		for range all {
			got := <-answers
			r := got.resp
			if wire.Status(r.Status) != wire.StatusOK || r.RetryAfterSeconds != 0 || len(r.Outcome) != wire.OutcomeSize {
				t.Errorf("%s: %v, retry %d, %d bytes", got.name, wire.Status(r.Status), r.RetryAfterSeconds, len(r.Outcome))
			}
			v := all[got.name]
			out, err := v.put.secret.Open(r.Outcome, v.put.hash, v.put.notAfter)
			if v.code == 0 {
				if err == nil {
					t.Errorf("%s: an outcome that opens: %v", got.name, out.Code)
				}
				continue
			}
			if err != nil || out.Code != v.code {
				t.Errorf("%s: outcome %v %v, want %v", got.name, out.Code, err, v.code)
			}
			if (out.RetryAfter != 0) != (v.code == address.Full) || (len(out.Receipt) != 0) != (v.code == address.Stored) {
				t.Errorf("%s: retry %v, receipt of %d bytes", got.name, out.RetryAfter, len(out.Receipt))
			}
		}
	})
}

func TestOverloadIsRefusedBeforeAcceptance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := buildAgent(t, func(c *Config) { c.Limits.OpenQueue, c.Limits.SuspectQueue = 2, 1 })
		a.failures = budget.New[peer.ID](budget.Rate{Burst: 1, PerHour: 1}, 10)
		now := time.Now()
		a.failures.Spend("suspect", now)
		var created wire.Address
		o := a.owner(1)
		created = o.create(0)

		codes := make(chan address.OutcomeCode, 3)
		wait := func(from peer.ID, payload string) {
			c, p := a.dial(a.ServeDeliver, from), a.attempt(created, payload)
			go func() { codes <- a.code(c, p) }()
			synctest.Wait()
		}
		wait("honest", "first")
		wait("honest", "second")
		wait("suspect", "third")
		for _, from := range []peer.ID{"honest", "suspect"} {
			resp := a.deliver(a.dial(a.ServeDeliver, from), a.attempt(created, "over"))
			if wire.Status(resp.Status) != wire.StatusTryAgain || resp.RetryAfterSeconds == 0 || len(resp.Outcome) != 0 {
				t.Errorf("%s: %v, retry %d", from, wire.Status(resp.Status), resp.RetryAfterSeconds)
			}
		}
		a.startWorkers()
		for range 3 {
			if code := <-codes; code != address.Stored {
				t.Errorf("waiting put: %v", code)
			}
		}
		if got := o.collect(); len(got) != 3 {
			t.Errorf("stored %q", got)
		}
	})
}

func TestFailedOpeningsMakeAPeerSuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t, func(c *Config) { c.Limits.FailedOpenings = budget.Rate{Burst: 3, PerHour: 3600} })
		o := a.owner(1)
		to := o.create(0)
		c := a.dial(a.ServeDeliver, sendingAgent)
		for range 3 {
			if a.failures.Spent(sendingAgent, time.Now()) {
				t.Fatal("suspect too early")
			}
			p := a.attempt(to, "bad")
			p.req.Sealed[1200] ^= 1
			a.deliver(c, p)
		}
		if !a.failures.Spent(sendingAgent, time.Now()) || a.failures.Spent("another", time.Now()) {
			t.Error("the peer is not suspect, or another is")
		}
		time.Sleep(time.Second)
		if a.failures.Spent(sendingAgent, time.Now()) {
			t.Error("the budget does not refill")
		}
	})
}

// TestHostileStreamsEnd: of a peer that sent nothing but bad seals only so many puts are
// answered on one stream; one that also sent a good one keeps its stream.
func TestHostileStreamsEnd(t *testing.T) {
	for name, good := range map[string]bool{"hostile": false, "with a good put": true} {
		synctest.Test(t, func(t *testing.T) {
			a := newAgent(t, func(c *Config) { c.Limits.FailedOpenings = budget.Rate{Burst: 1, PerHour: 1} })
			to := a.owner(1).create(0)
			c := a.dial(a.ServeDeliver, sendingAgent)
			if good {
				a.deliver(c, a.attempt(to, "good"))
			}
			var err error
			answered := 0
			for err == nil && answered < 2*maxUnheeded {
				p := a.attempt(to, "bad")
				p.req.Sealed[1200] ^= 1
				if err = c.Call(t.Context(), p.req, &pb.DeliverResponse{}); err == nil {
					answered++
				}
			}
			if (err == nil) != good || answered < maxUnheeded-1 {
				t.Errorf("%s: %d answered, then %v", name, answered, err)
			}
		})
	}
}

// TestSealsOfHostilePeersArePaced: those who sent nothing but bad seals do not take the
// whole of an agent that is idle, and a suspect peer with good puts does not wait for
// them.
func TestSealsOfHostilePeersArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places = 8
		q := newOpenings(places, places)
		done := make(chan struct{})
		go q.pace(hostileEvery, done)
		began := time.Now()
		for range places {
			if !q.offer(&opening{}, false, true) {
				t.Fatal("no place for a hostile put")
			}
		}
		synctest.Wait()
		agent := &opening{}
		if !q.offer(agent, true, true) {
			t.Fatal("no place for a suspect agent's put")
		}
		if q.next(done); q.next(done) != agent {
			t.Error("a suspect agent waits behind hostile puts")
		}
		for range places - 1 {
			q.next(done)
		}
		if took := time.Since(began); took != (places-1)*hostileEvery {
			t.Errorf("%d hostile puts were opened in %v", places, took)
		}
		close(done)
	})
}

// TestHeldRequestsDoNotLeaveTogether: they would come again as one wave, behind which
// everybody waits.
func TestHeldRequestsDoNotLeaveTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const requests = 64
		began := time.Now()
		left := make(chan time.Duration, requests)
		for range requests {
			go func() {
				hold(t.Context(), retryOverload)
				left <- time.Since(began)
			}()
		}
		early := 0
		for range requests {
			d := <-left
			if d < retryOverload || d >= 2*retryOverload {
				t.Errorf("one was held for %v", d)
			}
			if d < retryOverload*3/2 {
				early++
			}
		}
		if early == 0 || early == requests {
			t.Errorf("%d of %d left in the first half", early, requests)
		}
	})
}

func TestHonestPutsAreOpenedFirst(t *testing.T) {
	q := newOpenings(2, 2)
	honest, suspect := &opening{}, &opening{}
	if !q.offer(suspect, true, true) || !q.offer(honest, false, false) || !q.offer(honest, false, false) || q.offer(honest, false, false) {
		t.Fatal("queue lengths")
	}
	never := make(chan struct{})
	for i, want := range []*opening{honest, honest, suspect} {
		if got := q.next(never); got != want {
			t.Errorf("number %d is the wrong one", i)
		}
	}
	done := make(chan struct{})
	close(done)
	if q.next(done) != nil {
		t.Error("a put out of nothing")
	}
}
