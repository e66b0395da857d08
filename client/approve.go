package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"communicator/client/directory"
	"communicator/client/store"
	"communicator/directory/vend"
)

// Knock is a request for contact that waits at a directory for our decision, where the
// rule of a name of ours is that its owner approves.
type Knock struct {
	ID   string // for AnswerKnock
	Name string // of ours, that was asked for
	Note string // what they wrote, as they say; empty if it cannot be read
}

// Knocks asks the directories of our names for the requests that wait. Nobody can tell
// who they are from: the note is all there is.
func (c *Client) Knocks(ctx context.Context) ([]Knock, error) {
	var out []Knock
	err := c.eachOwned(ctx, func(row ownName, owner directory.Owner) error {
		return eachWaiting(ctx, owner.Requests, func(w directory.Waiting) {
			out = append(out, Knock{hex.EncodeToString(w.Request[:]), row.Name, string(row.openNote(w.Note))})
		})
	})
	return out, err
}

// openNote reads a note that was sealed to the identity that a name has, or had when they
// asked.
func (o ownName) openNote(sealed []byte) []byte {
	for _, at := range o.identities() {
		if note := openNote(at.Identity[len(at.Identity)/2:], sealed); note != nil {
			return note
		}
	}
	return nil
}

// AnswerKnock approves or declines a request for contact. Who asked is given a package
// when they ask again, and the conversation then begins with their first message.
//
// Errors: [ErrNoSuchRequest].
func (c *Client) AnswerKnock(ctx context.Context, id string, approve bool) error {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != len(vend.Digest{}) {
		return ErrNoSuchRequest
	}
	found := false
	err = c.eachOwned(ctx, func(_ ownName, owner directory.Owner) error {
		var here bool
		if err := eachWaiting(ctx, owner.Requests, func(w directory.Waiting) { here = here || slices.Equal(w.Request[:], b) }); err != nil || !here {
			return err
		}
		found = true
		return owner.Decide(ctx, approve, vend.Digest(b))
	})
	if err == nil && !found {
		err = ErrNoSuchRequest
	}
	return err
}

// maxWaitingPages bounds what one directory can make us read.
const maxWaitingPages = 16

// eachWaiting goes through the pages of requests that wait for an owner, each once.
func eachWaiting(ctx context.Context, page func(ctx context.Context, after uint64) ([]directory.Waiting, bool, error), visit func(directory.Waiting)) error {
	seen := map[vend.Digest]bool{}
	after := uint64(0)
	for range maxWaitingPages {
		list, more, err := page(ctx, after)
		if err != nil {
			return err
		}
		for _, w := range list {
			after = w.Position
			if !seen[w.Request] {
				seen[w.Request] = true
				visit(w)
			}
		}
		if !more || len(list) == 0 {
			return nil
		}
	}
	return nil
}

// eachOwned connects to the directory of each of our names. One that fails does not keep
// the others from being asked.
func (c *Client) eachOwned(ctx context.Context, do func(ownName, directory.Owner) error) error {
	var rows []ownName
	err := c.st.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = ownNames(tx)
		return err
	})
	for _, row := range rows {
		if len(row.Statement) == 0 {
			continue
		}
		if one := c.atOwned(ctx, row, do); one != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", row.Name, one))
		}
	}
	return err
}

func (c *Client) atOwned(ctx context.Context, row ownName, do func(ownName, directory.Owner) error) error {
	_, key, err := row.identity()
	if err != nil {
		return err
	}
	p, err := c.placeOf(ctx, row.Label+"@"+row.NSID, row.Peers)
	if err != nil {
		return err
	}
	defer p.dir.Close()
	return do(row, directory.Owner{Client: p.dir, NS: p.space.ID, Name: p.label, Key: key})
}

// SetRule sets who may begin a conversation under a name of ours, and how many an hour.
//
// Errors: [ErrNoName].
func (c *Client) SetRule(ctx context.Context, name string, rule vend.Policy) error {
	row, err := c.findName(ctx, name)
	if err != nil {
		return err
	}
	err = c.atOwned(ctx, row, func(_ ownName, owner directory.Owner) error { return owner.SetRule(ctx, rule) })
	if err != nil {
		return err
	}
	_, err = c.changeName(ctx, row.setting(), func(now *ownName) {
		now.Rule = rule
		for _, at := range []*ownName{now, now.Next} {
			if at != nil && at.Moving != nil {
				at.Moving.Rule = rule
			}
		}
	})
	return err
}
