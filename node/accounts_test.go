package node

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"communicator/node/access"
	"communicator/relay/receipt"
	"communicator/wire"
)

// TestTokensAndAccounts asks a node for what uses it, then its directory.
func TestTokensAndAccounts(t *testing.T) {
	dir := initDir(t)
	n := run(t, onDisk(dir))
	ctx := t.Context()
	service, err := Administer(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	p := newPerson(t, nil, time.Now)
	defer p.close()
	p.at(ctx, n.token(3))
	for range 2 {
		p.makeBox(ctx, n.URI())
	}
	accounts, err := service.Accounts(ctx)
	if err != nil || len(accounts) != 1 || accounts[0].Mailboxes != 2 || accounts[0].MailboxQuota != 100 {
		t.Errorf("accounts %+v, %v", accounts, err)
	}
	if err := service.RemoveAccount(ctx, "nobody"); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("removing nobody: %v", err)
	}
	if err := service.Close(); err != nil {
		t.Error(err)
	}
	n.end()

	offline, err := Administer(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := offline.Close(); err != nil {
			t.Error(err)
		}
	}()
	again, err := offline.Accounts(ctx)
	if err != nil || !slices.Equal(again, accounts) {
		t.Fatalf("accounts %+v, %v", again, err)
	}
	if err := offline.RemoveAccount(ctx, again[0].ID); err != nil {
		t.Error(err)
	}
	tokens, err := offline.Tokens(ctx)
	if err != nil || len(tokens) != 1 || tokens[0].Uses != 2 {
		t.Fatalf("tokens %+v, %v", tokens, err)
	}
	if err := offline.RevokeToken(ctx, tokens[0].ID); err != nil {
		t.Error(err)
	}
	if status, err := offline.Status(ctx); err != nil || status.Accounts+status.TokenUses != 0 {
		t.Errorf("%d accounts and %d uses are left, %v", status.Accounts, status.TokenUses, err)
	}
}

// TestQueuedBytesOfAnAccountAreTheOperators: the quota in the configuration is the one
// that senders meet while a receiving agent is away.
func TestQueuedBytesOfAnAccountAreTheOperators(t *testing.T) {
	settings := testSettings()
	settings.Limits.SubmissionBytesPerAccount = receipt.MaxBody - 1
	if err := settings.Validate(); err == nil {
		t.Error("a quota that shuts the largest submission out is taken")
	}
	settings.Limits.SubmissionBytesPerAccount = 100_000
	sender := run(t, Config{Settings: settings})
	defer sender.end()
	receiver := run(t, Config{Settings: testSettings()})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	blair := newPerson(t, nil, time.Now)
	defer blair.close()
	b := blair.makeBox(ctx, receiver.token(1))
	receiver.end()
	alex := newPerson(t, nil, time.Now)
	defer alex.close()
	out := alex.at(ctx, sender.token(1))
	large := make([]byte, 45_000)
	for range 2 {
		if _, err := out.Submit(ctx, alex.prepare(b, large).Submission); err != nil {
			t.Fatal(err)
		}
	}
	var status *wire.StatusError
	if _, err := out.Submit(ctx, alex.prepare(b, large).Submission); !errors.As(err, &status) || status.Status != wire.StatusTryAgain {
		t.Errorf("over the quota: %v", err)
	}
}
