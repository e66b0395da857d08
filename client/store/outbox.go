package store

import (
	"fmt"
	"time"
)

// OutgoingState is where a message of ours stands.
//
//	queued ⇄ submitted ─▶ stored ─▶ delivered
//	  ▲│         │           │          │
//	  │└─────────┴─▶ expired, failed    │
//	  │                  │              │
//	  └──── resend ◀─────┴──────────────┘  after a reset of the session
//
// queued and submitted lead to stored or delivered as well; every state but
// resend itself leads to resend, which leads back to queued with a new
// ciphertext ([Tx.Reencrypt]), or ends as expired or failed.
type OutgoingState uint8

const (
	OutgoingQueued    OutgoingState = iota // no sending agent has it
	OutgoingSubmitted                      // a sending agent gave a receipt
	OutgoingStored                         // a receiving agent has it
	OutgoingDelivered                      // the peer's client has acknowledged it
	OutgoingExpired
	OutgoingResend // the ciphertext is void: encrypt again
	OutgoingFailed
)

func (s OutgoingState) String() string {
	return name(s, "queued", "submitted", "stored", "delivered", "expired", "resend", "failed")
}

// Final says whether nothing more will be tried by itself.
func (s OutgoingState) Final() bool {
	return s == OutgoingStored || s == OutgoingDelivered || s == OutgoingExpired || s == OutgoingFailed
}

// allowed[from] has a bit for each state that may follow.
var allowed = [...]int64{
	OutgoingQueued: stateMask([]OutgoingState{OutgoingSubmitted, OutgoingStored, OutgoingDelivered,
		OutgoingExpired, OutgoingResend, OutgoingFailed}),
	OutgoingSubmitted: stateMask([]OutgoingState{OutgoingQueued, OutgoingStored, OutgoingDelivered,
		OutgoingExpired, OutgoingResend, OutgoingFailed}),
	OutgoingStored:    stateMask([]OutgoingState{OutgoingDelivered, OutgoingResend}),
	OutgoingDelivered: stateMask([]OutgoingState{OutgoingResend}),
	OutgoingExpired:   stateMask([]OutgoingState{OutgoingDelivered, OutgoingResend}),
	OutgoingResend:    stateMask([]OutgoingState{OutgoingExpired, OutgoingFailed}),
	OutgoingFailed:    stateMask([]OutgoingState{OutgoingDelivered, OutgoingResend}),
}

// Outgoing is one message on its way out.
type Outgoing struct {
	ID         ID // the message id
	Contact    ID
	Ciphertext []byte // exact; sent again byte for byte
	State      OutgoingState
	Created    time.Time
	NotAfter   time.Time // it is given up then
}

const outboxColumns = `id, contact, ciphertext, state, created, not_after`

func scanOutgoing(r *row) Outgoing {
	return Outgoing{ID: r.id(), Contact: r.id(), Ciphertext: r.blob(), State: OutgoingState(r.int()),
		Created: r.time(), NotAfter: r.time()}
}

// Enqueue stores a ciphertext as queued, in the transaction that also stores the
// particle state it came from. Created is set to now if zero.
func (tx *Tx) Enqueue(o Outgoing) error {
	if len(o.Ciphertext) == 0 || o.NotAfter.IsZero() {
		return fmt.Errorf("%w: a message needs a ciphertext and an end", ErrInvalid)
	}
	if o.Created.IsZero() {
		o.Created = tx.Now()
	}
	_, err := tx.exec(`INSERT INTO outbox (`+outboxColumns+`) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
		o.ID[:], o.Contact[:], o.Ciphertext, int(OutgoingQueued), o.Created, o.NotAfter)
	return err
}

// Outgoing returns one message of the outbox.
func (tx *Tx) Outgoing(id ID) (Outgoing, error) {
	return one(tx, scanOutgoing, `SELECT `+outboxColumns+` FROM outbox WHERE id = ?1`, id[:])
}

// Outbox returns messages in the order in which they were queued: of one contact
// (zero: of all) in the given states (none: in all), at most limit.
func (tx *Tx) Outbox(contact ID, limit int, states ...OutgoingState) ([]Outgoing, error) {
	return list(tx, scanOutgoing, `SELECT `+outboxColumns+` FROM outbox
		WHERE (?1 IS NULL OR contact = ?1) AND (?2 >> state) & 1 ORDER BY created, rowid LIMIT ?3`,
		null(contact), stateMask(states), limit)
}

// SetOutgoingState moves a message along the drawn arrows, otherwise
// [ErrTransition]. The state that it has already is no error.
func (tx *Tx) SetOutgoingState(id ID, to OutgoingState) error {
	o, err := tx.Outgoing(id)
	if err != nil || o.State == to {
		return err
	}
	if int(o.State) >= len(allowed) || int(to) >= len(allowed) || allowed[o.State]>>to&1 == 0 {
		return fmt.Errorf("%w: %v to %v", ErrTransition, o.State, to)
	}
	return tx.change(`UPDATE outbox SET state = ?2 WHERE id = ?1`, id[:], int(to))
}

// Reencrypt replaces the void ciphertext of a message in resend by a new one,
// queues it and drops the attempts that carried the old one.
func (tx *Tx) Reencrypt(id ID, ciphertext []byte, notAfter time.Time) error {
	o, err := tx.Outgoing(id)
	if err != nil {
		return err
	}
	if o.State != OutgoingResend {
		return fmt.Errorf("%w: %v is not resend", ErrTransition, o.State)
	}
	if len(ciphertext) == 0 || notAfter.IsZero() {
		return fmt.Errorf("%w: a message needs a ciphertext and an end", ErrInvalid)
	}
	if _, err := tx.exec(`DELETE FROM attempts WHERE message = ?1`, id[:]); err != nil {
		return err
	}
	return tx.change(`UPDATE outbox SET ciphertext = ?2, not_after = ?3, state = ?4 WHERE id = ?1`,
		id[:], ciphertext, notAfter, int(OutgoingQueued))
}

// ExpireOutbox moves every message whose time has come and that is queued,
// submitted or in resend to expired, and returns their ids. What a receiving
// agent may still hold is not touched: a late acknowledgement leads to delivered.
func (tx *Tx) ExpireOutbox(now time.Time) ([]ID, error) {
	open := stateMask([]OutgoingState{OutgoingQueued, OutgoingSubmitted, OutgoingResend})
	ids, err := list(tx, (*row).id, `SELECT id FROM outbox
		WHERE not_after <= ?1 AND (?2 >> state) & 1 ORDER BY created, rowid`, now, open)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if err := tx.SetOutgoingState(id, OutgoingExpired); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// DeleteOutgoing erases a message of the outbox with its attempts.
func (tx *Tx) DeleteOutgoing(id ID) error {
	return tx.change(`DELETE FROM outbox WHERE id = ?1`, id[:])
}
