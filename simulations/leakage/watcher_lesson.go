package leakage

import (
	"slices"
	"time"

	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// lesson is what the watcher learns about sizes from messages of its own, sent through
// agents as anybody may: by how much a submission is longer than the frame in which its
// message comes out. The first messages of the run stand for them.
type lesson struct {
	learned bool
	sized   bool  // sizes tell something
	longer  int32 // bytes
	guesses [2]guess
}

// guess is a way of telling which frames were a message's: the last before it was accepted
// and before it was received, or the largest since it was sent and since it was stored.
// Whichever agrees with itself more is believed.
type guess struct {
	largest bool
	out, in []int32          // by user: size of the last or largest frame
	sent    map[uint32]int32 // by message
	samples []int32
}

func newLesson(users int) (l lesson) {
	for i := range l.guesses {
		l.guesses[i] = guess{largest: i == 1, out: make([]int32, users), in: make([]int32, users), sent: map[uint32]int32{}}
	}
	return l
}

func (g *guess) note(sizes []int32, user, size int32) {
	if !g.largest || size > sizes[user] {
		sizes[user] = size
	}
}

func (l *lesson) sent(user, size int32) {
	for i := range l.guesses {
		if g := &l.guesses[i]; !l.learned {
			g.note(g.out, user, size)
		}
	}
}

func (l *lesson) got(user, size int32) {
	for i := range l.guesses {
		if g := &l.guesses[i]; !l.learned {
			g.note(g.in, user, size)
		}
	}
}

// event follows the lesson's messages.
func (l *lesson) event(e *trace.Event, w way) {
	for i := range l.guesses {
		l.guesses[i].event(e, w)
	}
	if len(l.guesses[0].samples) < calibration {
		return
	}
	l.learned = true
	most := 0
	for i := range l.guesses {
		longer, agree := l.guesses[i].conclude()
		if agree > most {
			most, l.longer = agree, longer
		}
	}
	l.sized = most*2 > calibration
	l.guesses = [2]guess{}
}

func (g *guess) event(e *trace.Event, w way) {
	switch e.Kind {
	case trace.Sent:
		g.out[w.from] = 0
	case trace.Accepted:
		if len(g.sent) < maxLessons {
			g.sent[e.Message] = g.out[w.from]
		}
	case trace.Stored:
		g.in[w.to] = 0
	case trace.Received:
		if x := g.sent[e.Message]; x > 0 { // what came in may be nothing that was seen: a sample like any other
			g.samples = append(g.samples, x-g.in[w.to])
		}
		delete(g.sent, e.Message)
	}
}

// conclude is the middle of the samples, and how many agree with it.
func (g *guess) conclude() (longer int32, agree int) {
	if len(g.samples) == 0 {
		return 0, 0
	}
	slices.Sort(g.samples)
	longer = g.samples[len(g.samples)/2]
	for _, x := range g.samples {
		if max(x-longer, longer-x) <= sizeClass {
			agree++
		}
	}
	return longer, agree
}

// pushOf is the size of the frame in which a submission's message comes out.
func (l *lesson) pushOf(submitted int32) int32 {
	if l.sized {
		return submitted - l.longer
	}
	return submitted
}

// submitOf is the size of the submission of a message that comes out in a frame.
func (l *lesson) submitOf(pushed int32) int32 {
	if l.sized {
		return pushed + l.longer
	}
	return pushed
}

// put says whether a frame between agents may carry what comes out in a frame of a size.
func (l *lesson) put(size, pushed int32) bool {
	return !l.sized || size >= pushed && size <= pushed+max(l.longer, 0)+putSlack
}

// same says whether two sizes cannot be told apart.
func (l *lesson) same(a, b int32) bool {
	return !l.sized || max(class(a)-class(b), class(b)-class(a)) <= 1
}

// like says whether a frame is one that messages come in: its counterpart at the other end
// is a size that is seen there.
func (l *lesson) like(f *flow, counterpart int32) bool {
	if !l.sized {
		return counterpart >= unsized
	}
	return counterpart > 0 && float64(f.near(counterpart)) > rare*float64(f.total)
}

// share is which share of the frames that messages come in has a size.
func (l *lesson) share(f *flow, size int32) float64 {
	if !l.sized || f.counted == 0 {
		return 1
	}
	return min(float64(f.near(size))/float64(f.counted), 1)
}

func class(size int32) int32 { return min(max(size, 0)/sizeClass, maxClass-1) }

// homes is how many agents of a user are counted apart: all that the script gives them, and
// the rest together.
const homes = 2*script.MaxAgents + 1

// flow is what passes between users' machines and agents in one direction.
type flow struct {
	script  *script.Script
	sizes   []uint32 // of all frames, by class
	total   uint64
	counts  [][homes]uint32 // by user and agent: of the frames that messages may come in
	counted uint64
}

func newFlow(s *script.Script) flow {
	return flow{script: s, sizes: make([]uint32, maxClass), counts: make([][homes]uint32, len(s.Users))}
}

func (f *flow) seen(size int32) {
	f.sizes[class(size)]++
	f.total++
}

// near is how many frames have a size that cannot be told from one.
func (f *flow) near(size int32) (n uint32) {
	c := class(size)
	for i := max(c-1, 0); i <= min(c+1, maxClass-1); i++ {
		n += f.sizes[i]
	}
	return n
}

// agentAt is the agent of a user that is counted in a place; -1: none, or the rest.
func (f *flow) agentAt(user int32, place int) int32 {
	u := &f.script.Users[user]
	switch {
	case place < script.MaxAgents:
		return u.Sending[place]
	case place < 2*script.MaxAgents:
		return u.Receiving[place-script.MaxAgents]
	default:
		return trace.None
	}
}

func (f *flow) count(user, agent int32) {
	place := homes - 1
	for i := range homes - 1 {
		if f.agentAt(user, i) == agent {
			place = i
			break
		}
	}
	f.counts[user][place]++
	f.counted++
}

// sighting is a frame that was seen: from a user's machine, or from an agent.
type sighting struct {
	at   time.Duration
	from int32
	size int32
}

// recent is what each agent was sent lately, the oldest first.
type recent map[int32][]sighting

// add notes a frame to an agent, and forgets those from before a time.
func (r recent) add(agent int32, s sighting, before time.Duration) {
	r[agent] = append(r.since(agent, before), s)
}

// since lists frames to an agent from a time on.
func (r recent) since(agent int32, from time.Duration) []sighting {
	list := r[agent]
	n := 0
	for n < len(list) && list[n].at < from {
		n++
	}
	return list[n:]
}
