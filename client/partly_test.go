package client

import (
	"errors"
	"testing"

	"communicator/client/store"
	"communicator/particle"
	"communicator/wire"
)

// TestPartlyRead: a message of which all but the recovery package was read is shown, and
// not called undecryptable.
func TestPartlyRead(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	meet(t, a, b)
	for name, id := range map[string]particle.MessageID{"nothing read": {}, "all but an item": {1}} {
		var in arrival
		check(t, a.update(t.Context(), "b", func(tx *store.Tx, r *relation) error {
			return a.absorb(tx, &in, r, r.particle, particle.Opened{
				Message: particle.Message{ID: id}, Invalid: errors.New("malformed"), Raw: []byte(name),
			})
		}))
		if len(in.events) != 1 {
			t.Fatalf("%s: %+v", name, in.events)
		}
		u, ok := in.events[0].(Undecryptable)
		if !ok || u.Partly != (id != particle.MessageID{}) || u.Contact != "b" || u.Reason != "malformed" || u.At.IsZero() {
			t.Errorf("%s: %+v", name, in.events[0])
		}
	}
}

// TestAContradictionRaisesOneAlarm: an address that does not fit what its agent says is
// tried again for as long as it is in use.
func TestAContradictionRaisesOneAlarm(t *testing.T) {
	p := newFakeNet(t).person()
	contact, address := store.ID{1}, wire.Address{Pin: wire.EpochPin{2}}
	for i, want := range []bool{true, false} {
		if got := p.firstContradiction(t.Context(), contact, address); got != want {
			t.Errorf("time %d: %v", i+1, got)
		}
	}
	p.reopen()
	if p.firstContradiction(t.Context(), contact, address) {
		t.Error("forgotten by a restart")
	}
	address.Pin[0]++
	if !p.firstContradiction(t.Context(), contact, address) || !p.firstContradiction(t.Context(), store.ID{3}, address) {
		t.Error("another address, or another contact's, says nothing")
	}
}
