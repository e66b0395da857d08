package relay

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"communicator/eventlog"
	"communicator/relay/receipt"
	"communicator/wire"
	"communicator/wire/pb"
)

// TestRefusedForGood: what no attempt can change is told at once, survives a restart
// and is forgotten when acknowledged.
func TestRefusedForGood(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		c := w.dial("alex")
		for _, status := range []wire.Status{
			wire.StatusMalformed, wire.StatusTooLarge, wire.StatusPermission, wire.StatusForbidden, wire.StatusUnsupported,
		} {
			a.set(func(a *fakeAgent) {
				a.answer = func(*pb.DeliverRequest) *pb.DeliverResponse {
					return &pb.DeliverResponse{Status: uint32(status), RetryAfterSeconds: 1}
				}
			})
			in := w.submission(a)
			c.submitOK(in)
			got := c.fetch(time.Minute, in.Handle)[0]
			if got.State != pb.OutcomeState_REFUSED || got.Status != uint32(status) || got.Outcome != nil {
				t.Fatalf("%v: %v", status, got)
			}
			st, err := receipt.Verify(c.submitOK(in).Receipt, nil) // known, and not sent again
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.log.Body(st.Seq); !errors.Is(err, eventlog.ErrErased) {
				t.Fatalf("the submission's body: %v", err)
			}
			if n := w.counted(OpForward, status); n != 1 {
				t.Fatalf("%v: %d attempts", status, n)
			}
			if status != wire.StatusForbidden {
				continue
			}
			c.close()
			w.restart()
			c = w.dial("alex")
			c.wantState(in.Handle, pb.OutcomeState_REFUSED)
			c.ack(in.Handle)
			c.wantState(in.Handle, pb.OutcomeState_UNKNOWN)
		}
		// The agent answers: others are delivered to it.
		a.set(func(a *fakeAgent) { a.answer = nil })
		wantAll(c, pb.OutcomeState_FORWARDED, submitMany(w, c, a, 3))
		c.close()
		if st := w.stat(); st.Queued != 0 || st.Accounts != 0 || st.Outcomes != 7 {
			t.Fatalf("%+v", st)
		}
		time.Sleep(8*24*time.Hour + 2*time.Hour)
		if st := w.stat(); st.Stored != 0 || st.Outcomes != 0 {
			t.Fatalf("after their time: %+v", st)
		}
	})
}

// TestBlackHolesOfOneAccount: an account with thousands of destinations that never
// answer does not delay the first contact of another, nor of its own.
func TestBlackHolesOfOneAccount(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		hole, a := w.agent(1), w.agent(200)
		delete(w.agents, hole.uri.Addr.String())
		mallory, alex := w.dial("mallory"), w.dial("alex")
		defer mallory.close()
		defer alex.close()
		for i := range 1000 {
			in := w.submission(hole)
			in.Uri = fmt.Sprintf("/ip4/9.9.%d.%d/tcp/4001/p2p/%v", i/250, i%250, hole.peer)
			mallory.submitOK(in)
		}
		first := func(c *client, within time.Duration) {
			t.Helper()
			start := time.Now()
			wantAll(c, pb.OutcomeState_FORWARDED, submitMany(w, c, a, 1))
			if took := time.Since(start); took > within {
				t.Fatalf("first contact took %v", took)
			}
		}
		first(alex, time.Second)
		time.Sleep(20 * time.Minute) // by now all of them have failed
		first(alex, time.Second)
		first(mallory, 10*time.Second)
	})
}

// TestHalfDeadAfterARestart: an agent that lets one request hang does not hold its queue
// for as long as an agent that is known to answer may take.
func TestHalfDeadAfterARestart(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		a := w.agent(1)
		a.set(func(a *fakeAgent) { a.down = true })
		c := w.dial("alex")
		handles := submitMany(w, c, a, 100)
		c.close()
		hang := make(chan struct{})
		defer close(hang)
		a.set(func(a *fakeAgent) { a.down, a.hang = false, hang })
		start := time.Now()
		w.restart()
		time.AfterFunc(5*time.Second, func() { a.set(func(a *fakeAgent) { a.hang = nil }) })
		c = w.dial("alex")
		defer c.close()
		wantAll(c, pb.OutcomeState_FORWARDED, handles)
		if took := time.Since(start); took > 10*time.Second {
			t.Fatalf("the queue went after %v", took)
		}
	})
}
