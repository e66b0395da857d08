package queue

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"communicator/wire"
)

// modelItem is what a reader of the rules would keep of a submission.
type modelItem struct {
	dest     string
	account  wire.AccountID
	probe    time.Duration // the timeout, while it is a probe
	notAfter time.Time
	flying   bool
	notYet   time.Time // certainly not sent before
}

// machine steps a queue at random and holds it to the rules of the package comment.
type machine struct {
	cfg      Config
	q        *Queue
	twin     *Queue // given the same inputs: must do the same
	now      time.Time
	next     ID
	items    map[ID]*modelItem
	answered map[string]bool
	wake     time.Time
}

const modelDests = 5

func (m *machine) step(t *rapid.T, in Input) {
	in.Random = rapid.Float64Range(0, 0.999999).Draw(t, "random")
	var out, twin Effects
	m.q.Step(m.now, in, &out)
	m.twin.Step(m.now, in, &twin)
	if !reflect.DeepEqual(out, twin) {
		t.Fatalf("the same inputs gave %+v and %+v", out, twin)
	}
	for _, send := range out.Send {
		it := m.items[send.ID]
		switch {
		case it == nil:
			t.Fatalf("sent %d, which is not queued", send.ID)
		case it.flying:
			t.Fatalf("sent %d twice", send.ID)
		case !it.notAfter.After(m.now):
			t.Fatalf("sent %d after its time", send.ID)
		case it.dest != send.Destination:
			t.Fatalf("sent %d elsewhere", send.ID)
		case m.now.Before(it.notYet):
			t.Fatalf("sent %d %v early", send.ID, it.notYet.Sub(m.now))
		}
		it.flying, it.probe = true, send.Timeout
		m.checkProbe(t, send)
	}
	for _, id := range out.Abandon {
		it := m.items[id]
		if it == nil || it.notAfter.After(m.now) || it.flying {
			t.Fatalf("abandoned %d: %+v", id, it)
		}
		delete(m.items, id)
	}
	m.wake = out.Wake
	m.check(t)
}

// checkProbe holds what was just sent to the rules of probes.
func (m *machine) checkProbe(t *rapid.T, send Send) {
	if send.Timeout == 0 {
		return
	}
	ours, all, again, ourAgain := 0, 0, 0, 0
	for id, it := range m.items {
		if it.probe == 0 {
			continue
		}
		if id != send.ID && it.dest == send.Destination {
			t.Fatalf("%q is probed by %d and %d", it.dest, id, send.ID)
		}
		all++
		mine := it.account == m.items[send.ID].account
		if mine {
			ours++
		}
		if it.probe > m.cfg.ProbeTimeout { // it failed before
			again++
			if mine {
				ourAgain++
			}
		}
	}
	half := func(n int) int { return n - n/2 }
	if all > m.cfg.Probes || ours > m.cfg.ProbesPerAccount || again > half(m.cfg.Probes) || ourAgain > half(m.cfg.ProbesPerAccount) {
		t.Fatalf("%d probes, %d again; of the account %d, %d again", all, again, ours, ourAgain)
	}
}

// check compares counts and caps with the model's.
func (m *machine) check(t *rapid.T) {
	perDest := map[string]int{}
	perAccount := map[wire.AccountID]int{}
	flying := 0
	for id, it := range m.items {
		if it.flying && it.probe == 0 {
			if perAccount[it.account]++; perAccount[it.account] > m.cfg.PerAccount {
				t.Fatalf("%d in flight of account %x", perAccount[it.account], it.account)
			}
		}
		if it.flying {
			flying++
			perDest[it.dest]++
		} else if !it.notAfter.After(m.now) {
			t.Fatalf("%d should have been abandoned", id)
		}
	}
	st := m.q.Stat()
	if st.Items != len(m.items) || st.InFlight != flying || st.Probes > m.cfg.Probes ||
		st.InFlight-st.Probes > m.cfg.Total {
		t.Fatalf("stat %+v with %d items, %d in flight", st, len(m.items), flying)
	}
	for dest, n := range perDest {
		// One probe may fly beside what was sent before the destination failed.
		if n > m.cfg.PerDestination+1 || n > 1 && !m.answered[dest] {
			t.Fatalf("%d in flight to %q", n, dest)
		}
	}
	if flying == 0 && len(m.items) > 0 && (m.wake.IsZero() || !m.wake.After(m.now)) {
		t.Fatalf("%d items, none in flight and wake at %v, now %v", len(m.items), m.wake, m.now)
	}
}

func (m *machine) pickFlying(t *rapid.T) ID {
	ids := slices.Sorted(maps.Keys(m.items))
	ids = slices.DeleteFunc(ids, func(id ID) bool { return !m.items[id].flying })
	if len(ids) == 0 {
		t.Skip("none in flight")
	}
	return rapid.SampledFrom(ids).Draw(t, "id")
}

func (m *machine) answer(t *rapid.T, kind Kind) {
	id := m.pickFlying(t)
	it := m.items[id]
	in := Input{Kind: kind, ID: id}
	it.flying, it.probe = false, 0
	switch kind {
	case Settled:
		m.answered[it.dest] = true
		delete(m.items, id)
	case Refused, Held:
		m.answered[it.dest] = m.answered[it.dest] || kind == Refused
		it.notYet = m.now.Add(m.cfg.BackoffMin)
	case Deferred:
		in.RetryAfter = time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "retry"))
		fallthrough
	case Failed:
		// The first failure of a destination that was quiet pauses it; later ones
		// in the same pause may find it over sooner.
		it.notYet = m.now
	}
	m.step(t, in)
	if it.notAfter.Compare(m.now) <= 0 && m.items[id] != nil {
		t.Fatalf("%d came back after its time and was kept", id)
	}
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{
			BackoffMin: time.Second, BackoffMax: time.Minute, JitterMax: time.Minute,
			PerDestination:   rapid.IntRange(1, 4).Draw(t, "perDestination"),
			Total:            rapid.IntRange(1, 8).Draw(t, "total"),
			Probes:           rapid.IntRange(1, 4).Draw(t, "probes"),
			ProbesPerAccount: rapid.IntRange(1, 3).Draw(t, "probesPerAccount"),
			ProbeTimeout:     time.Second, ProbeTimeoutMax: 4 * time.Second,
			PerAccount: rapid.IntRange(1, 4).Draw(t, "perAccount"),
			Burst:      rapid.IntRange(1, 3).Draw(t, "burst"),
		}
		m := &machine{
			cfg: cfg, q: New(cfg), twin: New(cfg), now: epoch,
			items: map[ID]*modelItem{}, answered: map[string]bool{},
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				m.next++
				account := wire.AccountID{byte(rapid.IntRange(0, 2).Draw(t, "account"))}
				dest := string(rune('a' + rapid.IntRange(0, modelDests-1).Draw(t, "dest")))
				left := time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Hour)).Draw(t, "left"))
				jitter := time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "jitter"))
				m.items[m.next] = &modelItem{dest: dest, account: account, notAfter: m.now.Add(left)}
				answers := rapid.Bool().Draw(t, "answers")
				m.answered[dest] = m.answered[dest] || answers
				m.step(t, Input{Kind: Add, Answers: answers, ID: m.next, Account: account, Destination: dest, NotAfter: m.now.Add(left), Jitter: jitter})
			},
			"settled":  func(t *rapid.T) { m.answer(t, Settled) },
			"refused":  func(t *rapid.T) { m.answer(t, Refused) },
			"deferred": func(t *rapid.T) { m.answer(t, Deferred) },
			"failed":   func(t *rapid.T) { m.answer(t, Failed) },
			"held":     func(t *rapid.T) { m.answer(t, Held) },
			"stray": func(t *rapid.T) {
				m.step(t, Input{Kind: Kind(rapid.IntRange(2, 6).Draw(t, "kind")), ID: m.next + 1})
			},
			"wake": func(t *rapid.T) {
				if m.wake.After(m.now) {
					m.now = m.wake
				}
				m.step(t, Input{})
			},
			"wait": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "wait")))
				m.step(t, Input{})
			},
		})
		m.drain(t)
	})
}

// drain answers everything from now on: whatever has time left must be delivered,
// and the queue end empty.
func (m *machine) drain(t *rapid.T) {
	for steps := 0; len(m.items) > 0; steps++ {
		if steps > 10_000 {
			t.Fatalf("%d items never left", len(m.items))
		}
		flying := ID(0)
		for id, it := range m.items {
			if it.flying && (flying == 0 || id < flying) {
				flying = id
			}
		}
		if flying != 0 {
			m.answered[m.items[flying].dest] = true
			delete(m.items, flying)
			m.step(t, Input{Kind: Settled, ID: flying})
			continue
		}
		m.now = m.wake
		m.step(t, Input{})
	}
	if st := m.q.Stat(); st != (Stat{}) {
		t.Fatalf("drained, yet %+v", st)
	}
}
