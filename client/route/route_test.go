package route

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"communicator/wire"

	"pgregory.net/rapid"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var policy = Policy{}.WithDefaults()

func rnd() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func place(agent, mailbox byte) Place {
	return Place{Agent: wire.AgentID{agent}, Mailbox: wire.MailboxID{mailbox}}
}

func at(agent, mailbox byte) Address {
	return Address{Place: place(agent, mailbox), Expires: t0.Add(30 * 24 * time.Hour)}
}

// base is a message nobody has tried: two agents, each with a new and an old address,
// and a lifeline at a third; two sending agents.
func base() View {
	lifeline := at(3, 5)
	lifeline.Lifeline = true
	return View{
		Now: t0, NotAfter: t0.Add(14 * 24 * time.Hour),
		Addresses: []Address{at(1, 1), at(2, 2), at(1, 3), at(2, 4), lifeline},
		Senders:   []Sender{{ID: 1, Agent: wire.AgentID{11}}, {ID: 2, Agent: wire.AgentID{12}}},
	}
}

func TestNext(t *testing.T) {
	tried := func(id int64, to Place, s State, r Result, age time.Duration, tries uint64) Attempt {
		return Attempt{ID: id, Sender: 1, To: to, State: s, Result: r, Created: t0.Add(-age), NextTry: t0, Tries: tries}
	}
	for _, test := range []struct {
		name   string
		change func(v *View)
		want   func(d Decision) bool
	}{
		{"first attempt goes to the newest address", func(*View) {},
			func(d Decision) bool { return d.Fresh != nil && d.Fresh.Address == 0 && len(d.Submit) == 0 }},
		{"a young pending attempt is submitted again, no other made",
			func(v *View) { v.Attempts = []Attempt{tried(1, place(1, 1), Pending, None, time.Second, 1)} },
			func(d Decision) bool { return d.Fresh == nil && slices.Equal(d.Submit, []int64{1}) }},
		{"an old attempt that was never tried is tried first",
			func(v *View) { v.Attempts = []Attempt{tried(1, place(1, 1), Pending, None, time.Hour, 0)} },
			func(d Decision) bool { return d.Fresh == nil && slices.Equal(d.Submit, []int64{1}) }},
		{"a pending attempt without hope: another sender, the same address",
			func(v *View) { v.Attempts = []Attempt{tried(1, place(1, 1), Pending, None, time.Minute, 3)} },
			func(d Decision) bool {
				return d.Fresh != nil && d.Fresh.Address == 0 && d.Fresh.Sender == 2 && slices.Equal(d.Submit, []int64{1})
			}},
		{"an overdue outcome: another receiving agent, never an older address of the same",
			func(v *View) { v.Attempts = []Attempt{tried(1, place(1, 1), Submitted, None, time.Hour, 3)} },
			func(d Decision) bool {
				return d.Fresh != nil && d.Fresh.Address == 1 && slices.Equal(d.Poll, []int64{1}) && len(d.Lagging) == 1
			}},
		{"and through the other sending agent, since the first may have dropped it",
			func(v *View) { v.Attempts = []Attempt{tried(1, place(1, 1), Submitted, None, time.Hour, 3)} },
			func(d Decision) bool { return d.Fresh != nil && d.Fresh.Sender == 2 }},
		{"but not while its sending agent may hold it, as it was asked to",
			func(v *View) {
				v.Attempts = []Attempt{tried(1, place(1, 1), Submitted, None, 5*time.Minute, 3)}
				v.Attempts[0].Jitter = 2 * time.Minute
			},
			func(d Decision) bool {
				return d.Fresh == nil && len(d.Lagging) == 0 && slices.Equal(d.Poll, []int64{1})
			}},
		{"but through the same one rather than none", func(v *View) {
			v.Senders = v.Senders[:1]
			v.Attempts = []Attempt{tried(1, place(1, 1), Submitted, None, time.Hour, 3)}
		}, func(d Decision) bool { return d.Fresh != nil && d.Fresh.Sender == 1 }},
		{"closed: the next address",
			func(v *View) { v.Attempts = []Attempt{tried(1, place(1, 1), Over, Closed, time.Second, 0)} },
			func(d Decision) bool { return d.Fresh != nil && d.Fresh.Address == 1 }},
		{"full everywhere: wait as long as asked", func(v *View) {
			for i, a := range v.Addresses {
				x := tried(int64(i+1), a.Place, Over, Full, time.Second, 0)
				x.RetryAt = t0.Add(time.Hour)
				v.Attempts = append(v.Attempts, x)
			}
		}, func(d Decision) bool {
			return d.Verdict == GoOn && d.Fresh == nil && d.Wake.Equal(t0.Add(time.Hour))
		}},
		{"full, and the time has passed: sealed afresh", func(v *View) {
			v.Addresses = v.Addresses[:1]
			x := tried(1, place(1, 1), Over, Full, time.Hour, 0)
			x.RetryAt = t0
			v.Attempts = []Attempt{x}
		}, func(d Decision) bool { return d.Fresh != nil && d.Fresh.Address == 0 }},
		{"closed everywhere: it cannot be delivered", func(v *View) {
			for i, a := range v.Addresses {
				v.Attempts = append(v.Attempts, tried(int64(i+1), a.Place, Over, Closed, time.Second, 0))
			}
		}, func(d Decision) bool { return d.Verdict == Fail }},
		{"no address known yet: wait", func(v *View) { v.Addresses = nil },
			func(d Decision) bool { return d.Verdict == GoOn && d.Fresh == nil }},
		{"an unusable address is passed over", func(v *View) { v.Addresses[0].Unusable = true },
			func(d Decision) bool { return d.Fresh != nil && d.Fresh.Address == 1 }},
		{"agents in trouble come later, lifelines last", func(v *View) {
			v.Addresses[0].Trouble, v.Addresses[2].Trouble = true, true
		}, func(d Decision) bool { return d.Fresh != nil && d.Fresh.Address == 1 }},
		{"only the lifeline is left", func(v *View) { v.Addresses = v.Addresses[4:] },
			func(d Decision) bool { return d.Fresh != nil && d.Fresh.Address == 0 }},
		{"a sender that is the receiver too comes later", func(v *View) { v.Senders[0].Agent = wire.AgentID{1} },
			func(d Decision) bool { return d.Fresh != nil && d.Fresh.Sender == 2 }},
		{"a sender that declined is not asked for this address again",
			func(v *View) { v.Attempts = []Attempt{tried(1, place(1, 1), Over, Declined, time.Second, 0)} },
			func(d Decision) bool { return d.Fresh != nil && d.Fresh.Address == 0 && d.Fresh.Sender == 2 }},
		{"an outcome that opens to nothing: another sender tells whether the first lies",
			func(v *View) { v.Attempts = []Attempt{tried(1, place(1, 1), Over, Refused, time.Second, 0)} },
			func(d Decision) bool { return d.Fresh != nil && d.Fresh.Address == 0 && d.Fresh.Sender == 2 }},
		{"a mailbox that stays full is tried for longer than anything else", func(v *View) {
			v.Addresses = v.Addresses[:1]
			for i := range int64(3 * 16) {
				x := tried(i, place(1, 1), Over, Full, time.Hour, 0)
				x.RetryAt = t0
				v.Attempts = append(v.Attempts, x)
			}
		}, func(d Decision) bool { return d.Fresh != nil }},
		{"attempts are bounded", func(v *View) {
			for i := range int64(16) {
				v.Attempts = append(v.Attempts, tried(i, place(1, 1), Over, Lost, time.Hour, 0))
			}
		}, func(d Decision) bool { return d.Fresh == nil && d.Verdict == GoOn }},
		{"every sender declined the only address: stuck", func(v *View) {
			v.Addresses, v.Senders = v.Addresses[:1], v.Senders[:1]
			v.Attempts = []Attempt{tried(1, place(1, 1), Over, Declined, time.Second, 0)}
		}, func(d Decision) bool { return d.Stuck && d.Fresh == nil && d.Verdict == GoOn }},
		{"the only address's agent refused what every sender brought: stuck", func(v *View) {
			v.Addresses, v.Senders = v.Addresses[:1], v.Senders[:1]
			v.Attempts = []Attempt{tried(1, place(1, 1), Over, Refused, time.Second, 0)}
		}, func(d Decision) bool { return d.Stuck && d.Fresh == nil && d.Verdict == GoOn }},
		{"refused at one address, closed at the other: stuck", func(v *View) {
			v.Addresses, v.Senders = v.Addresses[:2], v.Senders[:1]
			v.Attempts = []Attempt{tried(1, v.Addresses[0].Place, Over, Refused, time.Second, 0),
				tried(1, v.Addresses[1].Place, Over, Closed, time.Second, 0)}
		}, func(d Decision) bool { return d.Stuck && d.Verdict == GoOn }},
		{"another sender has not been asked: not stuck", func(v *View) {
			v.Addresses, v.Senders[1].Trouble = v.Addresses[:1], true
			v.Attempts = []Attempt{tried(1, place(1, 1), Over, Refused, time.Second, 0)}
		}, func(d Decision) bool { return !d.Stuck && d.Fresh != nil && d.Fresh.Sender == 2 }},
		{"the other address may yet have a key: not stuck", func(v *View) {
			v.Addresses, v.Senders = v.Addresses[:2], v.Senders[:1]
			v.Addresses[1].Unusable = true
			v.Attempts = []Attempt{tried(1, place(1, 1), Over, Refused, time.Second, 0)}
		}, func(d Decision) bool { return !d.Stuck && d.Fresh == nil }},
		{"our agents refuse to ask for any key: stuck", func(v *View) {
			v.Addresses = v.Addresses[:1]
			v.Addresses[0].Unusable, v.Addresses[0].Barred = true, true
		}, func(d Decision) bool { return d.Stuck && d.Fresh == nil }},
		{"the other mailbox is full for now: not stuck", func(v *View) {
			v.Addresses, v.Senders = v.Addresses[:2], v.Senders[:1]
			x := tried(1, v.Addresses[1].Place, Over, Full, time.Second, 0)
			x.RetryAt = t0.Add(time.Hour)
			v.Attempts = []Attempt{tried(1, place(1, 1), Over, Refused, time.Second, 0), x}
		}, func(d Decision) bool { return !d.Stuck && d.Fresh == nil && d.Wake.Equal(t0.Add(time.Hour)) }},
		{"an attempt is under way: not stuck", func(v *View) {
			v.Addresses, v.Senders = v.Addresses[:2], v.Senders[:1]
			v.Attempts = []Attempt{tried(1, place(1, 1), Over, Refused, time.Second, 0),
				tried(1, v.Addresses[1].Place, Submitted, None, time.Second, 1)}
		}, func(d Decision) bool { return !d.Stuck }},
		{"every attempt was spent on refusals: stuck", func(v *View) {
			for i := range int64(16) {
				v.Attempts = append(v.Attempts, tried(i, place(1, 1), Over, Refused, time.Hour, 0))
			}
		}, func(d Decision) bool { return d.Stuck && d.Fresh == nil }},
		{"its time is over", func(v *View) { v.NotAfter = t0 },
			func(d Decision) bool { return d.Verdict == Expire }},
		{"stored wins over everything", func(v *View) {
			v.NotAfter = t0
			v.Attempts = []Attempt{tried(1, place(1, 1), Over, Stored, time.Second, 0)}
		}, func(d Decision) bool { return d.Verdict == Done }},
		{"one receiving agent, and the sender that has the message died: the other sender", func(v *View) {
			v.Addresses, v.Senders[0].Trouble = v.Addresses[:1], true
			v.Attempts = []Attempt{tried(1, place(1, 1), Submitted, None, time.Hour, 3)}
		}, func(d Decision) bool { return d.Fresh != nil && d.Fresh.Sender == 2 }},
		{"one receiving agent that is away: no second copy", func(v *View) {
			v.Addresses = v.Addresses[:1]
			v.Attempts = []Attempt{tried(1, place(1, 1), Submitted, None, time.Hour, 3)}
		}, func(d Decision) bool { return d.Fresh == nil }},
		{"every sender in trouble and nothing under way: try nevertheless", func(v *View) {
			v.Senders[0].Trouble, v.Senders[1].Trouble = true, true
		}, func(d Decision) bool { return d.Fresh != nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := base()
			test.change(&v)
			if d := Next(v, policy, rnd()); !test.want(d) {
				t.Errorf("decided %+v fresh %+v", d, d.Fresh)
			}
		})
	}
}

// TestNextDeliversWhateverFails runs the decisions against agents of which an arbitrary
// but one sender and one receiver stay dead: the message arrives in time, with bounded
// attempts, and never two under way through one sender to one address.
func TestNextDeliversWhateverFails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := base()
		deadSender := rapid.Int64Range(0, 2).Draw(t, "dead sender")
		deadReceiver := rapid.ByteRange(0, 3).Draw(t, "dead receiver")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		for step := 0; step < 200; step++ {
			d := Next(v, policy, r)
			if d.Verdict == Done {
				if len(v.Attempts) > 4 {
					t.Fatalf("%d attempts", len(v.Attempts))
				}
				return
			}
			if d.Verdict != GoOn {
				t.Fatalf("verdict %v", d.Verdict)
			}
			if d.Fresh != nil {
				to := v.Addresses[d.Fresh.Address]
				for _, a := range v.Attempts {
					if a.State != Over && a.Sender == d.Fresh.Sender && a.To == to.Place {
						t.Fatal("the same attempt twice")
					}
				}
				v.Attempts = append(v.Attempts, Attempt{ID: int64(len(v.Attempts) + 1), Sender: d.Fresh.Sender,
					To: to.Place, Created: v.Now, NextTry: v.Now})
				continue
			}
			for i := range v.Attempts {
				a := &v.Attempts[i]
				if !slices.Contains(d.Submit, a.ID) && !slices.Contains(d.Poll, a.ID) {
					continue
				}
				dead := a.Sender == deadSender || a.State == Submitted && a.To.Agent == (wire.AgentID{deadReceiver})
				switch {
				case dead:
					a.NextTry = v.Now.Add(policy.Backoff(a.Tries, r))
					a.Tries++
				case a.State == Pending:
					a.State, a.Tries = Submitted, 0
				default:
					a.State, a.Result = Over, Stored
				}
			}
			if d = Next(v, policy, r); d.Fresh == nil && len(d.Submit)+len(d.Poll) == 0 && d.Verdict == GoOn {
				if !d.Wake.After(v.Now) {
					t.Fatalf("asks to wake at %v, now %v", d.Wake, v.Now)
				}
				v.Now = d.Wake
			}
		}
		t.Fatal("not delivered")
	})
}

func TestBackoffDoublesWithinBounds(t *testing.T) {
	r := rnd()
	for tries := uint64(0); tries < 100; tries++ {
		d := policy.Backoff(tries, r)
		want := policy.RetryMax
		if tries < 20 && policy.RetryMin<<tries < want {
			want = policy.RetryMin << tries
		}
		if d > want || d < want/2 {
			t.Errorf("%d tries: %v, want between %v and %v", tries, d, want/2, want)
		}
	}
}

// TestReconnectFollowsTheOutage: after a short one nobody waits for long, and a long one
// is not asked about every few seconds.
func TestReconnectFollowsTheOutage(t *testing.T) {
	for _, c := range []struct{ failing, most time.Duration }{
		{time.Second, 20 * time.Second}, {10 * time.Minute, 20 * time.Second},
		{time.Hour, 2 * time.Minute}, {48 * time.Hour, 15 * time.Minute},
	} {
		for range 50 {
			if d := policy.Reconnect(40, c.failing, rnd()); d > c.most || d < c.most/2 {
				t.Errorf("after %v: a pause of %v, want %v to %v", c.failing, d, c.most/2, c.most)
			}
		}
	}
	if d := policy.Reconnect(0, 0, rnd()); d > time.Second {
		t.Errorf("the first pause is %v", d)
	}
}

func TestChooseHomes(t *testing.T) {
	ids := func(n ...byte) (out []wire.AgentID) {
		for _, b := range n {
			out = append(out, wire.AgentID{b})
		}
		return out
	}
	three := Choose(ids(1, 2, 3), Homes{}, rnd())
	if len(three.Normal) != 2 || three.Lifeline == nil || slices.Contains(three.Normal, *three.Lifeline) || three.Degraded() != "" {
		t.Fatalf("three agents: %+v", three)
	}
	if again := Choose(ids(1, 2, 3, 4, 5), three, rnd()); !again.Equal(three) {
		t.Error("homes changed without need")
	}
	left := Choose(slices.DeleteFunc(ids(1, 2, 3), func(a wire.AgentID) bool { return a == three.Normal[0] }), three, rnd())
	if len(left.Normal) != 2 || left.Lifeline != nil || !three.Lost(left) || left.Degraded() == "" {
		t.Errorf("one of three gone: %+v", left)
	}
	if one := Choose(ids(7), Homes{}, rnd()); len(one.Normal) != 1 || one.Lifeline != nil || one.Degraded() == "" {
		t.Errorf("one agent: %+v", one)
	}
	if none := Choose(nil, three, rnd()); len(none.Normal) != 0 || none.Degraded() == "" {
		t.Errorf("no agent: %+v", none)
	}
}
