package model

import (
	"context"
	"testing"
	"time"

	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// lossless has everybody's messages arrive, and says so.
func wantAll(t *testing.T, rec *tape) {
	t.Helper()
	missing := 0
	for n := range rec.sent {
		if _, ok := rec.got[n]; !ok && !rec.ended[n] {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d messages did not arrive", missing, len(rec.sent))
	}
}

const busy = "tier: model\nseed: 3\nduration: 20m\ndrain: 20m\nnodes: {agents: 40, users: 200}\nworkload: {messages_per_user_hour: 30, contacts_per_user: 1}\n"

// TestPartition cuts off three agents in ten for ten minutes, then loses three packets in
// ten: nothing is lost or shown twice, and a minute after the end of it all has arrived.
func TestPartition(t *testing.T) {
	const cutEnd = 15 * time.Minute
	rec, _ := play(t, build(t, busy, "events=[{at: 5m, for: 10m, cut_off: 0.3}, {at: 5m, for: 10m, loss: 0.3}]"))
	wantAll(t, rec)
	late := 0
	var last time.Duration
	for n, at := range rec.got {
		if rec.sent[n] < cutEnd && at > cutEnd+time.Minute {
			late++
		}
		if rec.sent[n] < cutEnd {
			last = max(last, at-cutEnd)
		}
	}
	if late > 0 {
		t.Errorf("%d messages came more than a minute after the end of it, the last after %v", late, last)
	}
	if p := rec.quantile(0.5); p > 10*time.Second {
		t.Errorf("half of the messages took more than %v", p)
	}
}

// TestOneAgentDies: each relationship has addresses at two agents and more.
func TestOneAgentDies(t *testing.T) {
	rec, _ := play(t, build(t, busy, "nodes.agents=6", "events=[{at: 5m, kill: 0.17}]"))
	if rec.kinds[trace.Down] != 1 || rec.kinds[trace.Up] != 0 {
		t.Fatalf("%v", rec.kinds)
	}
	missing := 0
	for n, at := range rec.sent {
		if _, ok := rec.got[n]; !ok && at > 6*time.Minute {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d messages written after it had died did not arrive", missing)
	}
}

// TestKill: what was acknowledged survives kill -9, and arrives once.
func TestKill(t *testing.T) {
	rec, _ := play(t, build(t, busy, "events=[{at: 4m, for: 30s, kill: 0.5}, {at: 8m, for: 30s, kill: 0.5}, {at: 12m, for: 2m, kill: 0.5}]"))
	wantAll(t, rec)
	if rec.kinds[trace.Down] != 60 || rec.kinds[trace.Up] != 60 {
		t.Errorf("%v", rec.kinds)
	}
}

func TestFrozenAgents(t *testing.T) {
	rec, _ := play(t, build(t, busy, "events=[{at: 5m, for: 5m, freeze: 0.3}]"))
	wantAll(t, rec)
}

func TestChurn(t *testing.T) {
	rec, _ := play(t, build(t, busy, "churn={model: weibull, scale: 20m, down: 2m}", "drain=30m"))
	wantAll(t, rec)
	if rec.kinds[trace.Down] < 20 || rec.kinds[trace.Refused] == 0 {
		t.Errorf("%v", rec.kinds)
	}
}

// TestFullDisks: agents whose disks are full take nothing, and what they have is collected.
func TestFullDisks(t *testing.T) {
	rec, _ := play(t, build(t, busy, "events=[{at: 5m, for: 5m, full: 0.5}]"))
	wantAll(t, rec)
	if rec.kinds[trace.Refused] == 0 {
		t.Error("no put was refused")
	}
}

// TestDrain: users leave agents that are drained, and nothing goes there any more.
func TestDrain(t *testing.T) {
	s := build(t, busy, "events=[{at: 5m, drain: 0.25}]", "duration=40m")
	leaving := map[int32]bool{}
	for _, a := range s.Changes[0].Agents {
		leaving[a] = true
	}
	late, rotated := 0, 0
	rec := newTape()
	rec.on = func(e trace.Event) {
		if e.Kind == trace.Rotated && e.At > 5*time.Minute {
			rotated++
			if leaving[e.Other] {
				t.Fatalf("a new address at an agent that is leaving")
			}
		}
		if e.Kind == trace.Put && leaving[e.Other] && e.At > 30*time.Minute {
			late++
		}
	}
	playOn(t, s, rec)
	wantAll(t, rec)
	if rotated == 0 {
		t.Error("nobody moved")
	}
	if late > rec.kinds[trace.Put]/100 {
		t.Errorf("%d of %d puts went to agents that were left long before", late, rec.kinds[trace.Put])
	}
}

// TestHostileAgents: what they drop as receiving agents is lost and told as theirs. Of the
// rest everything arrives whose sender has one honest agent to send through.
func TestHostileAgents(t *testing.T) {
	for _, do := range []string{"drop", "delay", "forge"} {
		s := build(t, busy, "adversary.hostile={share: 0.1, do: "+do+"}")
		rec := newTape()
		rec.keep = true
		_, o := playOn(t, s, rec)
		missing := 0
		for _, e := range rec.events {
			if e.Kind != trace.Sent {
				continue
			}
			honest := 0
			for _, a := range s.Users[e.User].Sending[:2] {
				if s.Agents[a].Hostile == script.Honest {
					honest++
				}
			}
			if _, ok := rec.got[e.Message]; !ok && honest > 0 {
				missing++
			}
		}
		lost := o.Extra["model_lost_to_hostile"]
		if do == "drop" && lost == 0 || do != "drop" && lost > 0 || float64(missing) > lost {
			t.Errorf("%s: %d of %d did not arrive, %v of them dropped", do, missing, len(rec.sent), lost)
		}
		if do == "delay" && rec.kinds[trace.Refused] == 0 {
			t.Error("nothing was late")
		}
	}
}

// TestOfflineDevices: what is sent to people whose devices are off waits for them.
func TestOfflineDevices(t *testing.T) {
	rec, _ := play(t, build(t, busy, "events=[{at: 2m, for: 10m, offline: 0.5}]"))
	wantAll(t, rec)
	waited := 0
	for n, at := range rec.got {
		if at-rec.sent[n] > time.Minute {
			waited++
		}
	}
	if waited < len(rec.sent)/10 {
		t.Errorf("only %d of %d waited for a device", waited, len(rec.sent))
	}
}

// TestJitter: agents hold messages as long as was asked for, on average.
func TestJitter(t *testing.T) {
	plain, _ := play(t, build(t, busy))
	held, _ := play(t, build(t, busy, "privacy.jitter=10s"))
	mean := func(r *tape) (sum time.Duration) {
		for _, l := range r.latencies() {
			sum += l
		}
		return sum / time.Duration(len(r.got))
	}
	if more := mean(held) - mean(plain); more < 8*time.Second || more > 13*time.Second {
		t.Errorf("jitter with a mean of 10 s adds %v", more)
	}
}

func TestRotation(t *testing.T) {
	rec, o := play(t, build(t, busy, "privacy.rotate_every=5"))
	wantAll(t, rec)
	never, _ := play(t, build(t, busy))
	if rec.kinds[trace.Rotated] < 100 || rec.kinds[trace.Rotated] <= 3*never.kinds[trace.Rotated] || o.Extra["model_automatic"] == 0 {
		t.Errorf("%d addresses, %d without; %v", rec.kinds[trace.Rotated], never.kinds[trace.Rotated], o.Extra)
	}
}

// TestAddressesAreRenewed: two who do not write for two months, and have no lifelines, find
// each other's addresses valid.
func TestAddressesAreRenewed(t *testing.T) {
	rec, o := play(t, build(t, "tier: model\nduration: 89d\ndrain: 1d\nnodes: {agents: 10, users: 20}\nworkload: {messages_per_pair: 2, contacts_per_user: 4}\nprivacy: {receiving_agents: 2}\n"))
	wantAll(t, rec)
	if o.Extra["model_automatic"] == 0 || rec.kinds[trace.Rotated] == 0 || len(rec.got) != len(rec.sent) {
		t.Errorf("%v, %v", o.Extra, rec.kinds)
	}
}

// TestConnections: with fewer connections than mailboxes are watched over, the mailboxes of
// the others take turns, and mail waits for its own, for a bounded time.
func TestConnections(t *testing.T) {
	many, _ := play(t, build(t, busy, "workload.contacts_per_user=4"))
	usual, _ := play(t, build(t, busy, "workload.contacts_per_user=4", "privacy.connections=24"))
	few, _ := play(t, build(t, busy, "workload.contacts_per_user=4", "privacy.connections=6"))
	wantAll(t, few)
	if a, b := many.quantile(0.9), few.quantile(0.9); a > 2*time.Second || b < 30*time.Second || b > 2*watchMost {
		t.Errorf("nine in ten arrive within %v with a connection for each mailbox, within %v with six", a, b)
	}
	if b := usual.quantile(0.9); b > 2*time.Second {
		t.Errorf("nine in ten arrive within %v with as many connections as by default", b)
	}
	if a, b := many.bytes["dial"], few.bytes["dial"]; b < 2*a {
		t.Errorf("turns dial: %d bytes, and %d without", b, a)
	}
}

// TestPadding: without it, messages weigh what they weigh.
func TestPadding(t *testing.T) {
	size := func(setting string) map[int32]int {
		sizes := map[int32]int{}
		rec := newTape()
		rec.on = func(e trace.Event) {
			if e.Kind == trace.Put {
				sizes[e.Size]++
			}
		}
		playOn(t, build(t, busy, setting), rec)
		return sizes
	}
	if padded := len(size("privacy.padding=buckets")); padded > 3 {
		t.Errorf("%d sizes with padding", padded)
	}
	if bare := len(size("privacy.padding=none")); bare < 100 {
		t.Errorf("%d sizes without padding", bare)
	}
}

// TestCancel: a run that is interrupted keeps what it has told.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	rec := newTape()
	rec.on = func(e trace.Event) {
		if e.At > 10*time.Minute {
			cancel()
		}
	}
	phases := map[string]int{}
	o, err := Run(ctx, build(t, busy, "workload.messages_per_user_hour=600"), rec,
		trace.Limits{Progress: func(p trace.Progress) { phases[p.Phase]++ }})
	if err != nil || o.Stopped != "interrupted" || o.Virtual < 10*time.Minute || o.Virtual > 19*time.Minute || rec.kinds[trace.Received] == 0 || len(rec.bytes) == 0 {
		t.Errorf("%+v, %v, %v", o, err, rec.kinds)
	}
	if phases["running"] == 0 {
		t.Error("no progress was told")
	}
	for _, l := range []trace.Limits{{Memory: 1}, {Wall: 1}} {
		o, err = Run(context.Background(), build(t, busy), newTape(), l)
		if err != nil || o.Stopped == "" || o.Virtual > time.Minute {
			t.Errorf("%+v: %+v, %v", l, o, err)
		}
	}
}
