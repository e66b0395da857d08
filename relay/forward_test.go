package relay

import (
	"context"
	"crypto/ed25519"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"communicator/relay/queue"
	"communicator/wire"
	"communicator/wire/descriptor"
	"communicator/wire/pb"
)

// submitMany queues n submissions for the agent.
func submitMany(w *world, c *client, a *fakeAgent, n int) [][]byte {
	handles := make([][]byte, n)
	for i := range handles {
		in := w.submission(a)
		handles[i] = in.Handle
		c.submitOK(in)
	}
	return handles
}

// wantAll fetches until every handle is in the state.
func wantAll(c *client, want pb.OutcomeState_State, handles [][]byte) {
	c.w.t.Helper()
	for _, h := range handles {
		got := c.fetch(time.Minute, h)
		for range 60 {
			if got[0].State == want {
				break
			}
			got = c.fetch(time.Minute, h)
		}
		if got[0].State != want {
			c.w.t.Fatalf("state %v, want %v", got[0].State, want)
		}
	}
}

func TestDeliversWhileTheSenderIsAway(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		a.set(func(a *fakeAgent) { a.down = true })
		c := w.dial("alex")
		handles := submitMany(w, c, a, 20)
		c.close()
		a.set(func(a *fakeAgent) { a.down = false })
		time.Sleep(time.Hour)
		if different, total := a.taken(); different != 20 || total != 20 {
			t.Fatalf("%d puts, %d times", different, total)
		}
		c = w.dial("")
		defer c.close()
		wantAll(c, pb.OutcomeState_FORWARDED, handles)
	})
}

func TestRestartContinuesTheQueue(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		away, here := w.agent(1), w.agent(2)
		away.set(func(a *fakeAgent) { a.down = true })
		c := w.dial("alex")
		queued := submitMany(w, c, away, 30)
		done := submitMany(w, c, here, 5)
		wantAll(c, pb.OutcomeState_FORWARDED, done)
		// One that is in flight when the agent stops.
		hang := make(chan struct{})
		here.set(func(a *fakeAgent) { a.hang = hang })
		inFlight := submitMany(w, c, here, 1)
		synctest.Wait()

		before := w.rows()
		w.restart()
		if after := w.rows(); len(after) != len(before) {
			t.Fatalf("%d rows before, %d after", len(before), len(after))
		}
		close(hang)
		away.set(func(a *fakeAgent) { a.down = false })
		c = w.dial("alex")
		defer c.close()
		wantAll(c, pb.OutcomeState_FORWARDED, queued)
		wantAll(c, pb.OutcomeState_FORWARDED, inFlight)
		wantAll(c, pb.OutcomeState_FORWARDED, done)
		if different, total := away.taken(); different != 30 || total != 30 {
			t.Fatalf("%d puts, %d times", different, total)
		}
		if different, _ := here.taken(); different != 6 {
			t.Fatalf("%d different puts", different)
		}
	})
}

func TestReceiverAwayForFourteenDays(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		a.set(func(a *fakeAgent) { a.down = true })
		c := w.dial("alex")
		short, long := w.submission(a), w.submission(a)
		short.NotAfter, long.NotAfter = uint64(inHours(48)), uint64(inHours(14*24))
		c.submitOK(short)
		c.submitOK(long)
		time.Sleep(49 * time.Hour)
		c.wantState(short.Handle, pb.OutcomeState_EXPIRED)
		c.wantState(long.Handle, pb.OutcomeState_PENDING)
		time.Sleep((14*24-49-2)*time.Hour - 30*time.Minute)
		c.wantState(short.Handle, pb.OutcomeState_UNKNOWN) // notAfter + 7 days
		c.wantState(long.Handle, pb.OutcomeState_PENDING)
		a.set(func(a *fakeAgent) { a.down = false })
		time.Sleep(15 * time.Minute) // the longest backoff
		c.wantState(long.Handle, pb.OutcomeState_FORWARDED)
		if different, total := a.taken(); different != 1 || total != 1 {
			t.Fatalf("%d puts, %d times", different, total)
		}
		// Some 4 probes an hour, not one a second.
		if n := w.counted(OpForward, wire.StatusUnreachable); n > 14*24*9 {
			t.Fatalf("%d attempts", n)
		}
		if w.count(KindAbandoned) != 1 || w.count(KindOutcomeExpired) != 1 {
			t.Fatalf("%d abandoned, %d forgotten", w.count(KindAbandoned), w.count(KindOutcomeExpired))
		}
		c.close()
	})
}

// TestLoss loses 30 % of what is asked and answered, each time with the stream.
func TestLoss(t *testing.T) {
	for seed := range uint64(3) {
		inWorld(t, nil, func(w *world) {
			random := rand.New(rand.NewPCG(seed, 0))
			a := w.agent(1)
			a.lose = func() (bool, bool) { return random.Float64() < 0.15, random.Float64() < 0.15 }
			c := w.dial("alex")
			defer c.close()
			handles := submitMany(w, c, a, 200)
			wantAll(c, pb.OutcomeState_FORWARDED, handles)
			if different, total := a.taken(); different != 200 || total < 200 {
				t.Fatalf("%d puts, %d times", different, total)
			}
			if n := w.count(KindForwarded); n != 200 {
				t.Fatalf("%d Forwarded in the log", n)
			}
			lossy := time.Now()
			a.set(func(a *fakeAgent) { a.lose = nil })
			wantAll(c, pb.OutcomeState_FORWARDED, submitMany(w, c, a, 50))
			if took := time.Since(lossy); took > time.Minute {
				t.Fatalf("took %v after healing", took)
			}
		})
	}
}

func TestLostRepliesMakeOneForwarded(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		left := 5
		a.lose = func() (bool, bool) { left--; return false, left >= 0 }
		c := w.dial("alex")
		defer c.close()
		in := w.submission(a)
		c.submitOK(in)
		wantAll(c, pb.OutcomeState_FORWARDED, [][]byte{in.Handle})
		if different, total := a.taken(); different != 1 || total != 6 {
			t.Fatalf("%d puts, %d times: every attempt must carry the same bytes", different, total)
		}
		if n := w.count(KindForwarded); n != 1 {
			t.Fatalf("%d Forwarded", n)
		}
	})
}

func TestSlowReceiverDoesNotHoldUpOthers(t *testing.T) {
	setup := func(w *world) { w.limits.Queue = queue.Config{PerDestination: 4, Probes: 4} }
	inWorld(t, setup, func(w *world) {
		slow, fast := w.agent(1), w.agent(2)
		hang := make(chan struct{})
		slow.set(func(a *fakeAgent) { a.hang = hang })
		dark := w.agent(3)
		delete(w.agents, dark.uri.Addr.String()) // dialling it takes until the timeout
		c := w.dial("alex")
		defer c.close()
		late := submitMany(w, c, slow, 50)
		submitMany(w, c, dark, 50)
		start := time.Now()
		wantAll(c, pb.OutcomeState_FORWARDED, submitMany(w, c, fast, 200))
		if took := time.Since(start); took > time.Second {
			t.Fatalf("took %v", took)
		}
		close(hang)
		slow.set(func(a *fakeAgent) { a.hang = nil })
		wantAll(c, pb.OutcomeState_FORWARDED, late)
	})
}

func TestAnswersOtherThanTaken(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		a.answer = func(*pb.DeliverRequest) *pb.DeliverResponse {
			return &pb.DeliverResponse{Status: uint32(wire.StatusTryAgain), RetryAfterSeconds: 300}
		}
		c := w.dial("alex")
		defer c.close()
		in := w.submission(a)
		c.submitOK(in)
		time.Sleep(299 * time.Second)
		if n := w.counted(OpForward, wire.StatusTryAgain); n != 1 {
			t.Fatalf("%d attempts within the time that the agent asked for", n)
		}
		for _, resp := range []*pb.DeliverResponse{
			{Status: uint32(wire.StatusExpired)},
			{Status: 4711},
			{Status: uint32(wire.StatusOK), Outcome: []byte("short")},
			{},
		} {
			a.set(func(a *fakeAgent) { a.answer = func(*pb.DeliverRequest) *pb.DeliverResponse { return resp } })
			time.Sleep(time.Hour)
			c.wantState(in.Handle, pb.OutcomeState_PENDING)
		}
		a.set(func(a *fakeAgent) { a.answer = nil })
		wantAll(c, pb.OutcomeState_FORWARDED, [][]byte{in.Handle})
	})
}

func TestWrongPeerIsDroppedAndTheMessageKept(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a, impostor := w.agent(1), w.agent(2)
		right := a.peer
		a.set(func(a *fakeAgent) { a.peer = impostor.peer })
		c := w.dial("alex")
		defer c.close()
		in := w.submission(a)
		c.submitOK(in)
		time.Sleep(10 * time.Minute)
		c.wantState(in.Handle, pb.OutcomeState_PENDING)
		if different, _ := a.taken(); different != 0 {
			t.Fatal("an impostor was given the message")
		}
		w.mu.Lock()
		n := w.opened[a.uri.Addr.String()]
		for _, r := range w.results {
			if r.Op == OpForward && !r.WrongPeer {
				t.Errorf("counted %+v", r)
			}
		}
		w.mu.Unlock()
		if n < 5 || n > 60 { // a pause is at most 20 s in so short an outage
			t.Fatalf("dialled %d times in 10 minutes", n)
		}
		a.set(func(a *fakeAgent) { a.peer = right })
		wantAll(c, pb.OutcomeState_FORWARDED, [][]byte{in.Handle})
	})
}

func TestStreamIsKeptWhileUsedAndClosedWhenIdle(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		c := w.dial("alex")
		defer c.close()
		for range 5 {
			wantAll(c, pb.OutcomeState_FORWARDED, submitMany(w, c, a, 20))
			time.Sleep(30 * time.Second)
		}
		if n := w.opened[a.uri.Addr.String()]; n != 1 {
			t.Fatalf("%d streams opened for 100 messages", n)
		}
		time.Sleep(time.Minute)
		if n := w.stat().Streams; n != 0 {
			t.Fatalf("%d streams open after a minute of silence", n)
		}
		wantAll(c, pb.OutcomeState_FORWARDED, submitMany(w, c, a, 1))
	})
}

func TestDeadPathUnderAStream(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		c := w.dial("alex")
		defer c.close()
		wantAll(c, pb.OutcomeState_FORWARDED, submitMany(w, c, a, 1))
		// Nothing is answered on this stream any more, and nothing says so.
		a.set(func(a *fakeAgent) { a.hang = make(chan struct{}) })
		handles := submitMany(w, c, a, 3)
		time.Sleep(10 * time.Second)
		a.set(func(a *fakeAgent) { a.hang = nil })
		wantAll(c, pb.OutcomeState_FORWARDED, handles)
		if n := w.opened[a.uri.Addr.String()]; n != 2 {
			t.Fatalf("%d streams opened", n)
		}
	})
}

func TestJitterDelaysTheFirstAttempt(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		c := w.dial("alex")
		defer c.close()
		const n = 200
		for range n {
			in := w.submission(a)
			in.JitterMs = 10_000
			c.submitOK(in)
		}
		time.Sleep(5 * time.Second)
		// 1 - exp(-1/2) of them: 79.
		if early, _ := a.taken(); early < 50 || early > 110 {
			t.Fatalf("%d of %d after half the mean", early, n)
		}
		w.restart() // drawn again
		time.Sleep(200 * time.Second)
		if all, _ := a.taken(); all != n {
			t.Fatalf("%d of %d at last", all, n)
		}
	})
}

func TestFetchDescriptor(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a, other := w.agent(1), w.agent(2)
		key := keyOf("receiving agent 1")
		signed, err := descriptor.Sign(descriptor.Descriptor{
			Root: key.Public().(ed25519.PublicKey), Roles: descriptor.Sending, Policy: descriptor.PolicyToken,
			Addrs: []string{a.uri.Addr.String()}, Sequence: 1, Issued: time.Unix(time.Now().Unix(), 0).UTC(),
		}, key)
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		honest := func(req *pb.DescriptorRequest) *pb.DescriptorReply {
			asked++
			return &pb.DescriptorReply{Status: uint32(wire.StatusOK), Descriptor_: signed}
		}
		a.describe, other.describe = honest, honest
		c := w.dial("alex")
		defer c.close()
		fetch := func(uri string, known []byte) (*pb.SubmitResponse, wire.Status) {
			resp := c.call(&pb.SubmitRequest{Op: &pb.SubmitRequest_Descriptor_{
				Descriptor_: &pb.FetchDescriptor{Uri: uri, KnownChain: known},
			}})
			return resp, wire.Status(resp.Status)
		}
		for range 3 {
			resp, status := fetch(a.uri.String(), nil)
			if status != wire.StatusOK || string(resp.Descriptor_.Descriptor_) != string(signed) {
				t.Fatalf("%v", status)
			}
		}
		if asked != 1 {
			t.Fatalf("asked the agent %d times within a minute", asked)
		}
		fetch(a.uri.String(), make([]byte, 32)) // another question
		time.Sleep(2 * time.Minute)
		fetch(a.uri.String(), nil)
		if asked != 3 {
			t.Fatalf("asked the agent %d times", asked)
		}
		for name, k := range map[string]struct {
			uri   string
			known []byte
			want  wire.Status
		}{
			"another agent's descriptor": {other.uri.String(), nil, wire.StatusUnreachable},
			"forbidden":                  {"/ip4/10.0.0.1/tcp/1/p2p/" + a.peer.String(), nil, wire.StatusForbidden},
			"malformed":                  {"x", nil, wire.StatusMalformed},
			"malformed chain":            {a.uri.String(), make([]byte, 31), wire.StatusMalformed},
			"nobody there":               {"/ip4/8.8.9.9/tcp/1/p2p/" + a.peer.String(), nil, wire.StatusUnreachable},
		} {
			if _, status := fetch(k.uri, k.known); status != k.want {
				t.Errorf("%s: %v, want %v", name, status, k.want)
			}
		}
		time.Sleep(2 * time.Minute)
		a.set(func(a *fakeAgent) {
			a.describe = func(*pb.DescriptorRequest) *pb.DescriptorReply {
				return &pb.DescriptorReply{Status: uint32(wire.StatusOK), Descriptor_: signed, Links: [][]byte{{1}}}
			}
		})
		if _, status := fetch(a.uri.String(), nil); status != wire.StatusUnreachable {
			t.Errorf("malformed links: %v", status)
		}
		a.set(func(a *fakeAgent) { a.peer = other.peer })
		if _, status := fetch(a.uri.String(), nil); status != wire.StatusUnreachable {
			t.Errorf("an impostor: %v", status)
		}
	})
}

func TestClosedServiceTakesNothing(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		_ = w.s.Close()
		c := w.dial("")
		defer c.close()
		if err := c.c.Call(context.Background(), &pb.SubmitRequest{}, &pb.SubmitResponse{}); err == nil {
			t.Fatal("a closed service answered")
		}
	})
}
