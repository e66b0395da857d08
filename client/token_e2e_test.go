package client_test

import (
	"errors"
	"testing"
	"time"

	"communicator/client"
	"communicator/directory/vend"
)

// TestInvitedByToken: under the rule "invited" a token lets one person in, once.
func TestInvitedByToken(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClub(t)
	other := startPeer(t, c.node)
	alice, bob, mallory := c.member(c.node, other), c.member(c.node, other), c.member(c.node, other)
	if _, err := alice.Register(ctx, "alice@club", client.RegisterOptions{Token: c.token()}); err != nil {
		t.Fatal(err)
	}
	if err := alice.SetRule(ctx, "alice@club", vend.Policy{Rule: vend.Invited, PerHour: 60}); err != nil {
		t.Fatal(err)
	}
	token, err := alice.ContactToken(ctx, "alice@club", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.ContactToken(ctx, "alice@club", time.Hour); !errors.Is(err, client.ErrNoName) {
		t.Errorf("a token for somebody else's name: %v", err)
	}
	if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice"}); !errors.Is(err, client.ErrNotGranted) {
		t.Errorf("without a token: %v", err)
	}
	if _, err := bob.Ask(ctx, "alice@club", client.AskOptions{As: "Alice", Token: &token}); err != nil {
		t.Fatal(err)
	}
	if _, err := mallory.Ask(ctx, "alice@club", client.AskOptions{As: "Alice", Token: &token}); !errors.Is(err, client.ErrNotGranted) {
		t.Errorf("the same token again: %v", err)
	}
}
