package leakage

import (
	"time"

	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// watcher is a global passive observer: it sees when how many bytes pass between which
// machines, knows the protocol and the sizes of its frames, and nothing of what is in them.
//
//	victim ──x──▶ s ──put──▶ r ──y──▶ candidate     forward: the victim's machine sends
//	candidate ──x──▶ s ──put──▶ r ──y──▶ victim     backward: it is sent to
//
// It follows each frame of the victim's as far as it may have gone within the window, and
// counts for every user how often a frame of the right size came out there (or went in).
type watcher struct {
	deaf
	script  *script.Script
	targets *targets
	window  time.Duration
	now     time.Duration
	lesson  lesson
	begun   time.Duration // when the lesson was learned
	in, out flow
	victims []victim
	of      map[int32][]int32 // user → victims
	ofPair  map[int32]int32   // relation → victim
	open    []chase           // forward, the oldest first
	outs    recent            // what users' machines sent lately
	puts    recent            // what agents sent each other lately
	due     []due             // the earliest first
	scores  []float64         // scratch
}

// victim is a target pair's member who is watched, and what is known of their peers.
type victim struct {
	user, peer        int32
	others            map[int32]bool // further contacts: right answers, too, and left out
	forward, backward evidence
	messages          int // of the pair, in either direction
	found             []finding
}

// finding is what was known after a number of messages.
type finding struct {
	messages int
	anonymity
}

// evidence is how often users were where a victim's frames may have gone or come from.
type evidence struct {
	hits     []uint16          // by user
	frames   int               // of the victim's
	exposure map[int32]float64 // by agent: seconds in which its frames counted, times the share of a frame's size among all
	total    float64           // sum of exposure
}

// chase is a frame of a victim's that is being followed.
type chase struct {
	victim  int32
	until   time.Duration
	size    int32   // of the frame that would come out
	share   float64 // of that size among all
	agent   int32   // that took it
	reached []int32 // agents that may have it
}

// due is a look at what is known of a victim, when the frames of their messages have come
// out.
type due struct {
	at       time.Duration
	victim   int32
	messages int
}

func newWatcher(s *script.Script, t *targets) adversary {
	if s.Scenario.Adversary.Observer == "none" {
		return nil
	}
	w := &watcher{script: s, targets: t, of: map[int32][]int32{}, ofPair: map[int32]int32{},
		window: s.Scenario.Adversary.Window.D() + jitterMeans*s.Scenario.Privacy.Jitter.D(),
		lesson: newLesson(len(s.Users)), in: newFlow(s), out: newFlow(s), scores: make([]float64, len(s.Users))}
	r := s.Rand("victims", 0)
	n := min(len(t.relations), max(1, int(watchedCells)/len(s.Users)))
	for i, rel := range t.relations[:n] {
		v := victim{user: s.Relations[rel].A, others: map[int32]bool{},
			forward: newEvidence(len(s.Users)), backward: newEvidence(len(s.Users))}
		if r.IntN(2) == 1 {
			v.user = s.Relations[rel].B
		}
		v.peer = s.Relations[rel].Other(v.user)
		for _, c := range s.Users[v.user].Contacts {
			if other := s.Relations[c].Other(v.user); other != v.peer {
				v.others[other] = true
			}
		}
		w.victims = append(w.victims, v)
		w.of[v.user] = append(w.of[v.user], int32(i))
		w.ofPair[rel] = int32(i)
	}
	return w
}

func newEvidence(users int) evidence {
	return evidence{hits: make([]uint16, users), exposure: map[int32]float64{}}
}

func (w *watcher) frames() bool { return true }

// event tells the watcher nothing that it sees: it is how its lesson's own messages are
// known, and when what it knows of a victim is looked at.
func (w *watcher) event(e *trace.Event, way way) {
	w.advance(e.At)
	if !w.lesson.learned {
		w.lesson.event(e, way)
		if w.lesson.learned {
			w.begun = e.At
		}
	}
	i, ok := w.ofPair[way.relation]
	if !ok || e.Kind != trace.Received {
		return
	}
	v := &w.victims[i]
	v.messages++
	for _, n := range after {
		if n == v.messages {
			w.due = append(w.due, due{e.At + w.window, i, n})
		}
	}
}

// advance ends what is over.
func (w *watcher) advance(now time.Duration) {
	w.now = max(w.now, now)
	for len(w.open) > 0 && w.open[0].until < now {
		w.open = w.open[1:]
	}
	for len(w.due) > 0 && w.due[0].at < now {
		d := w.due[0]
		w.due = w.due[1:]
		w.look(&w.victims[d.victim], d.messages)
	}
	w.outs.forget(now - w.window)
	w.puts.forget(now - w.window)
}

// frame follows what passes.
func (w *watcher) frame(f *trace.Frame) {
	w.advance(f.At)
	switch {
	case f.From < 0 && f.To >= 0:
		w.leaves(f, trace.UserMachine(f.From))
	case f.From >= 0 && f.To < 0:
		w.arrives(f, trace.UserMachine(f.To))
	case f.From >= 0:
		w.passes(f)
	}
}

// leaves sees a frame of a user's machine to an agent.
func (w *watcher) leaves(f *trace.Frame, user int32) {
	w.out.seen(f.Size)
	w.lesson.sent(user, f.Size)
	size := w.lesson.pushOf(f.Size)
	if !w.lesson.learned || !w.lesson.like(&w.in, size) {
		return
	}
	w.out.count(user, f.To)
	w.outs.add(sighting{f.At, user, f.To, f.Size})
	for _, i := range w.of[user] {
		v := &w.victims[i]
		c := chase{victim: i, until: f.At + w.window, size: size, share: w.lesson.share(&w.in, size), agent: f.To}
		v.forward.frames++
		w.reach(&c, f.To)
		w.open = append(w.open, c)
	}
}

// reach notes that an agent may have a frame from now on.
func (w *watcher) reach(c *chase, agent int32) {
	c.reached = append(c.reached, agent)
	w.victims[c.victim].forward.expose(agent, (c.until-w.now).Seconds()*c.share)
}

func (e *evidence) expose(agent int32, seconds float64) {
	e.exposure[agent] += seconds
	e.total += seconds
}

func (e *evidence) hit(user int32) {
	if e.hits[user] < 1<<16-1 {
		e.hits[user]++
	}
}

// passes sees a frame from an agent to another.
func (w *watcher) passes(f *trace.Frame) {
	if !w.lesson.learned {
		return
	}
	w.puts.add(sighting{f.At, f.From, f.To, f.Size})
	for i := range w.open {
		if c := &w.open[i]; c.agent == f.From && w.lesson.put(f.Size, c.size) && !has(c.reached, f.To) {
			w.reach(c, f.To)
		}
	}
}

func has(list []int32, x int32) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}

// arrives sees a frame from an agent to a user's machine.
func (w *watcher) arrives(f *trace.Frame, user int32) {
	w.in.seen(f.Size)
	w.lesson.got(user, f.Size)
	size := w.lesson.submitOf(f.Size)
	if !w.lesson.learned || !w.lesson.like(&w.out, size) {
		return
	}
	w.in.count(user, f.From)
	for i := range w.open {
		c := &w.open[i]
		if v := &w.victims[c.victim]; v.user != user && w.lesson.same(c.size, f.Size) && has(c.reached, f.From) {
			v.forward.hit(user)
		}
	}
	for _, i := range w.of[user] {
		w.trace(f, &w.victims[i], size)
	}
}

// trace follows a frame to a victim back to who may have sent what is in it.
func (w *watcher) trace(f *trace.Frame, v *victim, size int32) {
	latest := map[int32]time.Duration{f.From: f.At} // by sending agent: when it last put something there
	for _, s := range w.puts.list {
		if s.to == f.From && w.lesson.put(s.size, f.Size) {
			latest[s.from] = max(latest[s.from], s.at)
		}
	}
	v.backward.frames++
	share := w.lesson.share(&w.out, size)
	for _, s := range w.agentsIn(latest) {
		v.backward.expose(s, max(latest[s]-(f.At-w.window), 0).Seconds()*share)
	}
	for _, s := range w.outs.list {
		if until, ok := latest[s.to]; ok && s.at <= until && s.from != v.user && w.lesson.same(s.size, size) {
			v.backward.hit(s.from)
		}
	}
}
