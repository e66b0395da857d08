package client

import (
	"errors"
	"slices"
	"testing"

	"communicator/client/route"
	"communicator/client/store"
	"communicator/wire"
)

// endings are how the attempts of a message that is under way ended.
func (p *person) endings(id MessageID) (codes []route.Result) {
	p.t.Helper()
	check(p.t, p.st.View(p.t.Context(), func(tx *store.Tx) error {
		attempts, err := tx.Attempts(store.ID(id))
		if err != nil {
			return err
		}
		for _, a := range attempts {
			r, err := parseResult(a.Outcome)
			if err != nil {
				return err
			}
			codes = append(codes, r.code)
		}
		return nil
	}))
	return codes
}

// changes are the states of which Receive's events tell for a message.
func changes(events []Event, id MessageID) (states []MessageState) {
	for _, e := range events {
		if d, ok := e.(DeliveryChanged); ok && d.ID == id {
			states = append(states, d.State)
		}
	}
	return states
}

// TestRefusedForGood: what a sending agent will never deliver, because it declines the
// submission or the receiving agent refused it, is not lost, is not offered there again,
// and goes by another agent once there is one. The sender hears at once that waiting does
// not help, however far the wait was to go, and once only.
func TestRefusedForGood(t *testing.T) {
	for name, c := range map[string]struct {
		refuse func(*fakeAgent)
		ending route.Result
		wait   Wait
	}{
		"the sending agent declines": {
			func(a *fakeAgent) { a.declines = wire.StatusForbidden }, route.Declined, TryOnce},
		"the sending agent declines, and the sender waits": {
			func(a *fakeAgent) { a.declines = wire.StatusForbidden }, route.Declined, UntilStored},
		"the receiving agent refused": {
			func(a *fakeAgent) { a.refuses = wire.StatusMalformed }, route.Refused, TryOnce},
		"the receiving agent refused, and the sender waits": {
			func(a *fakeAgent) { a.refuses = wire.StatusMalformed }, route.Refused, UntilStored},
	} {
		t.Run(name, func(t *testing.T) {
			n := newFakeNet(t)
			first, second := n.agent(), n.agent()
			a, b := n.person(first), n.person(n.agent())
			meet(t, a, b)
			first.set(func() { c.refuse(first) })
			if _, err := a.Send(t.Context(), "b", "somehow", SendOptions{Wait: c.wait}); !errors.Is(err, ErrNoRoute) {
				t.Errorf("send: %v", err)
			}
			h, err := a.History(t.Context(), "b", 0, 1)
			check(t, err)
			id := h[len(h)-1].ID
			m, err := a.Message(t.Context(), "b", id)
			check(t, err)
			if s := a.contactStatus("b"); m.State != Refused || s.Refused != 1 || s.Queued != 1 || s.Lost != 0 {
				t.Errorf("it is %v, of which the status says %+v", m.State, s)
			}
			endings := a.endings(id)
			if len(endings) == 0 || slices.ContainsFunc(endings, func(r route.Result) bool { return r != c.ending }) {
				t.Errorf("its attempts ended with %v, want %v", endings, c.ending)
			}
			offered := first.submitted
			first.set(func() {
				if len(first.outcomes) > 0 {
					t.Errorf("%d outcomes were not acknowledged", len(first.outcomes))
				}
			})
			n.pass(day)
			events, err := a.Receive(t.Context())
			check(t, err)
			if told := changes(events, id); told != nil {
				t.Errorf("told again: %v", told)
			}
			if first.submitted != offered {
				t.Error("it was offered there again")
			}
			_, err = a.AddAgent(t.Context(), second.uri.String())
			check(t, err)
			events, err = a.Receive(t.Context())
			check(t, err)
			if told := changes(events, id); len(told) == 0 || told[0] == Refused || told[len(told)-1] != Stored {
				t.Errorf("told %v on its way", told)
			}
			if got := b.receive(); !slices.Equal(got, []string{"somehow"}) {
				t.Errorf("got %q", got)
			}
			if m, err = a.Message(t.Context(), "b", id); err != nil || m.State != Stored {
				t.Errorf("it is %v, %v", m.State, err)
			}
		})
	}
}

// TestRefusedIsToldToThoseWhoFollow: a message that another process saved, or that is
// refused after a sending agent took it, is told by an event.
func TestRefusedIsToldToThoseWhoFollow(t *testing.T) {
	n := newFakeNet(t)
	first := n.agent()
	a, b := n.person(first), n.person(n.agent())
	meet(t, a, b)
	first.set(func() { first.refuses = wire.StatusMalformed })
	sent, err := a.Send(t.Context(), "b", "somehow", SendOptions{Wait: NoWait})
	check(t, err)
	events, err := a.Receive(t.Context())
	check(t, err)
	if told := changes(events, sent.ID); !slices.Equal(told, []MessageState{Submitted, Refused}) {
		t.Errorf("told %v", told)
	}
	// Not lost, so there is nothing to send anew, which would double it.
	if _, err := a.Resend(t.Context(), "b", SendOptions{}, sent.ID); !errors.Is(err, ErrNoSuchMessage) {
		t.Errorf("resend: %v", err)
	}
}
