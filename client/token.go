package client

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"communicator/client/directory"
	"communicator/client/store"
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
	if _, err := c.contactTokens(ctx, row); err != nil { // forgets what has expired
		return token, err
	}
	given := givenToken{Token: token[:], Expires: c.now().Add(life)}
	if err := c.st.Update(ctx, func(tx *store.Tx) error { return given.save(tx, row) }); err != nil {
		return token, err
	}
	return token, c.atOwned(ctx, row, func(_ ownName, owner directory.Owner) error {
		return owner.Invite(ctx, proof.IdDoc(id.Doc()).Hash(), given.Expires, token)
	})
}

// givenToken is a token that we have made: it is bound to the identity that the name had
// then, and is kept until it expires so that another identity of the name can make it valid.
//
//	"contact-token/" namespace "/" name "/" token → givenToken
type givenToken struct {
	Token   []byte    `json:"token"`
	Expires time.Time `json:"expires"`
}

func (g givenToken) token() vend.Token { return vend.Token(g.Token) }

func tokensOf(row ownName) string { return "contact-token/" + row.NSID + "/" + row.Label + "/" }

func (g givenToken) save(tx *store.Tx, row ownName) error {
	b, err := json.Marshal(g)
	if err != nil {
		return err
	}
	return tx.SetSetting(tokensOf(row)+hex.EncodeToString(g.Token), b)
}

// contactTokens are the tokens of a name that have not expired; the others are forgotten.
func (c *Client) contactTokens(ctx context.Context, row ownName) (list []givenToken, err error) {
	err = c.st.Update(ctx, func(tx *store.Tx) error {
		list = nil
		keys, err := tx.SettingKeys(tokensOf(row))
		if err != nil {
			return err
		}
		for _, key := range keys {
			b, err := tx.Setting(key)
			if err != nil {
				return err
			}
			var g givenToken
			if err := json.Unmarshal(b, &g); err != nil || len(g.Token) != len(vend.Token{}) {
				return fmt.Errorf("%w: a token of %s", store.ErrDamaged, row.Name)
			}
			if g.Expires.Before(c.now().Add(tokenLeft)) {
				if err := tx.DeleteSetting(key); err != nil {
					return err
				}
				continue
			}
			list = append(list, g)
		}
		return nil
	})
	return list, err
}

// tokenLeft is what a token must have left to be made valid again: a directory counts hours.
const tokenLeft = time.Hour
