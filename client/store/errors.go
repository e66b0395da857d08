package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// The errors of this package. None of them carries content of the profile.
var (
	// ErrWrongPassphrase: no key slot opens with the passphrase.
	ErrWrongPassphrase = errors.New("store: wrong passphrase")
	// ErrEmptyPassphrase: a profile is never kept without one.
	ErrEmptyPassphrase = errors.New("store: the passphrase is empty")
	// ErrNotProfile: the file or stream is not one of ours.
	ErrNotProfile = errors.New("store: not a profile")
	// ErrNewerFormat: a newer version of the program wrote it; upgrade.
	ErrNewerFormat = errors.New("store: written by a newer version")
	// ErrDamaged: the file's content contradicts itself, or an export was cut
	// short or changed.
	ErrDamaged = errors.New("store: damaged")
	// ErrExists: a row, or the profile's file, is already there.
	ErrExists = errors.New("store: already exists")
	// ErrNotFound: no such row or file.
	ErrNotFound = errors.New("store: not found")
	// ErrReference: a row that is referred to does not exist, or a row to be
	// deleted is still referred to.
	ErrReference = errors.New("store: referred row missing or still in use")
	// ErrStale: the value offered is older than the one that is stored.
	ErrStale = errors.New("store: older than what is stored")
	// ErrTransition: the row's state does not lead to the wanted one.
	ErrTransition = errors.New("store: state change not allowed")
	// ErrInvalid: a value is out of its bounds.
	ErrInvalid = errors.New("store: invalid value")
	// ErrBusy: another process kept the profile locked for the busy timeout.
	// Nothing was changed; try again.
	ErrBusy = errors.New("store: busy")
	// ErrFull: no space left on the device. Nothing was changed.
	ErrFull = errors.New("store: disk full")
	// ErrStopped: a former commit failed with an I/O error. Open the profile
	// again to learn what is stored.
	ErrStopped = errors.New("store: stopped after a failed commit")
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("store: closed")
	// ErrTxDone: a transaction was used after its function returned.
	ErrTxDone = errors.New("store: transaction is over")
	// ErrReadOnly: a change was tried inside [Store.View].
	ErrReadOnly = errors.New("store: change in a read-only transaction")
)

// mapError turns SQLite's codes into this package's errors. ctx, if its end
// interrupted the statement, gives the cause.
func mapError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlite3.INTERRUPT) && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, sqlite3.BUSY), errors.Is(err, sqlite3.LOCKED):
		return ErrBusy
	case errors.Is(err, sqlite3.FULL):
		return ErrFull
	case errors.Is(err, sqlite3.CORRUPT), errors.Is(err, sqlite3.NOTADB):
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	case errors.Is(err, sqlite3.CONSTRAINT_UNIQUE), errors.Is(err, sqlite3.CONSTRAINT_PRIMARYKEY),
		errors.Is(err, sqlite3.CONSTRAINT_ROWID):
		return ErrExists
	case errors.Is(err, sqlite3.CONSTRAINT_FOREIGNKEY), errors.Is(err, sqlite3.CONSTRAINT_TRIGGER):
		return ErrReference
	case errors.Is(err, sqlite3.CONSTRAINT), errors.Is(err, sqlite3.TOOBIG):
		return fmt.Errorf("%w: %v", ErrInvalid, err)
	}
	return fmt.Errorf("store: %w", err)
}
