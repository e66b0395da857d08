package client

import (
	"context"
	"time"

	"communicator/client/directory"
	"communicator/directory/proof"
	"communicator/directory/vend"
)

// ContactToken makes a token that lets one person begin one conversation under a name of
// ours, where its rule is to be invited. Hand it over by any medium.
//
// Errors: [ErrNoName].
func (c *Client) ContactToken(ctx context.Context, name string, life time.Duration) (vend.Token, error) {
	row, err := c.findName(ctx, name)
	if err != nil {
		return vend.Token{}, err
	}
	token, err := directory.NewToken(c.opts.Rand)
	if err != nil {
		return token, err
	}
	id, _, err := row.identity()
	if err != nil {
		return token, err
	}
	return token, c.atOwned(ctx, row, func(_ ownName, owner directory.Owner) error {
		return owner.Invite(ctx, proof.IdDoc(id.Doc()).Hash(), c.now().Add(life), token)
	})
}
