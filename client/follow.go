package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"communicator/client/store"
	"communicator/client/transport"

	"golang.org/x/sync/errgroup"
)

// Follow stays connected: it watches every mailbox, so that messages arrive at once,
// sends what is queued by whatever process, and does the upkeep. It calls fn with each
// event, one at a time, until ctx ends, and then returns nil. A message is marked as
// read after fn has returned. Any other error is the profile's.
//
// With more relationships at an agent than connections may be open, those keep their
// connection that were active last; the others have a turn now and then.
func (c *Client) Follow(ctx context.Context, fn func(Event)) error {
	l := c.events.listen()
	defer l.close()
	if err := c.recall(ctx); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.followOutbox(gctx) })
	g.Go(func() error { return c.followUpkeep(gctx, c.upkeep) })
	g.Go(func() error { return c.followMailboxes(gctx) })
	g.Go(func() error { return c.followEvents(gctx, l, fn) })
	err := g.Wait()
	c.pool.CloseIdle()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// followEvents is the only goroutine that calls fn.
func (c *Client) followEvents(ctx context.Context, l *listener, fn func(Event)) error {
	changed := make(chan struct{}, 1)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for generation := uint64(0); ; {
			var err error
			if generation, err = c.st.Changed(gctx, generation); err != nil {
				return err
			}
			signal(changed)
		}
	})
	g.Go(func() error {
		for {
			for _, e := range l.drain() {
				fn(e)
			}
			messages, last, err := c.unread(gctx)
			if err != nil {
				return err
			}
			for _, m := range messages {
				fn(m)
			}
			if len(messages) > 0 {
				if err := c.markRead(gctx, last); err != nil {
					return err
				}
			}
			select {
			case <-l.ready:
			case <-changed:
			case <-gctx.Done():
				return context.Cause(gctx)
			}
		}
	})
	return g.Wait()
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// followOutbox pushes each contact's outbox in a goroutine of its own, which begins with
// the first message and then goes on whenever something is due or has changed.
func (c *Client) followOutbox(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	started := map[store.ID]bool{}
	g.Go(func() error {
		for generation := uint64(0); ; {
			contacts, err := c.waiting(gctx)
			if err != nil {
				return err
			}
			for _, id := range contacts {
				if !started[id] {
					started[id] = true
					g.Go(func() error { return c.followContact(gctx, id) })
				}
			}
			if generation, err = c.pause(gctx, generation, c.now().Add(upkeepEvery)); err != nil {
				return err
			}
		}
	})
	return g.Wait()
}

func (c *Client) followContact(ctx context.Context, id store.ID) error {
	for generation := uint64(0); ; {
		wake, err := c.pushed(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil // the contact was removed
		}
		if err != nil {
			return err
		}
		if generation, err = c.pause(ctx, generation, wake); err != nil {
			return err
		}
	}
}

// pushed pushes an outbox, and returns when something of it is due.
//
//go:noinline
func (c *Client) pushed(ctx context.Context, id store.ID) (wake time.Time, err error) {
	p, err := c.push(ctx, id, true)
	return p.wake, err
}

// followUpkeep does the upkeep when something has changed or is due. One message is
// several changes: what follows a pass closely waits and is looked at together.
func (c *Client) followUpkeep(ctx context.Context, pass func(context.Context) (wake time.Time, err error)) error {
	for {
		generation, err := c.st.Changed(ctx, 0)
		if err != nil {
			return err
		}
		began := c.now()
		wake, err := pass(ctx)
		if err != nil {
			return err
		}
		if _, err = c.pause(ctx, generation, wake); err != nil {
			return err
		}
		if err := sleep(ctx, began.Add(upkeepApart).Sub(c.now())); err != nil {
			return err
		}
	}
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// followMailboxes keeps a watcher for each relationship at each agent, and starts it
// anew when its mailboxes have changed.
func (c *Client) followMailboxes(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	type watcher struct {
		mailboxes string
		stop      context.CancelFunc
	}
	type place struct {
		relationship store.ID
		agent        store.AgentID
	}
	running := map[place]watcher{}
	g.Go(func() error {
		for generation := uint64(0); ; {
			groups, err := c.groups(gctx)
			if err != nil {
				return err
			}
			c.noteGroups(groups)
			wanted := map[place]bool{}
			for i := range groups {
				gr := &groups[i]
				at := place{gr.relationship, gr.agent.ID}
				wanted[at] = true
				which := gr.fingerprint()
				if running[at].mailboxes == which {
					continue
				}
				if old := running[at].stop; old != nil {
					old()
				}
				wctx, stop := context.WithCancel(gctx)
				running[at] = watcher{which, stop}
				g.Go(func() error { return c.watch(wctx, gctx, gr) })
			}
			for at, w := range running {
				if !wanted[at] {
					w.stop()
					delete(running, at)
				}
			}
			if generation, err = c.pause(gctx, generation, c.now().Add(upkeepEvery)); err != nil {
				return err
			}
		}
	})
	return g.Wait()
}

// fingerprint tells one set of mailboxes from another.
func (g *group) fingerprint() string {
	b := make([]byte, 0, len(g.mailboxes)*len(store.MailboxKey{}))
	for _, m := range g.mailboxes {
		b = append(b, m.ID[:]...)
	}
	return string(b)
}

// watch watches one group until ctx, its own, ends; whole is Follow's.
func (c *Client) watch(ctx, whole context.Context, g *group) error {
	var since time.Time // of the first failure in a row
	var wait time.Duration
	for failures := uint64(0); ctx.Err() == nil; {
		t := turn{c: c, group: g}
		err := t.take(ctx, around(wait, c.rnd))
		if whole.Err() != nil {
			return context.Cause(whole)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !agentsFault(err) {
			return err
		}
		if err == nil { // it has yielded
			if failures = 0; t.open.Load() == 0 {
				wait = c.turns.after(wait, t.brought.Load())
			}
			continue
		}
		c.opts.Logger.Debug("watch ended", "err", err)
		if failures == 0 {
			since = c.now()
		}
		timer := time.NewTimer(c.again(failures, since, err))
		failures, wait = failures+1, 0
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

// turn is one time that a group is watched.
type turn struct {
	c       *Client
	group   *group
	open    atomic.Int64 // mailboxes of which not all has come that lay there
	brought atomic.Bool
}

// take waits for a connection and watches the group's mailboxes over it, until the
// connection is needed elsewhere. Those who wait here do so for days, with as small a
// stack as can be: they get pointers, and what copies an agent is not inlined.
func (t *turn) take(ctx context.Context, wait time.Duration) error {
	g := t.group
	t.open.Store(int64(len(g.mailboxes)))
	l, err := t.lease(ctx, wait)
	if err != nil {
		return err
	}
	defer l.Release()
	late := time.AfterFunc(visitLongest, l.Settle)
	defer late.Stop()
	watching, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	eg, tctx := errgroup.WithContext(watching)
	for i := range g.mailboxes {
		eg.Go(func() error { return t.watchOne(tctx, l, &g.mailboxes[i]) })
	}
	yielded := false
	select {
	case <-l.Yield():
		yielded = true
		stop(errYield)
	case <-tctx.Done():
	}
	if err = eg.Wait(); yielded {
		return nil
	}
	return t.failed(err)
}

// lease takes the group's connection, for watching.
//
//go:noinline
func (t *turn) lease(ctx context.Context, wait time.Duration) (*transport.Lease, error) {
	return t.c.pool.Watch(ctx, t.c.key(t.group.relationship, t.group.agent), t.group.agent.target(), wait)
}

// failed notes what ended a turn.
//
//go:noinline
func (t *turn) failed(err error) error {
	t.c.noteHealth(t.group.agent, err)
	return err
}

func (t *turn) watchOne(ctx context.Context, l *transport.Lease, m *store.Mailbox) error {
	c, a := t.c, &t.group.agent
	owner := ed25519.NewKeyFromSeed(m.Seed[:])
	cursor, err := c.cursor(ctx, m)
	if err != nil {
		return err
	}
	each := func(d transport.Delivery) error {
		if err := c.takeIn(ctx, m.ID, d); err != nil {
			return err
		}
		t.brought.Store(true)
		c.noteActive(t.group.relationship)
		return c.acknowledge(ctx, l, *m, []uint64{d.Position})
	}
	var once sync.Once
	caughtUp := func() {
		c.noteHealth(*a, nil)
		once.Do(func() {
			if t.open.Add(-1) == 0 {
				l.Settle()
			}
		})
	}
	draining := func() {
		if err := c.noteDraining(ctx, *a); err != nil {
			c.opts.Logger.Debug("agent's leaving not noted", "err", err)
		}
	}
	return l.Watch(ctx, owner, cursor, each, caughtUp, draining)
}

// cursor reads how far a mailbox has been acknowledged by now.
func (c *Client) cursor(ctx context.Context, m *store.Mailbox) (uint64, error) {
	at := m.Cursor
	err := c.st.View(ctx, func(tx *store.Tx) error {
		row, err := tx.Mailbox(m.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		at = row.Cursor
		return err
	})
	return at, err
}
