package store

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// MailboxKey is a mailbox's id at its agent.
type MailboxKey [16]byte

// MailboxState is where a mailbox of ours stands.
type MailboxState uint8

const (
	MailboxPool    MailboxState = iota // made ahead, handed to nobody
	MailboxActive                      // in the newest address set
	MailboxGrace                       // replaced, still open until GraceUntil
	MailboxClosing                     // to be closed at its agent
	MailboxClosed                      // closed there
)

func (s MailboxState) String() string {
	return name(s, "pool", "active", "grace", "closing", "closed")
}

// Mailbox is one of our own mailboxes at one of our agents. It belongs to a
// contact, to an invitation, or to nobody: the pool.
type Mailbox struct {
	ID         MailboxKey
	Agent      AgentID
	Contact    ID       // zero if none
	Invitation ID       // zero if none; never both
	Seed       [32]byte // of the Ed25519 owner key
	Generation uint64
	Address    []byte // opaque
	State      MailboxState
	Cursor     uint64 // last sequence number that was acknowledged
	Puts       uint64 // seen so far in this generation
	Created    time.Time
	Expiry     time.Time
	GraceUntil time.Time
}

const mailboxColumns = `id, agent, contact, invitation, seed, generation, address, state,
	cursor, puts, created, expiry, grace_until`

func scanMailbox(r *row) Mailbox {
	return Mailbox{
		ID: MailboxKey(r.id()), Agent: AgentID(r.int()), Contact: r.optional(), Invitation: r.optional(),
		Seed: r.b32(), Generation: r.uint(), Address: r.blob(), State: MailboxState(r.int()),
		Cursor: r.uint(), Puts: r.uint(), Created: r.time(), Expiry: r.time(), GraceUntil: r.time(),
	}
}

// AddMailbox stores a mailbox; Created is set to now if zero.
func (tx *Tx) AddMailbox(m Mailbox) error {
	if m.Created.IsZero() {
		m.Created = tx.Now()
	}
	_, err := tx.exec(`INSERT INTO mailboxes (`+mailboxColumns+`)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)`,
		m.ID[:], int64(m.Agent), null(m.Contact), null(m.Invitation), m.Seed[:], m.Generation, m.Address,
		int(m.State), m.Cursor, m.Puts, m.Created, m.Expiry, m.GraceUntil)
	return err
}

// Mailbox returns one mailbox.
func (tx *Tx) Mailbox(id MailboxKey) (Mailbox, error) {
	return one(tx, scanMailbox, `SELECT `+mailboxColumns+` FROM mailboxes WHERE id = ?1`, id[:])
}

// MailboxFilter chooses mailboxes; a zero field chooses all.
type MailboxFilter struct {
	Contact    ID
	Invitation ID
	Agent      AgentID
	States     []MailboxState
}

// Mailboxes returns the mailboxes that a filter chooses, newest generation
// first, then oldest first.
func (tx *Tx) Mailboxes(f MailboxFilter) ([]Mailbox, error) {
	var agent any
	if f.Agent != 0 {
		agent = int64(f.Agent)
	}
	return list(tx, scanMailbox, `SELECT `+mailboxColumns+` FROM mailboxes
		WHERE (?1 IS NULL OR contact = ?1) AND (?2 IS NULL OR invitation = ?2)
			AND (?3 IS NULL OR agent = ?3) AND (?4 >> state) & 1
		ORDER BY generation DESC, created, id`,
		null(f.Contact), null(f.Invitation), agent, stateMask(f.States))
}

// stateMask sets a bit for each state, or all bits when there are none.
func stateMask[T ~uint8](states []T) int64 {
	if len(states) == 0 {
		return math.MaxInt64
	}
	mask := int64(0)
	for _, s := range states {
		mask |= 1 << min(s, 62)
	}
	return mask
}

// PooledMailbox returns the pool's mailbox at an agent that expires last, if it
// lives beyond until; [ErrNotFound] when the pool has none.
func (tx *Tx) PooledMailbox(agent AgentID, until time.Time) (Mailbox, error) {
	return one(tx, scanMailbox, `SELECT `+mailboxColumns+` FROM mailboxes
		WHERE agent = ?1 AND state = ?2 AND expiry > ?3 ORDER BY expiry DESC, id LIMIT 1`,
		int64(agent), int(MailboxPool), until)
}

// AssignMailbox gives a pooled mailbox to a contact or to an invitation, of
// which exactly one is not zero, and makes it active. A mailbox that is not in
// the pool is [ErrTransition]: it is never handed to two.
func (tx *Tx) AssignMailbox(id MailboxKey, contact, invitation ID, generation uint64) error {
	if (contact == ID{}) == (invitation == ID{}) {
		return fmt.Errorf("%w: a mailbox goes to one contact or one invitation", ErrInvalid)
	}
	m, err := tx.Mailbox(id)
	if err != nil {
		return err
	}
	if m.State != MailboxPool {
		return ErrTransition
	}
	return tx.change(`UPDATE mailboxes SET contact = ?2, invitation = ?3, generation = ?4, state = ?5 WHERE id = ?1`,
		id[:], null(contact), null(invitation), generation, int(MailboxActive))
}

// AdoptMailboxes hands an invitation's mailboxes to the contact that came of it
// and returns how many there were.
func (tx *Tx) AdoptMailboxes(invitation, contact ID) (int64, error) {
	return tx.exec(`UPDATE mailboxes SET contact = ?2, invitation = NULL WHERE invitation = ?1`,
		invitation[:], contact[:])
}

// SetMailboxState moves a mailbox on, never back, and out of the pool only to be
// closed: otherwise [ErrTransition]. until is when the grace ends, zero for the
// other states.
func (tx *Tx) SetMailboxState(id MailboxKey, s MailboxState, until time.Time) error {
	m, err := tx.Mailbox(id)
	if err != nil {
		return err
	}
	if s < m.State || m.State == MailboxPool && s < MailboxClosing {
		return ErrTransition
	}
	return tx.change(`UPDATE mailboxes SET state = ?2, grace_until = ?3 WHERE id = ?1`, id[:], int(s), until)
}

// AdvanceCursor records that everything up to seq has been acknowledged. A lower
// number than the recorded one is [ErrStale]; the same one changes nothing.
func (tx *Tx) AdvanceCursor(id MailboxKey, seq uint64) error {
	err := tx.change(`UPDATE mailboxes SET cursor = ?2 WHERE id = ?1 AND cursor <= ?2`, id[:], seq)
	if errors.Is(err, ErrNotFound) {
		if _, ferr := tx.Mailbox(id); ferr == nil {
			return ErrStale
		}
	}
	return err
}

// CountPuts adds to the puts that a mailbox has seen.
func (tx *Tx) CountPuts(id MailboxKey, n uint64) error {
	return tx.change(`UPDATE mailboxes SET puts = puts + ?2 WHERE id = ?1`, id[:], n)
}

// DeleteMailbox erases a mailbox with its key. One that may still be open at its
// agent is [ErrTransition]: without the key nobody could close it.
func (tx *Tx) DeleteMailbox(id MailboxKey) error {
	m, err := tx.Mailbox(id)
	if err != nil {
		return err
	}
	if m.State != MailboxClosed && tx.now().Before(m.Expiry) {
		return ErrTransition
	}
	return tx.change(`DELETE FROM mailboxes WHERE id = ?1`, id[:])
}
