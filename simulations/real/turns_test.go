package real

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"communicator/internal/testenv"
	"communicator/simulations/measure"
	"communicator/simulations/scenario"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

const (
	// conversation is for how long after a message the next one counts as of an active
	// conversation.
	conversation = 10 * time.Minute
	// flight is the size of each of a handshake's four frames, two of them the dialler's.
	flight = 1200
)

// waits keeps how long messages took to people who had just taken part in the
// conversation, and to others, and what went between users and agents.
type waits struct {
	*measure.Collector
	last          map[[2]int32]time.Duration // when one sent to, or heard from, the other
	sent          map[uint32]time.Duration
	inactive      map[uint32]bool
	active, quiet []time.Duration
	wire, flights float64
}

func newWaits(s *script.Script) *waits {
	return &waits{Collector: measure.New(s), last: map[[2]int32]time.Duration{}, sent: map[uint32]time.Duration{}, inactive: map[uint32]bool{}}
}

func (w *waits) Event(e trace.Event) {
	from, to := [2]int32{e.User, e.Peer}, [2]int32{e.Peer, e.User}
	switch e.Kind {
	case trace.Sent:
		before, known := w.last[to]
		w.last[from], w.sent[e.Message] = e.At, e.At
		w.inactive[e.Message] = !known || e.At-before > conversation
	case trace.Received:
		w.last[to] = e.At
		if took := e.At - w.sent[e.Message]; w.inactive[e.Message] {
			w.quiet = append(w.quiet, took)
		} else {
			w.active = append(w.active, took)
		}
	}
	w.Collector.Event(e)
}

func (w *waits) Frames() bool { return true }

func (w *waits) Frame(f trace.Frame) {
	if f.From < 0 || f.To < 0 {
		w.wire += float64(f.Size)
	}
	if f.From < 0 && f.Size == flight {
		w.flights++
	}
}

func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(q*float64(len(all))), len(all)-1)].Round(time.Millisecond)
}

// turns plays eight people with contacts.
func turns(t *testing.T, settings ...string) (w *waits, dials, megabytes float64) {
	t.Helper()
	sc, err := scenario.Parse("turns.yaml", []byte("tier: real\nseed: 5\ndrain: 20m\nnodes: {agents: 6, users: 8}\n"+
		"privacy: {sending_agents: 1, receiving_agents: 3}\n"), settings...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := script.Build(sc)
	if err != nil {
		t.Fatal(err)
	}
	w = newWaits(s)
	var out trace.Outcome
	synctest.Test(t, func(t *testing.T) { out, err = Run(t.Context(), s, w, trace.Limits{Memory: 4 << 30}) })
	if err != nil || out.Stopped != "" || len(out.Broken) > 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	hours := out.Virtual.Hours() * float64(len(s.Users))
	dials, megabytes = w.flights/2/hours, w.wire/1e6/hours
	for name, took := range map[string][]time.Duration{"active": w.active, "quiet": w.quiet} {
		t.Logf("%s: %d messages, p50 %v, p99 %v", name, len(took), quantile(took, 0.5), quantile(took, 0.99))
	}
	t.Logf("of each user, in an hour: %.0f dials, %.1f MB", dials, megabytes)
	return w, dials, megabytes
}

// TestTurns: people with more mailboxes than connections. Conversations that go on do not
// wait for a turn, others wait for a bounded time, and clients hardly dial. With -v it
// logs what docs/performance.md quotes.
func TestTurns(t *testing.T) {
	length := "duration=" + (time.Duration(testenv.Times(8, 40)) * time.Minute).String()
	for name, c := range map[string]struct {
		settings []string
		active   time.Duration // p99 at most
		dials    float64       // of a user in an hour, at most
	}{
		"idle":                      {[]string{"workload.contacts_per_user=7", "workload.messages_per_user_hour=0", "privacy.connections=24"}, 0, 250},
		"4 contacts":                {[]string{"workload.contacts_per_user=4", "workload.messages_per_user_hour=24", "privacy.connections=24"}, 3 * time.Second, 20},
		"7 contacts":                {[]string{"workload.contacts_per_user=7", "workload.messages_per_user_hour=24", "privacy.connections=24"}, 3 * time.Second, 300},
		"4 contacts, 6 connections": {[]string{"workload.contacts_per_user=4", "workload.messages_per_user_hour=24", "privacy.connections=6"}, 3 * time.Minute, 600},
	} {
		if !testenv.Soak() && name != "7 contacts" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			w, dials, _ := turns(t, append(c.settings, length)...)
			if got := quantile(w.active, 0.99); got > c.active {
				t.Errorf("p99 in active conversations is %v", got)
			}
			if got := quantile(w.quiet, 0.99); got > 3*time.Minute {
				t.Errorf("p99 in quiet conversations is %v", got)
			}
			if dials > c.dials {
				t.Errorf("%v dials of each user in an hour", dials)
			}
		})
	}
}
