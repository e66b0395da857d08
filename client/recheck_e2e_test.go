package client_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"communicator/client"
	"communicator/client/registrar"
	"communicator/directory/vend"
)

// TestNamesOfContactsAreLookedUpAgain: nobody asks, and what becomes of a contact's name is
// told all the same: first that it is going to change, once, and then that it has.
func TestNamesOfContactsAreLookedUpAgain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	at := &clock{at: time.Now()}
	bob, alice := c.memberAt(at, c.node, other), c.member(c.node, other)
	if _, err := alice.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()}); err != nil {
		t.Fatal(err)
	}
	if err := alice.SetRule(ctx, "alice@club", vend.Policy{Rule: vend.Open, PerHour: 60}); err != nil {
		t.Fatal(err)
	}
	known, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"})
	if err != nil {
		t.Fatal(err)
	}
	first := known.Since
	if !strings.Contains(known.TrustWords(), "attested as alice@club, logged, not checked for revocation since 20") {
		t.Errorf("%q", known.TrustWords())
	}
	// A day later it was looked up again: the time is another one.
	later := func(hours int) (warnings []string, alarms int) {
		t.Helper()
		for range hours {
			at.pass(time.Hour)
			for _, e := range events(t, bob) {
				switch e := e.(type) {
				case client.NameWarning:
					if e.Contact != "Alice" || e.Name != "alice@club" {
						t.Errorf("%+v", e)
					}
					warnings = append(warnings, e.Warning)
				case client.Alarm:
					if e == (client.Alarm{Contact: "Alice", Kind: client.AlarmVerification}) {
						alarms++
					}
				}
			}
		}
		if known, err = bob.Contact(ctx, "Alice"); err != nil {
			t.Fatal(err)
		}
		return warnings, alarms
	}
	// The directory signs a newer checkpoint once there is something new.
	if _, err := alice.Register(ctx, "ally@club", client.RegisterOptions{Token: c.token()}); err != nil {
		t.Fatal(err)
	}
	if warnings, alarms := later(26); len(warnings) != 0 || alarms != 0 || known.Since.Before(first) {
		t.Errorf("nothing has changed: %q, %d alarms, since %v, at first %v", warnings, alarms, known.Since, first)
	}
	d, err := c.network.Directory(context.WithoutCancel(ctx), c.node.URI())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := (&registrar.Registrar{Authority: c.authority, Directory: d}).Revoke(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	warnings, alarms := later(60)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "a release by the namespace was said of it, in force from") || alarms != 0 || known.Trust != client.TrustAttested {
		t.Errorf("while it waits: %q, %d alarms, %s", warnings, alarms, known.TrustWords())
	}
	warnings, alarms = later(80)
	if len(warnings) != 0 || alarms != 1 || known.Why != client.ResetName || slices.Contains(known.Names, "alice@club") {
		t.Errorf("once it is in force: %q, %d alarms, %s", warnings, alarms, known.TrustWords())
	}
}
