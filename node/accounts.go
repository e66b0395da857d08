package node

import (
	"context"
	"encoding/hex"

	"communicator/mailbox"
	"communicator/node/admin"
)

// shortID is how much of an id an operator is shown: enough to name one of a hundred
// thousand.
const shortID = 6

// Tokens implements [admin.Service].
func (n *Node) Tokens(context.Context) ([]admin.Token, error) {
	tokens, err := n.access.Tokens()
	list := make([]admin.Token, len(tokens))
	for i, t := range tokens {
		list[i] = admin.Token{ID: hex.EncodeToString(t.ID[:shortID]), Uses: t.Uses}
	}
	return list, err
}

// RevokeToken implements [admin.Service].
func (n *Node) RevokeToken(ctx context.Context, id string) error {
	return n.access.RevokeToken(ctx, id)
}

// Accounts implements [admin.Service].
func (n *Node) Accounts(ctx context.Context) ([]admin.Account, error) {
	accounts, err := n.access.Accounts()
	if err != nil {
		return nil, err
	}
	list := make([]admin.Account, len(accounts))
	quota := uint32(n.settings.Limits.MailboxesPerAccount)
	for i, a := range accounts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		open, err := mailbox.OpenMailboxes(n.log, n.keyring, a, quota)
		if err != nil {
			return nil, err
		}
		list[i] = admin.Account{ID: hex.EncodeToString(a[:shortID]), Mailboxes: open, MailboxQuota: int(quota)}
	}
	return list, nil
}

// RemoveAccount implements [admin.Service].
func (n *Node) RemoveAccount(ctx context.Context, id string) error {
	return n.access.RemoveAccount(ctx, id)
}
