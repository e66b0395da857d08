package client

import (
	"context"

	"communicator/directory/proof"
)

// CrashAt makes the client fail at a point, and at all after it, as a process that has died
// does nothing more. Nil ends that.
func (c *Client) CrashAt(point string) {
	if point == "" {
		c.crash = nil
		return
	}
	crashed := false
	c.crash = func(at string) error {
		if crashed = crashed || at == point; crashed {
			return errCrash
		}
		return nil
	}
}

// ErrCrash is what CrashAt makes it fail with.
var ErrCrash = errCrash

// Holds says whether the profile has the key with which somebody may act as this identity
// for a name of ours.
func (c *Client) Holds(ctx context.Context, name string, doc proof.IdDoc) bool {
	row, err := c.findName(ctx, name)
	if err != nil {
		return false
	}
	rows := row.identities()
	if row.Next != nil {
		rows = append(rows, *row.Next)
	}
	for _, at := range rows {
		if has, err := at.doc(); err == nil && has == doc {
			return true
		}
	}
	return false
}

// NameKey is the private key of a name of ours, as a thief of the profile has it.
func (c *Client) NameKey(ctx context.Context, name string) ([]byte, error) {
	row, err := c.findName(ctx, name)
	return row.Identity, err
}
