package real

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"

	"communicator/simulations/script"
	"communicator/simulations/trace"
	"communicator/simulations/wall"
	"communicator/wire"
)

// world is one run.
type world struct {
	s        *script.Script
	limits   trace.Limits
	dir      string
	tape     *tape
	net      *fabric
	agents   []*agent
	byID     map[wire.AgentID]int32
	users    []*user
	messages *messages
	names    *names // nil where nothing is looked up
	watch    *watch

	ctx  context.Context // ends when the run is stopped
	stop context.CancelCauseFunc
	work sync.WaitGroup // what changes and sends began

	current       atomic.Pointer[string] // phase
	live          atomic.Bool            // the run has begun
	fills         bool                   // disks are full at some time
	carriedBytes  sync.Map               // protocol.ID → *atomic.Int64
	undecryptable atomic.Int64
	alarms        atomic.Int64

	mu     sync.Mutex // guards what follows
	broken []string
	more   int // broken that are not in the list
	extras map[string]float64
}

// Run plays a script, in a bubble of virtual time (testing/synctest), which it leaves
// without goroutines. It tells the recorder what happens, and is stopped by ctx, which may
// come from outside of the bubble, and by what the limits say: what happened until then
// stays told. With a context of [Watch] a run that hangs ends as well.
//
// Errors: what kept everybody from being there at the start.
func Run(ctx context.Context, s *script.Script, rec trace.Recorder, l trace.Limits) (trace.Outcome, error) {
	w, err := newWorld(s, rec, l)
	if err != nil {
		return trace.Outcome{}, err
	}
	defer os.RemoveAll(w.dir)
	w.watch = watchOf(ctx)
	w.watch.began(w)
	var beat sync.WaitGroup
	done := make(chan struct{})
	beat.Go(func() { w.beat(ctx, done) })
	err = w.play()
	stopped := w.stopped()
	if stopped != "" {
		err = nil // what failed, failed of being stopped
	}
	out := w.finish(stopped, err == nil)
	close(done)
	beat.Wait()
	w.watch.ended()
	return out, err
}

func newWorld(s *script.Script, rec trace.Recorder, l trace.Limits) (*world, error) {
	dir, err := os.MkdirTemp(memoryDir(), "communicator-simulation-")
	if err != nil {
		return nil, err
	}
	w := &world{s: s, limits: l, dir: dir, tape: newTape(rec), byID: map[wire.AgentID]int32{}, extras: map[string]float64{}}
	w.messages = &messages{tape: w.tape}
	w.net = newFabric(s, w.tape)
	// A context from outside cannot end one in here.
	w.ctx, w.stop = context.WithCancelCause(context.Background())
	for i := range s.Users {
		w.users = append(w.users, newUser(w, int32(i)))
	}
	for _, c := range s.Changes {
		w.fills = w.fills || c.Act == script.Full
	}
	return w, nil
}

// memoryDir is where files cost no disk, if the machine has such a place.
func memoryDir() string {
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err == nil && info.IsDir() {
		return shm
	}
	return ""
}

// play runs from nobody being there to the end of the script.
func (w *world) play() error {
	if limit := w.limits.Memory - reserved - int64(len(w.users))*profileMemory; w.limits.Memory > 0 {
		before := debug.SetMemoryLimit(max(limit, w.limits.Memory/2))
		defer debug.SetMemoryLimit(before)
	}
	w.phase("starting")
	if err := w.open(); err != nil {
		return err
	}
	began := newStage()
	w.phase("running")
	w.tape.start()
	w.live.Store(true)
	if w.s.Scenario.Nodes.Start == "cold" {
		w.work.Go(w.join)
	}
	w.work.Go(w.sample)
	w.work.Go(w.lookUp)
	w.perform()
	w.extra("real_run", began)
	return nil
}

// perform does what the script says, in its time, and waits for the messages to arrive.
func (w *world) perform() {
	sends, changes := w.s.Sends(), w.s.Changes
	next, more := sends.Next()
	for more || len(changes) > 0 {
		change := len(changes) > 0 && (!more || changes[0].At <= next.At)
		at := next.At
		if change {
			at = changes[0].At
		}
		if !w.until(at) {
			return
		}
		if change {
			w.change(changes[0])
			changes = changes[1:]
			continue
		}
		w.users[next.From].write(next)
		next, more = sends.Next()
	}
	if !w.until(w.s.Scenario.Duration.D()) {
		return
	}
	w.phase("draining")
	for quiet := time.Duration(0); w.tape.now() < w.s.End() && quiet < settle && w.sleep(settleEvery); {
		if quiet += settleEvery; w.messages.underWay() > 0 {
			quiet = 0
		}
	}
}

// until waits for a time of the run, and says whether the run goes on.
func (w *world) until(at time.Duration) bool { return w.sleep(at - w.tape.now()) }

// finish closes everybody, checks what must hold, and says how it went.
func (w *world) finish(stopped string, check bool) trace.Outcome {
	out := trace.Outcome{Virtual: w.tape.now(), Stopped: stopped}
	w.tellBytes()
	w.tape.stop()
	w.phase("checking")
	began := newStage()
	w.stop(errOver)
	w.work.Wait()
	w.report(each(context.Background(), w, w.users, (*user).close))
	w.report(each(context.Background(), w, w.agents, func(a *agent) error { return a.shut(context.Background(), false) }))
	w.report(w.names.close())
	w.report(w.net.Close())
	if check {
		w.check(stopped == "")
	}
	w.extra("real_check", began)
	w.totals()
	w.mu.Lock()
	defer w.mu.Unlock()
	out.Broken, out.Extra = w.broken, w.extras
	if w.more > 0 {
		out.Broken = append(out.Broken, fmt.Sprintf("and %d more", w.more))
	}
	return out
}

var errOver = errors.New("real: the run is over")

// report notes an error of ending as a broken invariant.
func (w *world) report(err error) {
	if err != nil {
		w.broke("%v", err)
	}
}

// broke notes an invariant that does not hold.
func (w *world) broke(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.broken) == reportedFalse {
		w.more++
		return
	}
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// stage is the cost of a part of a run.
type stage struct {
	wall, cpu time.Duration
	virtual   time.Time
}

func newStage() stage { return stage{wall.Now(), wall.CPU(), time.Now()} }

// extra notes what a part of the run has cost.
func (w *world) extra(name string, s stage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.extras[name+"_wall_s"] = (wall.Now() - s.wall).Seconds()
	w.extras[name+"_cpu_s"] = (wall.CPU() - s.cpu).Seconds()
	w.extras[name+"_virtual_s"] = time.Since(s.virtual).Seconds()
	w.extras[name+"_mib"] = float64(wall.Resident() >> 20)
}

func (w *world) totals() {
	t := w.messages.tally()
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, value := range map[string]float64{
		"real_peak_mib": float64(wall.Peak() >> 20), "real_undecryptable": float64(w.undecryptable.Load()),
		"real_alarms": float64(w.alarms.Load()), "real_accepted_not_shown": float64(len(t.missing)),
		"real_told_false": float64(t.told),
	} {
		w.extras[name] = value
	}
}

// carried counts the bytes of a protocol.
func (w *world) carried(id protocol.ID) *atomic.Int64 {
	n, _ := w.carriedBytes.LoadOrStore(id, new(atomic.Int64))
	return n.(*atomic.Int64)
}

func (w *world) tellBytes() {
	w.tape.tell(func(_ time.Duration, to trace.Recorder) {
		to.Bytes("dial", w.net.dials.Load())
		w.carriedBytes.Range(func(id, n any) bool {
			to.Bytes(string(id.(protocol.ID)), n.(*atomic.Int64).Load())
			return true
		})
	})
}

// agentID is how receipts name an agent.
func agentID(a *agent) wire.AgentID { return wire.AgentIDOf(a.public()) }

// agentOf finds an agent by its id.
func (w *world) agentOf(id wire.AgentID) int32 {
	if n, ok := w.byID[id]; ok {
		return n
	}
	return trace.None
}
