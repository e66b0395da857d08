package client

import (
	"fmt"
	"testing"

	"communicator/client/store"
	"communicator/particle"
)

// TestSharedPackageMakesSoManyContacts: beyond a bound what comes through a shared
// package is put aside, and receiving goes on.
func TestSharedPackageMakesSoManyContacts(t *testing.T) {
	n := newFakeNet(t)
	a, b := n.person(n.agent(), n.agent()), n.person(n.agent(), n.agent())
	ctx := t.Context()
	identity, err := particle.NewIdentity(a.Client.opts.Rand)
	check(t, err)
	own, err := a.offerAs(ctx, identity, particle.PackageOptions{}, "via a name")
	check(t, err)
	check(t, a.st.Update(ctx, func(tx *store.Tx) error {
		for i := range maxShared - 1 {
			var h particle.HandshakeID
			h[0] = byte(i + 1)
			if err := tx.SetSetting(handshakeSetting(own.invitation.ID, h), identity.Marshal()[:16]); err != nil {
				return err
			}
		}
		return own.save(tx)
	}))
	for i := range 3 {
		id, err := b.randomID()
		check(t, err)
		check(t, b.begin(ctx, id, fmt.Sprint("a", i), own.secret.Package()))
	}
	b.receive() // a pass sends
	put := 0
	for range 3 {
		events, err := a.Receive(ctx)
		check(t, err)
		for _, e := range events {
			if u, ok := e.(Undecryptable); ok && u.Reason == "too many at once" {
				put++
			}
		}
	}
	contacts, err := a.Contacts(ctx)
	check(t, err)
	if len(contacts) != 1 || put != 2 {
		t.Errorf("%d contacts, %d put aside", len(contacts), put)
	}
}
