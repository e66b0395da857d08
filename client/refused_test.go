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

// TestRefusedForGood: what a sending agent will never deliver, because it declines the
// submission or the receiving agent refused it, is not lost, is not offered there again,
// and goes by another agent once there is one.
func TestRefusedForGood(t *testing.T) {
	for name, c := range map[string]struct {
		refuse func(*fakeAgent)
		state  MessageState // what the sender sees meanwhile
		ending route.Result
		err    error
	}{
		"the sending agent declines": {
			func(a *fakeAgent) { a.declines = wire.StatusForbidden }, Pending, route.Declined, ErrNoRoute},
		"the receiving agent refused": {
			func(a *fakeAgent) { a.refuses = wire.StatusMalformed }, Submitted, route.Refused, nil},
	} {
		t.Run(name, func(t *testing.T) {
			n := newFakeNet(t)
			first, second := n.agent(), n.agent()
			a, b := n.person(first), n.person(n.agent())
			meet(t, a, b)
			first.set(func() { c.refuse(first) })
			if _, err := a.Send(t.Context(), "b", "somehow", SendOptions{}); !errors.Is(err, c.err) {
				t.Errorf("send: %v", err)
			}
			h, err := a.History(t.Context(), "b", 0, 1)
			check(t, err)
			id := h[len(h)-1].ID
			m, err := a.Message(t.Context(), "b", id)
			check(t, err)
			if m.State != c.state {
				t.Errorf("it is %v, want %v", m.State, c.state)
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
			a.receive()
			if first.submitted != offered {
				t.Error("it was offered there again")
			}
			_, err = a.AddAgent(t.Context(), second.uri.String())
			check(t, err)
			a.receive()
			if got := b.receive(); !slices.Equal(got, []string{"somehow"}) {
				t.Errorf("got %q", got)
			}
			if m, err = a.Message(t.Context(), "b", id); err != nil || m.State != Stored {
				t.Errorf("it is %v, %v", m.State, err)
			}
		})
	}
}
