package mailbox

import (
	"communicator/eventlog"
	"communicator/mailbox/keyring"
	"communicator/wire"
)

// OpenMailboxes counts an account's open mailboxes, of at most max. Nothing in the log
// says whose a mailbox is: this asks the ring for the names of the account's places.
func OpenMailboxes(log eventlog.Log, ring *keyring.Ring, account wire.AccountID, max uint32) (open int, err error) {
	err = log.View(func(tables eventlog.Tables) error {
		rows := tables.Table(wire.TableMailbox)
		for n := range max {
			row, err := rows.Get(slotKey(ring.Slot(account, n)))
			if err != nil {
				return err
			}
			if row != nil {
				open++
			}
		}
		return nil
	})
	return open, err
}
