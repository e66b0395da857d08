package client

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"communicator/client/store"
	"communicator/wire"
)

func TestIntroduction(t *testing.T) {
	w := newCircle(t)
	q := w.introduce()
	if len(q.Sides) != 2 || q.Waiting || q.Words() != "Ira has not answered yet; Reed has not answered yet" {
		t.Errorf("introduced: %+v, %s", q, q.Words())
	}
	if _, err := w.sam.Introduce(t.Context(), "Reed", "Ira", IntroduceOptions{}); !errors.Is(err, ErrIntroductionOpen) {
		t.Errorf("the same two again: %v", err)
	}
	events := w.rounds(1)
	if !slices.ContainsFunc(events, func(e Event) bool { q, ok := e.(RequestChanged); return ok && q.Request.Waiting }) {
		t.Error("nobody was asked")
	}
	at := w.ira.only()
	if !at.Waiting || at.From != "Sam" || at.Name != "Reed" || at.Note != "you both like boats" || at.Contact != "" {
		t.Errorf("Ira is asked: %+v", at)
	}
	if got := w.ira.approve(); got.State != RequestAccepted {
		t.Errorf("after Ira's answer: %+v", got)
	}
	w.rounds(2)
	if contacts, _ := w.ira.Contacts(t.Context()); len(contacts) != 1 {
		t.Fatalf("without Reed's consent: %+v", contacts)
	}
	if words := w.sam.only().Words(); words != "Ira agreed; Reed has not answered yet" {
		t.Error(words)
	}
	w.reed.approve()
	w.rounds(6)
	w.acquainted(t)
	if words := w.sam.only().Words(); words != "Ira has what it takes; Reed has what it takes" {
		t.Error(words)
	}
	if open, _ := w.sam.Requests(t.Context(), false); len(open) != 0 {
		t.Errorf("still open: %+v", open)
	}
	if _, err := w.ira.Approve(t.Context(), at.ID, ""); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("approved again: %v", err)
	}
	if _, err := w.ira.Decline(t.Context(), at.ID); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("declined when done: %v", err)
	}
	// The identities are new, and the mailboxes for first messages are replaced.
	sam, reed := w.ira.relation("Sam").particle, w.ira.relation("Reed").particle
	if sam.Identity() == reed.Identity() || w.sam.relation("Reed").particle.Peer() == reed.Peer() {
		t.Error("an identity is used twice")
	}
	for range 3 {
		w.sam.net.pass(3 * day)
		w.rounds(2)
	}
	for _, p := range []*person{w.ira, w.reed} {
		if n := p.contactMailboxes(); n != 0 {
			t.Errorf("%d mailboxes for first messages are open after a week", n)
		}
	}
}

// contactMailboxes counts mailboxes for first messages.
func (p *person) contactMailboxes() (n int) {
	p.t.Helper()
	check(p.t, p.st.View(context.Background(), func(tx *store.Tx) error {
		rows, err := tx.Mailboxes(store.MailboxFilter{})
		for _, m := range rows {
			a, perr := wire.ParseAddress(m.Address)
			check(p.t, perr)
			if a.Caps&wire.CapContact != 0 {
				n++
			}
		}
		return err
	}))
	return n
}

func TestIntroductionRefusals(t *testing.T) {
	w := newCircle(t)
	ctx := t.Context()
	long := strings.Repeat("x", 600)
	for name, test := range map[string]struct {
		first, second string
		o             IntroduceOptions
		want          error
	}{
		"nobody":    {"Ira", "Nobody", IntroduceOptions{}, ErrNoSuchContact},
		"oneself":   {"Ira", "ira", IntroduceOptions{}, ErrSamePerson},
		"long name": {"Ira", "Reed", IntroduceOptions{FirstAs: long}, ErrBadName},
		"long note": {"Ira", "Reed", IntroduceOptions{Note: long}, ErrBadName},
	} {
		if _, err := w.sam.Introduce(ctx, test.first, test.second, test.o); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := w.sam.Invite(ctx, "later")
	check(t, err)
	for _, id := range []string{"", "i", "i0", "i01", "i-1", "x1", "1", "i99"} {
		if _, err := w.sam.Approve(ctx, id, ""); !errors.Is(err, ErrNoSuchRequest) {
			t.Errorf("approve %q: %v", id, err)
		}
		if _, err := w.sam.Decline(ctx, id); !errors.Is(err, ErrNoSuchRequest) {
			t.Errorf("decline %q: %v", id, err)
		}
	}
	q := w.introduce()
	if _, err := w.sam.Approve(ctx, q.ID, ""); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("one's own introduction approved: %v", err)
	}
	w.rounds(1)
	if _, err := w.ira.Approve(ctx, w.ira.only().ID, "Sam"); !errors.Is(err, ErrContactExists) {
		t.Errorf("a name that is taken: %v", err)
	}
	if _, err := w.ira.Approve(ctx, w.ira.only().ID, "\x00"); !errors.Is(err, ErrBadName) {
		t.Errorf("a bad name: %v", err)
	}
	check(t, w.sam.Revoke(ctx, "Reed", false))
	if _, err := w.sam.Introduce(ctx, "Ira", "Reed", IntroduceOptions{}); !errors.Is(err, ErrRevoked) {
		t.Errorf("a revoked contact: %v", err)
	}
	w.rounds(2) // Reed cannot answer any more: it is over for Ira too
	w.ira.state(RequestEnded)
}

func TestDeclinedAndWithdrawn(t *testing.T) {
	t.Run("declined", func(t *testing.T) {
		w := newCircle(t)
		w.introduce()
		w.rounds(1)
		w.ira.approve()
		_, err := w.reed.Decline(t.Context(), w.reed.only().ID)
		check(t, err)
		w.rounds(3)
		w.reed.state(RequestDeclined)
		w.ira.state(RequestEnded)
		if words := w.sam.only().Words(); words != "Ira was told that it will not happen; Reed declined" {
			t.Error(words)
		}
		if n := w.ira.contactMailboxes(); n != 0 {
			t.Errorf("%d mailboxes are left open for Reed", n)
		}
		if w.ira.only().Words() != "it will not happen" {
			t.Errorf("Ira is told: %s", w.ira.only().Words())
		}
		w.introduce2(t) // may be tried again
	})
	t.Run("changed my mind", func(t *testing.T) {
		w := newCircle(t)
		w.introduce()
		w.rounds(1)
		w.ira.approve()
		_, err := w.ira.Decline(t.Context(), w.ira.only().ID)
		check(t, err)
		w.rounds(1)
		if _, err := w.reed.Approve(t.Context(), w.reed.only().ID, ""); !errors.Is(err, ErrNotWaiting) {
			t.Errorf("approved what has ended: %v", err)
		}
		w.rounds(3)
		if c, _ := w.reed.Contacts(t.Context()); len(c) != 1 {
			t.Errorf("contacts: %+v", c)
		}
	})
	t.Run("withdrawn", func(t *testing.T) {
		w := newCircle(t)
		q := w.introduce()
		w.rounds(1)
		w.ira.approve()
		_, err := w.sam.Decline(t.Context(), q.ID)
		check(t, err)
		w.rounds(2)
		w.ira.state(RequestEnded)
		w.reed.state(RequestEnded)
		if _, err := w.sam.Decline(t.Context(), q.ID); !errors.Is(err, ErrNotWaiting) {
			t.Errorf("withdrawn twice: %v", err)
		}
	})
	t.Run("expired", func(t *testing.T) {
		w := newCircle(t)
		w.introduce()
		w.rounds(1)
		w.ira.approve()
		w.sam.net.pass(IntroductionLife + time.Hour)
		w.rounds(2)
		w.reed.state(RequestExpired)
		if q := w.ira.only(); q.State.Open() {
			t.Errorf("at Ira's: %s", q.Words())
		}
		if n := w.ira.contactMailboxes(); n != 0 {
			t.Errorf("%d mailboxes are open after the time", n)
		}
		if q := w.sam.only(); q.Sides[0].State.Open() || q.Sides[1].State.Open() {
			t.Errorf("at Sam's: %s", q.Words())
		}
		w.sam.net.pass(introductionKept + day)
		w.rounds(1)
		if all, _ := w.ira.Requests(t.Context(), true); len(all) != 0 {
			t.Errorf("never forgotten: %+v", all)
		}
	})
	t.Run("agreed too late for each other", func(t *testing.T) {
		w := newCircle(t)
		w.introduce()
		w.rounds(1)
		w.ira.approve()
		w.rounds(1)
		w.sam.net.pass(InvitationLife + time.Hour) // Ira's package has run out
		w.reed.approve()
		w.rounds(3)
		w.reed.state(RequestEnded)
		if c, _ := w.reed.Contacts(t.Context()); len(c) != 1 {
			t.Errorf("contacts: %+v", c)
		}
	})
}

// introduce2 introduces once more after a first try has ended.
func (w circle) introduce2(t *testing.T) {
	t.Helper()
	_, err := w.sam.Introduce(t.Context(), "Ira", "Reed", IntroduceOptions{})
	check(t, err)
	w.rounds(1)
	open, err := w.reed.Requests(t.Context(), false)
	check(t, err)
	if len(open) != 1 || !open[0].Waiting {
		t.Errorf("the second try: %+v", open)
	}
}
