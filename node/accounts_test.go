package node

import (
	"errors"
	"slices"
	"testing"
	"time"

	"communicator/node/access"
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
