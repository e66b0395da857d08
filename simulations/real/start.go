package real

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// open makes everybody, before the run begins: agents, clients with their accounts, and
// every relationship with a session on both sides.
func (w *world) open() error {
	began := newStage()
	if err := w.openAgents(); err != nil {
		return err
	}
	w.extra("real_setup_agents", began)
	began = newStage()
	if err := each(w.ctx, w, w.users, func(u *user) error { return u.create(w.ctx) }); err != nil {
		return err
	}
	w.extra("real_setup_users", began)
	began = newStage()
	if err := each(w.ctx, w, w.s.Relations, w.meet); err != nil {
		return err
	}
	w.extra("real_setup_relationships", began)
	began = newStage()
	if err := w.openNames(); err != nil {
		return err
	}
	if w.names != nil {
		w.extra("real_setup_names", began)
	}
	began = newStage()
	for _, u := range w.users {
		u.switchOn()
		if !w.sleep(onEvery) {
			return context.Cause(w.ctx)
		}
	}
	if !w.sleep(warmUp) {
		return context.Cause(w.ctx)
	}
	w.extra("real_setup_devices", began)
	return nil
}

// each does something for many, some at a time, and says that the run moves on.
func each[T any](ctx context.Context, w *world, all []T, do func(T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(opening)
	for _, one := range all {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			defer w.watch.moved()
			return do(one)
		})
	}
	return g.Wait()
}

func (w *world) openAgents() error {
	for i := range w.s.Agents {
		a, err := newAgent(w, int32(i))
		if err != nil {
			return err
		}
		w.agents = append(w.agents, a)
		w.byID[agentID(a)] = a.number
	}
	var t *tables
	warm := w.s.Scenario.Nodes.Start == "warm"
	if warm {
		t = newTables(w.agents)
	}
	return each(w.ctx, w, w.agents, func(a *agent) error {
		if !warm {
			return a.start(w.ctx, nil)
		}
		return a.start(w.ctx, t.known(w.agents, w.s.Rand("table", int(a.number)), a))
	})
}

// bootstrap are the agents through which one joins: those that never stop, if there are
// any, and not itself.
func (w *world) bootstrap(self int32) (uris []string) {
	for _, stable := range []bool{true, false} {
		for i, a := range w.s.Agents {
			if len(uris) < bootstrappers && a.Stable == stable && int32(i) != self && a.Hostile == script.Honest {
				uris = append(uris, w.agents[i].uri())
			}
		}
	}
	return uris
}

// meet begins a relationship, with both devices on, and waits for a session on both
// sides. Devices are off otherwise: an idle one has connections open that were of use
// while it met others.
func (w *world) meet(r script.Relation) (err error) {
	a, b := w.users[r.A], w.users[r.B]
	a.hold()
	b.hold()
	defer func() { err = errors.Join(err, a.release(), b.release()) }()
	if err := w.introduce(r); err != nil {
		return fmt.Errorf("users %d and %d: %w", r.A, r.B, err)
	}
	for began := time.Now(); !a.hasMet(r.B) || !b.hasMet(r.A); {
		if time.Since(began) > meetPatience {
			return fmt.Errorf("users %d and %d have no session after %v", r.A, r.B, meetPatience)
		}
		if !w.sleep(meetEvery) {
			return context.Cause(w.ctx)
		}
	}
	return nil
}

// introduce has one invite and the other accept.
func (w *world) introduce(r script.Relation) error {
	inv, err := w.users[r.A].client.Invite(w.ctx, nameOf(r.B))
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		_, err := w.users[r.B].client.Accept(w.ctx, inv.Link, nameOf(r.A))
		if err == nil || try == acceptTries {
			return err
		}
		if !w.sleep(meetEvery) {
			return context.Cause(w.ctx)
		}
	}
}

// sleep waits, and says whether the run goes on.
func (w *world) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.ctx.Done():
		return false
	}
}

// join follows how the agents of a cold start become part of the overlay.
func (w *world) join() {
	began := time.Now()
	joined := make([]bool, len(w.agents))
	left := len(joined)
	for left > 0 && time.Since(began) < joinPatience && w.sleep(joinEvery) {
		for i, a := range w.agents {
			n := a.up.Load()
			if joined[i] || n == nil || n.OverlayPeers() == 0 {
				continue
			}
			joined[i] = true
			left--
			e := blank(trace.Joined)
			e.Agent, e.Took = a.number, time.Since(began)
			w.tape.event(e)
		}
	}
}
