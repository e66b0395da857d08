package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"communicator/client/store"
	"communicator/client/transport"
	"communicator/wire"
)

// A client with more mailboxes than it may have connections watches those of the
// conversations that were active last, and visits the others. activity remembers, for as
// long as the process runs, when each was.
type activity struct {
	mu   sync.Mutex // guards the maps
	last map[store.ID]time.Time
	// spare are connections over which lifelines alone are watched: mail comes there only
	// when nothing else works, so they are for visits where there are too few.
	spare map[transport.Key]bool
}

func (a *activity) note(id store.ID, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		a.last = map[store.ID]time.Time{}
	}
	if at.After(a.last[id]) {
		a.last[id] = at
	}
}

func (a *activity) get(at transport.Key) (last time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.spare[at] {
		return last
	}
	return a.last[at.Relationship]
}

func (a *activity) setSpare(spare map[transport.Key]bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spare = spare
}

// lastActive tells the pool when a relationship was active at an agent, and whether it is.
func (c *Client) lastActive(at transport.Key) (last time.Time, active bool) {
	last = c.active.get(at)
	return last, c.now().Sub(last) < activeFor
}

// noteGroups notes what is watched.
func (c *Client) noteGroups(groups []group) {
	spare := map[transport.Key]bool{}
	for _, g := range groups {
		normal := slices.ContainsFunc(g.mailboxes, func(m store.Mailbox) bool {
			a, err := wire.ParseAddress(m.Address)
			return err != nil || a.Caps&wire.CapLifeline == 0
		})
		if !normal {
			spare[c.key(g.relationship, g.agent)] = true
		}
	}
	c.active.setSpare(spare)
	c.turns.set(len(groups))
}

// noteActive notes that a conversation goes on now: mail is likely to come in it, and is
// watched for before that of others.
func (c *Client) noteActive(relationship store.ID) {
	c.active.note(relationship, c.now())
	c.pool.Reconsider()
}

// recall reads from the history which conversations were active last, and which
// invitations wait for somebody.
func (c *Client) recall(ctx context.Context) error {
	return c.st.View(ctx, func(tx *store.Tx) error {
		contacts, err := tx.Contacts()
		if err != nil {
			return err
		}
		for _, row := range contacts {
			newest, err := tx.MessagesBefore(row.ID, 0, 1)
			if err != nil {
				return err
			}
			at := row.Created
			for _, m := range newest {
				if at = m.Sent; m.Incoming {
					at = m.Received
				}
			}
			c.active.note(row.ID, at)
		}
		open, err := tx.Invitations(store.InvitationOpen)
		for _, v := range open {
			c.active.note(v.ID, v.Created)
		}
		return err
	})
}

// turns is how long those wait for a turn who lost their watch.
type turns struct {
	first, most time.Duration

	mu     sync.Mutex // guards groups
	groups int        // that are watched
}

func (t *turns) set(groups int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.groups = groups
}

// after is how long the next wait is after one, of which the turn brought something or
// did not.
func (t *turns) after(last time.Duration, brought bool) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if brought {
		return t.first
	}
	return min(max(2*last, t.first), max(t.most, time.Duration(t.groups)*watchPace))
}

// around draws from three quarters of a wait to five quarters, so that turns do not fall
// together.
func around(d time.Duration, rnd *rand.Rand) time.Duration {
	return d*3/4 + time.Duration(rnd.Float64()*float64(d)/2)
}

// errYield ends a watcher's turn.
var errYield = errors.New("client: connection needed elsewhere")
