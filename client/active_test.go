package client

import (
	"testing"
	"time"

	"communicator/client/store"
)

// TestLifelinesAreWatchedLast: where connections are too few, those of a conversation that
// goes on are kept, but for one over which its lifeline alone is watched.
func TestLifelinesAreWatchedLast(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent(), n.agent(), n.agent()), n.person(n.agent())
	meet(t, a, b)
	a.receive() // makes what the relationship still lacks
	n.pass(time.Hour)
	var groups []group
	check(t, a.st.View(t.Context(), func(tx *store.Tx) error {
		r, err := loadByName(tx, "b")
		if err != nil {
			return err
		}
		rows, err := tx.Mailboxes(store.MailboxFilter{Contact: r.ID, States: []store.MailboxState{store.MailboxActive}})
		if err != nil {
			return err
		}
		a.noteActive(r.ID)
		groups, err = a.arrange(tx, rows, nil)
		return err
	}))
	a.noteGroups(groups)
	active := 0
	for _, g := range groups {
		if _, is := a.lastActive(a.key(g.relationship, g.agent)); is {
			active++
		}
	}
	if len(groups) != 3 || active != 2 {
		t.Errorf("%d of %d connections are of an active conversation", active, len(groups))
	}
	n.pass(activeFor)
	for _, g := range groups {
		if _, is := a.lastActive(a.key(g.relationship, g.agent)); is {
			t.Error("a conversation is active for ever")
		}
	}
}

// TestWaitsForTurnsGrow: each turn that brings nothing doubles the wait for the next, up to
// a bound that many connections raise.
func TestWaitsForTurnsGrow(t *testing.T) {
	w := turns{first: watchFirst, most: watchMost}
	wait := time.Duration(0)
	for _, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 2 * time.Minute} {
		if wait = w.after(wait, false); wait != want {
			t.Errorf("%v, want %v", wait, want)
		}
	}
	if wait := w.after(wait, true); wait != watchFirst {
		t.Errorf("%v after mail", wait)
	}
	w.set(150)
	if wait := w.after(4*time.Minute, false); wait != 150*watchPace {
		t.Errorf("%v with 150 connections wanted", wait)
	}
}
