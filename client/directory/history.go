package directory

import (
	"context"
	"errors"
	"fmt"

	"communicator/directory/proof"
	"communicator/wire"
)

// History is all that the log has about a name, each statement verified under the manifest
// that it was signed under, and what it amounts to. Where a statement follows only because
// the key that it replaces took back what came before, that key's vetoes are asked for;
// others are not folded in: [Client.TakenBack]. A name that the log does not have has none.
func (c *Client) History(ctx context.Context, chain proof.Chain, name proof.Name) (state proof.NameState, all []proof.Statement, err error) {
	state = proof.NewName(chain.NSID(), name)
	for range maxHistoryPages {
		page, more, err := c.Statements(ctx, chain.NSID(), name, state.Version)
		var refused *wire.StatusError
		if errors.As(err, &refused) && refused.Status == wire.StatusNotFound {
			return state, all, nil
		}
		if err != nil {
			return state, all, err
		}
		for _, l := range page {
			if state, err = c.next(ctx, chain, state, l.Statement); err != nil {
				return state, all, err
			}
			all = append(all, l.Statement)
		}
		if !more || len(page) == 0 {
			return state, all, nil
		}
	}
	return state, all, fmt.Errorf("%w: a history without an end", ErrProtocol)
}

// next folds one statement, and if it does not follow the vetoes that may explain it.
func (c *Client) next(ctx context.Context, chain proof.Chain, state proof.NameState, s proof.Statement) (proof.NameState, error) {
	m, err := s.SignedUnder(chain)
	if err != nil {
		return state, err
	}
	after, err := proof.Apply(state, s, m, s.Issued)
	if errors.Is(err, proof.ErrReplaced) {
		after, err = proof.Apply(c.TakenBack(ctx, chain, state, s.Replaced), s, m, s.Issued)
	}
	return after, err
}

// TakenBack folds the vetoes and revocations of a key, as far as the directory has any,
// into what the log has of a name.
func (c *Client) TakenBack(ctx context.Context, chain proof.Chain, state proof.NameState, key proof.Key) proof.NameState {
	list, err := c.Revocations(ctx, chain, key)
	if err != nil {
		return state
	}
	for _, s := range list {
		if next, err := proof.Fold(state, s, chain.Current().Hold, s.Issued); err == nil {
			state = next
		}
	}
	return state
}
