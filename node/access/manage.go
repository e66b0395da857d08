package access

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"communicator/eventlog"
	"communicator/wire"
)

// What an operator gets told of an id that names no token or account, or several.
var (
	ErrNotFound  = errors.New("access: nothing has this id")
	ErrAmbiguous = errors.New("access: the id begins several: give more of it")
)

// IssuedToken is a token that can still open accounts. Its id is the hash by which the
// rows have it.
type IssuedToken struct {
	ID   [32]byte
	Uses int // accounts that it can still open
}

// Tokens lists the tokens that have uses left, in the order of their ids.
func (a *Access) Tokens() (list []IssuedToken, err error) {
	var bad error
	err = a.config.Log.View(func(t eventlog.Tables) error {
		rows := t.Table(wire.TableAccess)
		return rows.Scan([]byte{rowToken}, nil, func(key, _ []byte) bool {
			id := [32]byte(key[1:])
			var uses uint32
			if uses, bad = usesLeft(rows, id); bad != nil {
				return false
			}
			list = append(list, IssuedToken{id, int(uses)})
			return true
		})
	})
	return list, errors.Join(err, bad)
}

// Accounts lists the accounts that tokens opened, in the order of their ids.
func (a *Access) Accounts() (list []wire.AccountID, err error) {
	err = a.config.Log.View(func(t eventlog.Tables) error {
		return t.Table(wire.TableAccess).Scan([]byte{rowAccount}, nil, func(key, _ []byte) bool {
			list = append(list, wire.AccountID(key[1:]))
			return true
		})
	})
	return list, err
}

// RevokeToken takes the uses that a token has left. The id is given in hexadecimal; its
// beginning suffices. Accounts that the token opened stay. Errors: [ErrNotFound],
// [ErrAmbiguous], the log's.
func (a *Access) RevokeToken(ctx context.Context, id string) error {
	return a.remove(ctx, rowToken, id, func(key []byte) eventlog.Event { return tokenRevoked([32]byte(key)) })
}

// RemoveAccount closes an account to new streams, under every policy that knows
// accounts. Its mailboxes can still be collected by their owners, and what it submitted
// is still forwarded. A token with uses left opens it again: that is to be revoked
// first. Errors as of [Access.RevokeToken].
func (a *Access) RemoveAccount(ctx context.Context, id string) error {
	return a.remove(ctx, rowAccount, id, func(key []byte) eventlog.Event { return accountRemoved(wire.AccountID(key)) })
}

// remove finds the one row of a kind whose key begins with id, and appends what removes
// it.
func (a *Access) remove(ctx context.Context, kind byte, id string, removed func(key []byte) eventlog.Event) error {
	id = strings.ToLower(id)
	whole, err := hex.DecodeString(id[:len(id)/2*2])
	if err != nil || len(id) == 0 {
		return ErrNotFound
	}
	_, err = a.config.Log.Decide(ctx, func(_ time.Time, t eventlog.Tables) ([]eventlog.Event, error) {
		var found [][]byte
		prefix := append([]byte{kind}, whole...)
		err := t.Table(wire.TableAccess).Scan(prefix, nil, func(key, _ []byte) bool {
			if strings.HasPrefix(hex.EncodeToString(key[1:]), id) {
				found = append(found, append([]byte(nil), key[1:]...))
			}
			return len(found) < 2
		})
		switch {
		case err != nil:
			return nil, err
		case len(found) == 0:
			return nil, ErrNotFound
		case len(found) > 1:
			return nil, ErrAmbiguous
		}
		return []eventlog.Event{removed(found[0])}, nil
	})
	return err
}
