package leakage

import (
	"maps"
	"slices"
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
	of      map[int32][]int32  // user → victims
	ofPair  map[int32]int32    // relation → victim
	taken   map[int32][]*chase // by the agent that took the frame
	reached map[int32][]*chase // by an agent that may have it
	outs    recent             // what users' machines sent lately
	puts    recent             // what agents sent each other lately
	due     []due              // the earliest first
	scores  []float64          // scratch
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
	victim int32
	until  time.Duration
	size   int32   // of the frame that would come out
	share  float64 // of that size among all
	agents []int32 // that may have it, first the one that took it
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
		taken:  map[int32][]*chase{}, reached: map[int32][]*chase{}, outs: recent{}, puts: recent{},
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
	for len(w.due) > 0 && w.due[0].at < now {
		d := w.due[0]
		w.due = w.due[1:]
		w.look(&w.victims[d.victim], d.messages)
	}
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
	w.outs.add(f.To, sighting{f.At, user, f.Size}, f.At-w.window)
	for _, i := range w.of[user] {
		v := &w.victims[i]
		c := &chase{victim: i, until: f.At + w.window, size: size, share: w.lesson.share(&w.in, size)}
		v.forward.frames++
		w.taken[f.To] = append(w.live(w.taken, f.To), c)
		w.reach(c, f.To)
	}
}

// live lists an agent's chases that are not over.
func (w *watcher) live(of map[int32][]*chase, agent int32) []*chase {
	all := of[agent]
	if len(all) == 0 {
		return nil
	}
	left := slices.DeleteFunc(all, func(c *chase) bool { return c.until < w.now })
	of[agent] = left
	return left
}

// reach notes that an agent may have a frame from now on.
func (w *watcher) reach(c *chase, agent int32) {
	c.agents = append(c.agents, agent)
	w.reached[agent] = append(w.live(w.reached, agent), c)
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
	w.puts.add(f.To, sighting{f.At, f.From, f.Size}, f.At-w.window)
	for _, c := range w.live(w.taken, f.From) {
		if w.lesson.put(f.Size, c.size) && !slices.Contains(c.agents, f.To) {
			w.reach(c, f.To)
		}
	}
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
	for _, c := range w.live(w.reached, f.From) {
		if v := &w.victims[c.victim]; v.user != user && w.lesson.same(c.size, f.Size) {
			v.forward.hit(user)
		}
	}
	for _, i := range w.of[user] {
		w.trace(f, &w.victims[i], size)
	}
}

// trace follows a frame to a victim back to who may have sent what is in it.
func (w *watcher) trace(f *trace.Frame, v *victim, size int32) {
	from := f.At - w.window
	latest := map[int32]time.Duration{f.From: f.At} // by sending agent: when it last put something there
	for _, s := range w.puts.since(f.From, from) {
		if w.lesson.put(s.size, f.Size) {
			latest[s.from] = s.at
		}
	}
	v.backward.frames++
	share := w.lesson.share(&w.out, size)
	for _, agent := range slices.Sorted(maps.Keys(latest)) { // in order, so that every run of a seed adds up alike
		until := latest[agent]
		v.backward.expose(agent, (until-from).Seconds()*share)
		for _, s := range w.outs.since(agent, from) {
			if s.at <= until && s.from != v.user && w.lesson.same(s.size, size) {
				v.backward.hit(s.from)
			}
		}
	}
}
