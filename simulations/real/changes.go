package real

import (
	"time"

	"communicator/node"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// change does what the script says happens now. What takes time goes on beside the run.
func (w *world) change(c script.Change) {
	switch c.Act {
	case script.Stop, script.Kill:
		w.agentsDo(c, func(a *agent) error { return a.shut(w.ctx, c.Act == script.Kill) })
	case script.Start:
		w.agentsDo(c, func(a *agent) error { return a.start(w.ctx, nil) })
	case script.CutOff, script.Heal, script.Freeze, script.Thaw:
		w.net.change(c)
	case script.DrainThem:
		w.agentsDo(c, (*agent).drain)
	case script.Loss:
		w.net.setLoss(c.Value)
	case script.Slow:
		w.net.setSlow(c.Value)
	case script.Full, script.Free:
		for _, i := range c.Agents {
			w.agents[i].full.Store(c.Act == script.Full)
		}
	case script.Off:
		for _, i := range c.Users {
			w.work.Go(func() { w.report(w.users[i].switchOff()) })
		}
	case script.On:
		for _, i := range c.Users {
			w.users[i].switchOn()
		}
	}
}

func (w *world) agentsDo(c script.Change, do func(*agent) error) {
	for _, i := range c.Agents {
		w.work.Go(func() {
			if err := do(w.agents[i]); err != nil && w.ctx.Err() == nil {
				w.report(err)
			}
		})
	}
}

// drain begins to leave, as an operator asks for.
func (a *agent) drain() error {
	if !a.take(a.w.ctx) {
		return nil
	}
	defer a.give()
	if a.node == nil {
		return nil // it is down, and stays as it is
	}
	_, err := a.node.Drain(a.w.ctx, true)
	return err
}

// sample tells agents' loads now and then.
func (w *world) sample() {
	for len(w.agents) <= sampledAgents && w.sleep(sampleEvery) {
		for _, a := range w.agents {
			if n := a.up.Load(); n != nil {
				w.load(a, n)
			}
		}
	}
}

func (w *world) load(a *agent, n *node.Node) {
	stat, err := n.LogStat(w.ctx)
	if err != nil {
		return // it is closing
	}
	l := trace.Load{Agent: a.number, Held: int(stat.Bodies), Bytes: stat.StoreBytes,
		Conns: len(n.Host().Network().Conns())}
	if stat.Last > 0 {
		l.Events = int64(stat.Last - stat.First + 1)
	}
	w.tape.tell(func(now time.Duration, to trace.Recorder) {
		l.At = now
		to.Load(l)
	})
}
