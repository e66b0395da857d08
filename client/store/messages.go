package store

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// MessageState is what the history shows of a message's delivery.
type MessageState uint8

const (
	MessagePending   MessageState = iota // ours, no agent has it
	MessageSubmitted                     // ours, at a sending agent
	MessageStored                        // ours, at a receiving agent
	MessageResent                        // ours, given up or refused, and sent anew as another message
	MessageExpired                       // ours, given up
	MessageFailed                        // ours, refused
	MessageReceived                      // theirs, not yet shown
	MessageRead                          // theirs, shown
	MessageRefused                       // ours, kept, and refused wherever it could go now
)

func (s MessageState) String() string {
	return name(s, "pending", "submitted", "stored", "resent", "expired", "failed", "received", "read", "refused")
}

// Message is one entry of the history.
type Message struct {
	Seq      int64 // assigned by AddMessage: grows with every message of the profile
	ID       ID    // the message id, unique for a contact and direction
	Contact  ID
	Incoming bool
	Sent     time.Time // by the sender's clock
	Received time.Time // by ours; zero if outgoing
	Text     string
	State    MessageState
	Receipt  []byte // proof of delivery that the person may keep, opaque
}

const messageColumns = `seq, id, contact, incoming, sent, received, text, state, receipt`

func scanMessage(r *row) Message {
	return Message{Seq: r.int(), ID: r.id(), Contact: r.id(), Incoming: r.bool(), Sent: r.time(),
		Received: r.time(), Text: r.text(), State: MessageState(r.int()), Receipt: r.blob()}
}

// AddMessage appends to the history and returns the entry's sequence number;
// [ErrExists] when the contact's message is there already.
func (tx *Tx) AddMessage(m Message) (int64, error) {
	if len(m.Text) > MaxText || !utf8.ValidString(m.Text) {
		return 0, fmt.Errorf("%w: a text has at most %d bytes of UTF-8", ErrInvalid, MaxText)
	}
	return tx.insert(`INSERT INTO messages (id, contact, incoming, sent, received, text, state, receipt)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`,
		m.ID[:], m.Contact[:], m.Incoming, m.Sent, m.Received, m.Text, int(m.State), m.Receipt)
}

// Message returns one message by its id.
func (tx *Tx) Message(contact ID, incoming bool, id ID) (Message, error) {
	return one(tx, scanMessage, `SELECT `+messageColumns+` FROM messages
		WHERE contact = ?1 AND incoming = ?2 AND id = ?3`, contact[:], incoming, id[:])
}

// MessagesAfter returns at most limit messages with a sequence number above
// after, oldest first: of one contact, or of all if it is zero. A loop that
// follows the history passes the last number it has seen.
func (tx *Tx) MessagesAfter(contact ID, after int64, limit int) ([]Message, error) {
	return list(tx, scanMessage, `SELECT `+messageColumns+` FROM messages
		WHERE seq > ?2 AND (?1 IS NULL OR contact = ?1) ORDER BY seq LIMIT ?3`, null(contact), after, limit)
}

// MessagesBefore returns at most limit messages of a contact with a sequence
// number below before, newest first; 0 begins at the end.
func (tx *Tx) MessagesBefore(contact ID, before int64, limit int) ([]Message, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	return list(tx, scanMessage, `SELECT `+messageColumns+` FROM messages
		WHERE contact = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3`, contact[:], before, limit)
}

// SetMessageState changes what the history shows of a delivery.
func (tx *Tx) SetMessageState(contact ID, incoming bool, id ID, s MessageState) error {
	return tx.change(`UPDATE messages SET state = ?4 WHERE contact = ?1 AND incoming = ?2 AND id = ?3`,
		contact[:], incoming, id[:], int(s))
}

// CountMessages returns how many of our messages to a contact are in each state.
func (tx *Tx) CountMessages(contact ID) (map[MessageState]int, error) {
	type count struct {
		state MessageState
		n     int
	}
	rows, err := list(tx, func(r *row) count { return count{MessageState(r.int()), int(r.int())} },
		`SELECT state, count(*) FROM messages WHERE contact = ?1 AND incoming = 0 GROUP BY state`, contact[:])
	out := make(map[MessageState]int, len(rows))
	for _, c := range rows {
		out[c.state] = c.n
	}
	return out, err
}

// OutgoingInState returns at most limit of our messages to a contact that are in one
// of two states, oldest first.
func (tx *Tx) OutgoingInState(contact ID, a, b MessageState, limit int) ([]Message, error) {
	return list(tx, scanMessage, `SELECT `+messageColumns+` FROM messages
		WHERE contact = ?1 AND incoming = 0 AND state IN (?2, ?3) ORDER BY seq LIMIT ?4`,
		contact[:], int(a), int(b), limit)
}

// SetMessageReceipt keeps a proof of delivery with an outgoing message.
func (tx *Tx) SetMessageReceipt(contact, id ID, receipt []byte) error {
	return tx.change(`UPDATE messages SET receipt = ?3 WHERE contact = ?1 AND incoming = 0 AND id = ?2`,
		contact[:], id[:], receipt)
}

// DeleteMessages erases a contact's history up to and including a sequence
// number and returns how many messages it had.
func (tx *Tx) DeleteMessages(contact ID, through int64) (int64, error) {
	return tx.exec(`DELETE FROM messages WHERE contact = ?1 AND seq <= ?2`, contact[:], through)
}
