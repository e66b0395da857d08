package store

import (
	"errors"
	"time"
)

// MarkDelivered remembers a delivery id, H(ciphertext), in the transaction that
// stores what the ciphertext brought. A known one is [ErrExists]: only
// acknowledge it again.
func (tx *Tx) MarkDelivered(hash [32]byte) error {
	_, err := tx.exec(`INSERT INTO delivered (hash, at) VALUES (?1, ?2)`, hash[:], tx.Now())
	return err
}

// Delivered says whether a delivery id is known.
func (tx *Tx) Delivered(hash [32]byte) (bool, error) {
	_, err := one(tx, (*row).int, `SELECT at FROM delivered WHERE hash = ?1`, hash[:])
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// PruneDelivered forgets delivery ids older than [DeliveredRetention] and
// returns how many.
func (tx *Tx) PruneDelivered(now time.Time) (int64, error) {
	return tx.exec(`DELETE FROM delivered WHERE at < ?1`, now.Add(-DeliveredRetention))
}

// Quarantined is a ciphertext that could not be decrypted.
type Quarantined struct {
	ID         int64 // assigned by Quarantine
	Contact    ID    // zero if nobody can be named
	Mailbox    MailboxKey
	Hash       [32]byte // H(ciphertext)
	Ciphertext []byte
	Reason     string
	At         time.Time // set by Quarantine
}

const quarantineColumns = `id, contact, mailbox, hash, ciphertext, reason, at`

func scanQuarantined(r *row) Quarantined {
	return Quarantined{ID: r.int(), Contact: r.optional(), Mailbox: MailboxKey(r.id()), Hash: r.b32(),
		Ciphertext: r.blob(), Reason: r.text(), At: r.time()}
}

// Quarantine keeps a ciphertext that could not be decrypted, and why, and
// returns its number. The same ciphertext again is [ErrExists].
func (tx *Tx) Quarantine(q Quarantined) (int64, error) {
	return tx.insert(`INSERT INTO quarantine (contact, mailbox, hash, ciphertext, reason, at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
		null(q.Contact), q.Mailbox[:], q.Hash[:], q.Ciphertext, q.Reason, tx.Now())
}

// QuarantineAfter returns at most limit entries with numbers above after, in
// order.
func (tx *Tx) QuarantineAfter(after int64, limit int) ([]Quarantined, error) {
	return list(tx, scanQuarantined, `SELECT `+quarantineColumns+` FROM quarantine
		WHERE id > ?1 ORDER BY id LIMIT ?2`, after, limit)
}

// DeleteQuarantined erases an entry that was decrypted after all or is of no use.
func (tx *Tx) DeleteQuarantined(id int64) error {
	return tx.change(`DELETE FROM quarantine WHERE id = ?1`, id)
}
