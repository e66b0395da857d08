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
	for _, u := range w.users {
		u.switchOn()
	}
	if err := each(w.ctx, w, w.s.Relations, w.introduce); err != nil {
		return err
	}
	if err := w.await(meetPatience, meetEvery, w.allMet); err != nil {
		return fmt.Errorf("relationships: %w", err)
	}
	w.extra("real_setup_relationships", began)
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

// introduce begins a relationship: one invites, the other accepts.
func (w *world) introduce(r script.Relation) error {
	a, b := w.users[r.A], w.users[r.B]
	link := ""
	for try := 1; ; try++ {
		var err error
		if link == "" {
			inv, ierr := a.client.Invite(w.ctx, nameOf(r.B))
			link, err = inv.Link, ierr
		}
		if err == nil {
			_, err = b.client.Accept(w.ctx, link, nameOf(r.A))
		}
		if err == nil {
			return nil
		}
		if try == acceptTries || w.ctx.Err() != nil {
			return fmt.Errorf("users %d and %d: %w", r.A, r.B, err)
		}
		time.Sleep(time.Second)
	}
}

func (w *world) allMet() bool {
	for ; w.metSoFar < len(w.s.Relations); w.metSoFar++ {
		r := w.s.Relations[w.metSoFar]
		if !w.users[r.A].hasMet(r.B) || !w.users[r.B].hasMet(r.A) {
			return false
		}
	}
	return true
}

var errPatience = errors.New("real: took too long")

// await waits until something holds.
func (w *world) await(patience, every time.Duration, holds func() bool) error {
	for began := time.Now(); !holds(); {
		if time.Since(began) > patience {
			return errPatience
		}
		if !w.sleep(every) {
			return context.Cause(w.ctx)
		}
	}
	return nil
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
