package model

import (
	"context"
	"fmt"
	"time"

	"communicator/simulations/script"
	"communicator/simulations/trace"
	"communicator/simulations/wall"
)

// Run plays a script. It tells the recorder what happens, in order, and is stopped by ctx
// and by what the limits say: what happened until then stays told.
//
// The error is nil: what can go wrong is in the outcome.
func Run(ctx context.Context, s *script.Script, rec trace.Recorder, l trace.Limits) (trace.Outcome, error) {
	w := newWorld(s, rec)
	w.begin()
	g := &guard{ctx: ctx, limits: l, began: wall.Now(), told: -progressEvery}
	stopped := w.play(g)
	return w.finish(stopped), nil
}

// begin schedules what happens by itself.
func (w *world) begin() {
	if len(w.agents) <= sampledAgents {
		w.at(w.sampling(), event{kind: sample})
	}
	w.lookups.begin(w)
	if w.s.Scenario.Nodes.Start == "cold" {
		w.join()
	}
}

// join has every agent find its place in the overlay through a few others. They take mail
// meanwhile: nothing of a message's way needs the overlay.
func (w *world) join() {
	for i := range w.agents {
		known := &w.agents[w.decide.IntN(len(w.agents))]
		took := w.trips(joinTrips, w.agents[i].region, known.region)
		w.at(took, event{kind: agentJoined, a: int32(i)})
	}
}

// play runs the loop and says what ended it before its time.
func (w *world) play(g *guard) (stopped string) {
	changes, sends := w.s.Changes, w.s.Sends()
	send, more := sends.Next()
	for n := 0; ; n++ {
		if n%checkEvery == 0 {
			if stopped = g.check(w); stopped != "" {
				return stopped
			}
		}
		t := w.end + 1
		if len(w.events.s) > 0 {
			t = w.events.s[0].at
		}
		switch {
		case len(changes) > 0 && int64(changes[0].At) <= t && (!more || changes[0].At <= send.At):
			if int64(changes[0].At) > w.end {
				return ""
			}
			w.now = int64(changes[0].At)
			w.change(&changes[0])
			changes = changes[1:]
		case more && int64(send.At) <= t:
			if int64(send.At) > w.end {
				return ""
			}
			w.now = int64(send.At)
			w.write(send)
			send, more = sends.Next()
		case t > w.end:
			w.now = w.end
			return ""
		default:
			e := w.events.pop()
			w.now = e.at
			w.count.events++
			w.handle(&e)
		}
	}
}

func (w *world) handle(e *event) {
	switch e.kind {
	case submitArrives:
		w.onSubmitArrives(e)
	case receiptArrives:
		w.onReceiptArrives(e)
	case pollArrives:
		w.onPollArrives(e)
	case outcomeArrives:
		w.onOutcomeArrives(e)
	case askFails:
		w.onAskFails(e)
	case waitEnds:
		w.onWaitEnds(e)
	case putArrives:
		w.onPutArrives(e)
	case putAnswered:
		w.onPutAnswered(e)
	case putFails:
		w.onPutFails(e)
	case queueWakes:
		w.onQueueWakes(e)
	case messageWakes:
		w.onMessageWakes(e)
	case watchArrives:
		w.onWatchArrives(e)
	case pushArrives:
		w.onPushArrives(e)
	case ackArrives:
		w.onAckArrives(e)
	case answerDue:
		w.onAnswerDue(e)
	case agentUp:
		w.onAgentUp(e)
	case agentJoined:
		w.rec.Event(trace.Event{At: time.Duration(w.now), Kind: trace.Joined, User: trace.None, Peer: trace.None,
			Agent: e.a, Other: trace.None, Took: time.Duration(w.now)})
	case agentMissed:
		w.onAgentMissed(e)
	case agentNoticed:
		w.onAgentNoticed(e)
	case setCloses:
		w.onSetCloses(e)
	case setAges:
		w.onSetAges(e)
	case frameSent:
		w.rec.Frame(trace.Frame{At: time.Duration(w.now), From: e.a, To: e.b, Size: e.x})
	case lookupBegins:
		w.onLookupBegins()
	case lookupEnds:
		w.onLookupEnds(e)
	case sample:
		w.sampleLoads()
		w.at(w.now+w.sampling(), event{kind: sample})
	}
}

// sampling is how long it is from one sample to the next: a minute, or as many as keep the
// number of loads told in bounds.
func (w *world) sampling() int64 {
	all := w.end / int64(sampleEvery) * int64(len(w.agents))
	return int64(sampleEvery) * (1 + all/maxLoads)
}

// sampleLoads tells each agent's state.
func (w *world) sampleLoads() {
	watchers := w.watchers()
	for i := range w.agents {
		a := &w.agents[i]
		w.rec.Load(trace.Load{At: time.Duration(w.now), Agent: int32(i), Queued: int(a.queued), Held: int(a.held),
			Bytes: a.bytes + a.log*eventBytes, Events: a.log, Conns: int(a.linkCount + watchers[i])})
	}
}

// guard ends a run that is not wanted any more or takes too much.
type guard struct {
	ctx    context.Context
	limits trace.Limits
	began  time.Duration // by the machine's clock
	told   time.Duration
}

func (g *guard) check(w *world) string {
	now := wall.Now()
	if g.limits.Progress != nil && now-g.told >= progressEvery {
		g.told = now
		phase := "running"
		if w.now > int64(w.s.Scenario.Duration) {
			phase = "draining"
		}
		g.limits.Progress(trace.Progress{Phase: phase, Virtual: time.Duration(w.now), Of: time.Duration(w.end)})
	}
	switch {
	case g.ctx.Err() != nil:
		return "interrupted"
	case g.limits.Wall > 0 && now-g.began >= g.limits.Wall:
		return "out of time"
	case g.limits.Memory > 0 && wall.Resident() > g.limits.Memory:
		return "out of memory"
	}
	return ""
}

// finish tells what is told at the end, and what did not hold.
func (w *world) finish(stopped string) trace.Outcome {
	if len(w.agents) > sampledAgents || stopped != "" {
		w.sampleLoads()
	}
	w.turnsBytes()
	for p, n := range w.count.bytes {
		if n > 0 {
			w.rec.Bytes(protocolNames[p], n)
		}
	}
	o := trace.Outcome{Virtual: time.Duration(w.now), Stopped: stopped, Broken: w.count.broken}
	if n := w.count.lost; n > maxBroken {
		o.Broken = append(o.Broken, fmt.Sprintf("%d messages lost altogether", n))
	}
	o.Extra = map[string]float64{
		"model_events": float64(w.count.events), "model_automatic": float64(w.count.automatic),
		"model_recognised": float64(w.count.recognised), "model_lost_to_hostile": float64(w.count.lostHostile),
		"model_under_way": float64(w.messages.live()), "model_watch_turns": float64(w.count.turns),
	}
	return o
}

// forgotten looks at a message that nothing will bring any more.
func (w *world) forgotten(m *message) {
	if m.received || m.told || m.number == noNumber {
		return
	}
	if m.hostile {
		w.count.lostHostile++
		return
	}
	if w.count.lost++; w.count.lost <= maxBroken {
		w.count.broken = append(w.count.broken, fmt.Sprintf("message %d of %v is lost", m.number, time.Duration(m.sent)))
	}
}
