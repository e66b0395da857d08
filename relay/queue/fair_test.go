package queue

import (
	flying "container/heap"
	"fmt"
	"testing"
	"time"

	"communicator/wire"
)

// network answers sends in virtual time: destinations that answer do so after a
// round trip, the others not until the attempt's time is over.
type network struct {
	q     *Queue
	now   time.Time
	out   Effects
	next  ID
	dests map[ID]string
	live  map[string]bool
	wires flights
	took  map[string]time.Time // when each live destination first took something
}

type flight struct {
	id ID
	at time.Time
	in Input
}

type flights []flight

func (f flights) Len() int           { return len(f) }
func (f flights) Less(i, j int) bool { return f[i].at.Before(f[j].at) }
func (f flights) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)        { *f = append(*f, x.(flight)) }
func (f *flights) Pop() any {
	last := (*f)[len(*f)-1]
	*f = (*f)[:len(*f)-1]
	return last
}

const (
	roundTrip = 50 * time.Millisecond
	slowest   = 50 * time.Second // to connect and to answer
)

func newNetwork() *network {
	return &network{q: New(Config{}), now: epoch, dests: map[ID]string{}, live: map[string]bool{}, took: map[string]time.Time{}}
}

func (n *network) step(in Input) {
	n.out.Reset()
	n.q.Step(n.now, in, &n.out)
	for _, s := range n.out.Send {
		f := flight{s.ID, n.now.Add(roundTrip), Input{Kind: Settled, ID: s.ID}}
		if !n.live[s.Destination] {
			f.in.Kind, f.at = Failed, n.now.Add(slowest)
			if s.Timeout != 0 {
				f.at = n.now.Add(s.Timeout)
			}
		}
		flying.Push(&n.wires, f)
	}
}

func (n *network) add(account byte, dest string, live bool) {
	n.next++
	n.dests[n.next], n.live[dest] = dest, live
	n.step(Input{Kind: Add, ID: n.next, Account: wire.AccountID{account}, Destination: dest, NotAfter: epoch.Add(14 * 24 * time.Hour)})
}

// run lets the time pass.
func (n *network) run(d time.Duration) {
	end := n.now.Add(d)
	for {
		at := end
		if w := n.out.Wake; !w.IsZero() && w.Before(at) {
			at = w
		}
		if len(n.wires) > 0 && !n.wires[0].at.After(at) {
			f := flying.Pop(&n.wires).(flight)
			n.now = f.at
			if dest := n.dests[f.id]; f.in.Kind == Settled && n.took[dest].IsZero() {
				n.took[dest] = n.now
			}
			n.step(f.in)
			continue
		}
		n.now = at
		if !at.Before(end) {
			return
		}
		n.step(Input{})
	}
}

func (n *network) wantWithin(t *testing.T, dest string, since time.Time, d time.Duration) {
	t.Helper()
	if at := n.took[dest]; at.IsZero() || at.Sub(since) > d {
		t.Errorf("%s was first reached after %v, want %v at most", dest, at.Sub(since), d)
	}
}

func TestBlackHolesOfOneAccountDoNotDelayOthers(t *testing.T) {
	n := newNetwork()
	for i := range 10_000 {
		n.add(1, fmt.Sprint("hole", i), false)
	}
	n.add(2, "first", true)
	n.run(time.Minute)
	n.wantWithin(t, "first", epoch, roundTrip)
	later := n.now
	for i := range 40 {
		n.add(2, fmt.Sprint("later", i), true)
	}
	n.run(time.Minute)
	for i := range 40 {
		n.wantWithin(t, fmt.Sprint("later", i), later, time.Second)
	}
	if st := n.q.Stat(); st.Probes > 12 {
		t.Errorf("one account has %d probes", st.Probes)
	}
}

func TestBlackHolesOfManyAccountsLeaveTurnsToOthers(t *testing.T) {
	n := newNetwork()
	for account := range byte(100) {
		for i := range 50 {
			n.add(account, fmt.Sprint("hole", account, ".", i), false)
		}
	}
	n.run(time.Minute)
	later := n.now
	n.add(200, "later", true)
	n.run(time.Minute)
	// The next place that is free is its own: 100 accounts ahead, at 128 a timeout.
	n.wantWithin(t, "later", later, 7*time.Second)
}

func TestOldFailuresLeaveHalfToFirstContacts(t *testing.T) {
	n := newNetwork()
	for account := range byte(50) {
		for i := range 100 {
			n.add(account, fmt.Sprint("hole", account, ".", i), false)
		}
	}
	n.run(time.Hour) // all have failed
	if st := n.q.Stat(); st.Paused != 5000 || st.Probes > 64 {
		t.Fatalf("%+v", st)
	}
	later := n.now
	n.add(0, "later", true) // of an account that has many itself
	n.run(time.Second)
	n.wantWithin(t, "later", later, roundTrip)
}

// TestSharedDestination: a stranger who queued for the same agent, among much else,
// holds nobody up.
func TestSharedDestination(t *testing.T) {
	n := newNetwork()
	for i := range 1000 {
		n.add(1, fmt.Sprint("hole", i), false)
	}
	n.add(1, "shared", true)
	n.add(2, "shared", true)
	n.run(time.Second)
	n.wantWithin(t, "shared", epoch, roundTrip)
}

// TestHangingAgentsOfOneAccount: agents that answer once and then let everything hang do
// not take the places of others.
func TestHangingAgentsOfOneAccount(t *testing.T) {
	b := newBench(t, Config{})
	next := ID(0)
	add := func(account byte, dest string) []ID {
		next++
		return b.step(Input{Kind: Add, ID: next, Account: wire.AccountID{account}, Destination: dest, Answers: true, NotAfter: epoch.Add(time.Hour)})
	}
	for i := range 5000 {
		add(1, fmt.Sprint("hanging", i%50))
	}
	if st := b.q.Stat(); st.InFlight != 256 {
		t.Fatalf("%+v", st)
	}
	b.want(add(2, "live"), 5001)
	b.want(add(2, "hanging0"), 5002) // there is a place for another account here too
	// Half of them are answered at last: as many go out.
	sent := 0
	for id := range ID(128) {
		sent += len(b.step(Input{Kind: Settled, ID: id + 1}))
	}
	if st := b.q.Stat(); sent != 128 || st.InFlight != 256+2 {
		t.Fatalf("sent %d, %+v", sent, st)
	}
}

func TestWhatAnsweredLatelyIsNotProbed(t *testing.T) {
	b := newBench(t, Config{})
	add := func(id ID) []ID {
		return b.step(Input{Kind: Add, ID: id, Destination: "a", Answers: true, NotAfter: epoch.Add(time.Hour)})
	}
	b.want(add(1), 1)
	b.want(add(2), 2)
	if st := b.q.Stat(); st.Probes != 0 {
		t.Fatalf("%+v", st)
	}
	b.step(Input{Kind: Failed, ID: 1})
	b.want(add(3)) // what was seen here counts
	b.step(Input{Kind: Failed, ID: 2})
	b.now = b.out.Wake
	b.want(b.step(Input{}), 1)
	if st := b.q.Stat(); st.Probes != 1 {
		t.Fatalf("%+v", st)
	}
}

func TestProbesGetMoreTimeWithEachFailure(t *testing.T) {
	b := newBench(t, Config{ProbeTimeout: 5 * time.Second, ProbeTimeoutMax: 15 * time.Second})
	b.want(b.add(1, "slow"), 1)
	for _, want := range []time.Duration{5, 10, 15, 15} {
		if got := b.out.Send[0].Timeout; got != want*time.Second {
			t.Fatalf("a probe has %v, want %v", got, want*time.Second)
		}
		b.step(Input{Kind: Failed, ID: 1})
		b.now = b.out.Wake
		b.want(b.step(Input{}), 1)
	}
	b.add(2, "slow")
	b.want(b.step(Input{Kind: Settled, ID: 1}), 2)
	if got := b.out.Send[0].Timeout; got != 0 {
		t.Fatalf("an agent that answers has %v", got)
	}
}
