package relay

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/eventlog"
	"communicator/relay/receipt"
	"communicator/wire"
	"communicator/wire/agenturi"
	"communicator/wire/mux"
	"communicator/wire/pb"
)

func TestSubmitForwardFetchAcknowledge(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		c := w.dial("alex")
		in := w.submission(a)
		resp := c.submitOK(in)
		st, err := receipt.Verify(resp.Receipt, bodyOf(t, c.account, in))
		if err != nil || st.Kind != receipt.Accepted || st.Agent != w.s.cfg.Agent || !st.BodyMatches {
			t.Fatalf("receipt: %+v, %v", st, err)
		}
		got := c.fetch(time.Minute, in.Handle)
		if got[0].State != pb.OutcomeState_FORWARDED || !bytes.Equal(got[0].Outcome, outcomeOf(in.Payload)) {
			t.Fatalf("outcome %v", got[0].State)
		}
		if _, err := w.log.Body(st.Seq); !errors.Is(err, eventlog.ErrErased) {
			t.Fatalf("the submission's body after forwarding: %v", err)
		}
		// Whoever holds the handle fetches, without an account.
		stranger := w.dial("")
		defer stranger.close()
		stranger.wantState(in.Handle, pb.OutcomeState_FORWARDED)
		if status := stranger.ack(in.Handle); status != wire.StatusOK {
			t.Fatalf("ack: %v", status)
		}
		c.wantState(in.Handle, pb.OutcomeState_UNKNOWN)
		if status := c.ack(in.Handle, in.Handle); status != wire.StatusOK {
			t.Fatalf("a second ack: %v", status)
		}
		if n := w.count(KindOutcomeAcknowledged); n != 1 {
			t.Fatalf("%d acknowledgements in the log", n)
		}
		c.close()
		if st := w.stat(); st.Stored != 0 || st.Accounts != 0 || st.Queued != 0 {
			t.Fatalf("left over: %+v", st)
		}
	})
}

func TestSubmissionsWaitForTheQueueToBeRead(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.stop()
		w.make()
		c := w.dial("alex")
		in := w.submission(w.agent(1))
		var early sync.WaitGroup
		early.Go(func() { c.submitOK(in) })
		if n := w.count(KindSubmitted); n != 0 {
			w.t.Errorf("%d submissions were stored before the queue had been read", n)
		}
		w.run()
		early.Wait()
		c.close()
	})
}

func TestNothingOfTheSenderOutlivesTheQueue(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		a.set(func(a *fakeAgent) { a.down = true })
		c := w.dial("alex")
		defer c.close()
		in := w.submission(a)
		c.submitOK(in)
		holds := func() (found bool) {
			for _, v := range w.rows() {
				found = found || bytes.Contains([]byte(v), c.account[:])
			}
			for r := range w.log.Records(1) {
				found = found || bytes.Contains(r.Header, c.account[:]) || bytes.Contains(r.Stream, c.account[:])
				if bytes.Contains(r.Header, c.account[:]) {
					t.Fatal("a header holds the account")
				}
				if body, err := w.log.Body(r.Seq); err == nil {
					found = found || bytes.Contains(body, c.account[:])
				}
			}
			return found
		}
		if !holds() {
			t.Fatal("the quota's account is nowhere: this test looks in the wrong place")
		}
		a.set(func(a *fakeAgent) { a.down = false })
		c.fetch(time.Minute, in.Handle)
		if holds() {
			t.Fatal("the account is still there after forwarding")
		}
	})
}

func TestSameHandle(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		c := w.dial("alex")
		defer c.close()
		in := w.submission(a)
		seq := func(resp *pb.SubmitResponse) uint64 {
			st, err := receipt.Verify(resp.Receipt, nil)
			if err != nil {
				t.Fatal(err)
			}
			return st.Seq
		}
		first := seq(c.submitOK(in))
		if again := seq(c.submitOK(in)); again != first {
			t.Fatalf("receipt for event %d, then %d", first, again)
		}
		c.fetch(time.Minute, in.Handle)
		if again := seq(c.submitOK(in)); again != first {
			t.Fatalf("after forwarding: receipt for event %d, then %d", first, again)
		}
		other := w.submission(a)
		other.Handle = in.Handle
		if got := wire.Status(c.submit(other).Status); got != wire.StatusConflict {
			t.Fatalf("other content: %v", got)
		}
		c.wantState(in.Handle, pb.OutcomeState_FORWARDED)
		synctest.Wait()
		if different, total := a.taken(); different != 1 || total != 1 {
			t.Fatalf("delivered %d, %d times", different, total)
		}
		if n := w.count(KindSubmitted); n != 1 {
			t.Fatalf("%d submissions in the log", n)
		}
	})
}

func TestRefusedSubmissions(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		self, err := agenturi.PeerOf(w.s.cfg.Root)
		if err != nil {
			t.Fatal(err)
		}
		at := func(addr string, id peer.ID) string { return addr + "/p2p/" + id.String() }
		for name, c := range map[string]struct {
			spoil func(*pb.Submission)
			want  wire.Status
		}{
			"handle":          {func(in *pb.Submission) { in.Handle = in.Handle[:31] }, wire.StatusMalformed},
			"key id":          {func(in *pb.Submission) { in.KeyId = append(in.KeyId, 0) }, wire.StatusMalformed},
			"seal":            {func(in *pb.Submission) { in.Sealed = in.Sealed[1:] }, wire.StatusMalformed},
			"no payload":      {func(in *pb.Submission) { in.Payload = nil }, wire.StatusMalformed},
			"payload":         {func(in *pb.Submission) { in.Payload = make([]byte, wire.MaxPayload+1) }, wire.StatusTooLarge},
			"no URI":          {func(in *pb.Submission) { in.Uri = "" }, wire.StatusMalformed},
			"URI":             {func(in *pb.Submission) { in.Uri = "relay.example.org" }, wire.StatusMalformed},
			"long URI":        {func(in *pb.Submission) { in.Uri = "/dns4/" + string(make([]byte, wire.MaxURI)) }, wire.StatusTooLarge},
			"token":           {func(in *pb.Submission) { in.Uri = a.uri.WithToken(wire.Token{1}) }, wire.StatusMalformed},
			"half hour":       {func(in *pb.Submission) { in.NotAfter += 1800 }, wire.StatusMalformed},
			"past":            {func(in *pb.Submission) { in.NotAfter = uint64(inHours(0)) }, wire.StatusExpired},
			"far ahead":       {func(in *pb.Submission) { in.NotAfter = uint64(inHours(15 * 24)) }, wire.StatusMalformed},
			"end of time":     {func(in *pb.Submission) { in.NotAfter = ^uint64(0) / 3600 * 3600 }, wire.StatusMalformed},
			"loopback":        {func(in *pb.Submission) { in.Uri = at("/ip4/127.0.0.1/tcp/1", a.peer) }, wire.StatusForbidden},
			"private":         {func(in *pb.Submission) { in.Uri = at("/ip4/192.168.0.1/tcp/1", a.peer) }, wire.StatusForbidden},
			"metadata":        {func(in *pb.Submission) { in.Uri = at("/ip4/169.254.169.254/tcp/80", a.peer) }, wire.StatusForbidden},
			"mapped":          {func(in *pb.Submission) { in.Uri = at("/ip6/::ffff:7f00:1/tcp/1", a.peer) }, wire.StatusForbidden},
			"circuit":         {func(in *pb.Submission) { in.Uri = a.uri.String() + "/p2p-circuit" + "/p2p/" + a.peer.String() }, wire.StatusMalformed},
			"itself":          {func(in *pb.Submission) { in.Uri = at("/ip4/8.8.8.1/tcp/4001", self) }, wire.StatusForbidden},
			"its own address": {func(in *pb.Submission) { in.Uri = at("/ip4/8.8.4.4/tcp/4001", a.peer) }, wire.StatusForbidden},
		} {
			in := w.submission(a)
			c.spoil(in)
			// A stream each, so that the cost of refusals does not run out.
			alex := w.dial("alex")
			if got := wire.Status(alex.submit(in).Status); got != c.want {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
			if len(in.Handle) == 32 {
				alex.wantState(in.Handle, pb.OutcomeState_UNKNOWN)
			}
			alex.close()
		}
		if n := w.count(KindSubmitted); n != 0 {
			t.Fatalf("%d refused submissions are in the log", n)
		}
		if st := w.stat(); st.Stored != 0 {
			t.Fatalf("refused, yet counted: %+v", st)
		}
	})
}

func TestPermission(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		c := w.dial("")
		defer c.close()
		if got := wire.Status(c.submit(w.submission(a)).Status); got != wire.StatusPermission {
			t.Fatalf("without a hello: %v", got)
		}
		resp := c.call(&pb.SubmitRequest{Op: &pb.SubmitRequest_Descriptor_{Descriptor_: &pb.FetchDescriptor{Uri: a.uri.String()}}})
		if got := wire.Status(resp.Status); got != wire.StatusPermission {
			t.Fatalf("descriptor without a hello: %v", got)
		}
		resp = c.call(&pb.SubmitRequest{Op: &pb.SubmitRequest_Hello{Hello: &pb.Hello{Credential: badCredential}}})
		if got := wire.Status(resp.Status); got != wire.StatusPermission || resp.Hello.GetWorkBits() != 7 {
			t.Fatalf("refused hello: %v", resp)
		}
		if got := wire.Status(c.submit(w.submission(a)).Status); got != wire.StatusPermission {
			t.Fatalf("after a refused hello: %v", got)
		}
		if got := wire.Status(c.call(&pb.SubmitRequest{}).Status); got != wire.StatusUnsupported {
			t.Fatalf("an unknown request: %v", got)
		}
	})
}

func TestQuota(t *testing.T) {
	setup := func(w *world) { w.limits.QueuedPerAccount = 3 }
	inWorld(t, setup, func(w *world) {
		a := w.agent(1)
		a.set(func(a *fakeAgent) { a.down = true })
		alex, blair := w.dial("alex"), w.dial("blair")
		defer alex.close()
		defer blair.close()
		var all []*pb.Submission
		for range 3 {
			all = append(all, w.submission(a))
			alex.submitOK(all[len(all)-1])
		}
		more := w.submission(a)
		resp := alex.submit(more)
		if wire.Status(resp.Status) != wire.StatusTryAgain || resp.RetryAfterSeconds == 0 {
			t.Fatalf("over the quota: %v", resp)
		}
		alex.submitOK(all[0]) // known: its receipt, quota or not
		conflict := w.submission(a)
		conflict.Handle = all[0].Handle
		if got := wire.Status(alex.submit(conflict).Status); got != wire.StatusConflict {
			t.Fatalf("over the quota, other content: %v", got)
		}
		blair.submitOK(w.submission(a)) // each has their own
		w.checkLog()
		w.restart() // the quota is counted anew
		alex = w.dial("alex")
		if got := wire.Status(alex.submit(more).Status); got != wire.StatusTryAgain {
			t.Fatalf("over the quota after a restart: %v", got)
		}
		a.set(func(a *fakeAgent) { a.down = false })
		for _, in := range all {
			alex.fetch(time.Minute, in.Handle)
		}
		alex.submitOK(more)
		alex.fetch(time.Minute, more.Handle)
		alex.close()
	})
}

func TestQuotaOfBytes(t *testing.T) {
	setup := func(w *world) { w.limits.QueuedBytesPerAccount = 100_000 }
	inWorld(t, setup, func(w *world) {
		a := w.agent(1)
		a.set(func(a *fakeAgent) { a.down = true })
		large := func() *pb.Submission {
			in := w.submission(a)
			in.Payload = bytes.Repeat(in.Payload[:1], 48_000)
			return in
		}
		alex, blair := w.dial("alex"), w.dial("blair")
		defer blair.close()
		first, second, third := large(), large(), large()
		alex.submitOK(first)
		alex.submitOK(second)
		refused := func() {
			t.Helper()
			resp := alex.submit(third)
			if wire.Status(resp.Status) != wire.StatusTryAgain || resp.RetryAfterSeconds == 0 {
				t.Fatalf("over the quota: %v", resp)
			}
		}
		refused()
		alex.wantState(third.Handle, pb.OutcomeState_UNKNOWN) // before it was accepted
		alex.submitOK(first)                                  // known: its receipt, quota or not
		blair.submitOK(large())                               // each has their own
		alex.close()
		w.restart() // counted anew
		alex = w.dial("alex")
		defer alex.close()
		refused()
		a.set(func(a *fakeAgent) { a.down = false })
		alex.fetch(time.Minute, first.Handle)
		alex.submitOK(third)
		wantAll(alex, pb.OutcomeState_FORWARDED, [][]byte{second.Handle, third.Handle})
	})
}

func TestStorageMax(t *testing.T) {
	setup := func(w *world) { w.limits.StorageMax = 2*1500 + 100 }
	inWorld(t, setup, func(w *world) {
		a := w.agent(1)
		c := w.dial("alex")
		defer c.close()
		var handles [][]byte
		for {
			in := w.submission(a)
			resp := c.submit(in)
			if status := wire.Status(resp.Status); status != wire.StatusOK {
				if status != wire.StatusStorageFull || resp.RetryAfterSeconds == 0 {
					t.Fatalf("full: %v", resp)
				}
				break
			}
			handles = append(handles, in.Handle)
			c.fetch(time.Minute, in.Handle)
		}
		if len(handles) != 2 {
			t.Fatalf("%d outcomes kept", len(handles))
		}
		c.ack(handles[0])
		c.submitOK(w.submission(a))
		synctest.Wait()
	})
}

func TestRateLimit(t *testing.T) {
	setup := func(w *world) { w.limits.RequestsPerSecond, w.limits.RequestBurst, w.limits.RefusedCost = 1, 10, 5 }
	inWorld(t, setup, func(w *world) {
		a := w.agent(1)
		c := w.dial("alex") // 1
		defer c.close()
		bad := w.submission(a)
		bad.Handle = nil
		c.submit(bad) // 5
		c.submit(bad) // 5: in debt
		resp := c.submit(w.submission(a))
		if wire.Status(resp.Status) != wire.StatusTryAgain || resp.RetryAfterSeconds == 0 {
			t.Fatalf("over the rate: %v", resp)
		}
		if n := w.counted(OpUnknown, wire.StatusTryAgain); n != 1 {
			t.Fatalf("counted %d", n)
		}
		other := w.dial("alex") // a stream has its own
		other.submitOK(w.submission(a))
		other.close()
		time.Sleep(3 * time.Second)
		c.submitOK(w.submission(a))
		synctest.Wait()
	})
}

// TestStrangersAreNotRefusedForEver: a stream that has no account, and asks for nothing
// but what needs one, ends. One that has an account may be refused as often as it asks.
func TestStrangersAreNotRefusedForEver(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		bad := w.submission(a)
		bad.Handle = nil
		known := w.dial("alex")
		defer known.close()
		for range 2 * defaultRefused {
			if got := wire.Status(known.submit(bad).Status); got != wire.StatusMalformed {
				t.Fatalf("%v", got)
			}
		}
		ours, theirs := net.Pipe()
		ended := make(chan error, 1)
		w.serving.Go(func() { ended <- w.s.ServeSubmit(context.Background(), theirs, "stranger") })
		c := mux.NewClient(ours, mux.Limits{})
		defer c.Close()
		request := &pb.SubmitRequest{Op: &pb.SubmitRequest_Submit{Submit: w.submission(a)}}
		for i := range defaultRefused {
			var resp pb.SubmitResponse
			if err := c.Call(context.Background(), request, &resp); err != nil && i < defaultRefused-1 {
				t.Fatalf("request %d: %v", i, err)
			} else if err == nil && wire.Status(resp.Status) != wire.StatusPermission {
				t.Fatalf("request %d: %v", i, wire.Status(resp.Status))
			}
		}
		if err := <-ended; !errors.Is(err, errAbuse) {
			t.Errorf("the stranger's stream ended with %v", err)
		}
		known.submitOK(w.submission(a))
		synctest.Wait()
	})
}
