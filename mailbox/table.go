package mailbox

import (
	"encoding/binary"
	"fmt"

	"communicator/eventlog"
	"communicator/mailbox/admit"
	"communicator/wire"
)

// Projections returns the tables of a receiving agent, for opening the log.
func Projections() []eventlog.Projection {
	return []eventlog.Projection{mailboxTable{}, blobTable{}}
}

// event is a fact as the log takes it.
func event(f admit.Fact, body []byte) eventlog.Event {
	return eventlog.Event{
		Kind: eventlog.Kind(f.Kind()), Version: admit.Version,
		Stream: f.Stream(), Header: f.Header(), Body: body,
	}
}

// fact reads a record of ours; nil for another package's.
func fact(r eventlog.Record) (admit.Fact, error) {
	if r.Kind&^0xff != wire.KindsMailbox {
		return nil, nil
	}
	f, err := admit.ParseFact(uint16(r.Kind), r.Version, r.Stream, r.Header)
	if err != nil {
		return nil, fmt.Errorf("mailbox: event %d of kind %#04x version %d: %w", r.Seq, r.Kind, r.Version, err)
	}
	return f, nil
}

// errInvariant is a record that contradicts the rows: decisions exclude it.
func errInvariant(r eventlog.Record, what string) error {
	return fmt.Errorf("mailbox: event %d of kind %#04x: %s", r.Seq, r.Kind, what)
}

// mailboxTable holds mailboxes, deliveries, replay ids and slots.
type mailboxTable struct{}

func (mailboxTable) Name() string { return "mailboxes" }
func (mailboxTable) ID() byte     { return wire.TableMailbox }

// Apply implements [eventlog.Projection].
func (t mailboxTable) Apply(w eventlog.Writer, r eventlog.Record, _ []byte) error {
	f, err := fact(r)
	if err != nil {
		return err
	}
	switch f := f.(type) {
	case admit.MailboxCreated:
		return t.created(w, f)
	case admit.Delivered:
		return t.delivered(w, r, f)
	case admit.Collected:
		return t.erased(w, r, f.Mailbox, f.Positions)
	case admit.Expired:
		return t.erased(w, r, f.Mailbox, f.Positions)
	case admit.AddressRevoked:
		return t.revoked(w, r, f)
	case admit.MailboxRemoved:
		return t.removed(w, r, f)
	case admit.ReplayForgotten:
		return t.forgotten(w, f)
	}
	return nil
}

func (mailboxTable) created(w eventlog.Writer, f admit.MailboxCreated) error {
	m, err := loadMailbox(w, f.Mailbox)
	if err != nil {
		return err
	}
	if m == nil {
		m = &admit.Mailbox{Mode: admit.Open, Caps: f.Caps, Slot: f.Slot}
	}
	m.Expires = f.Expires
	if err := w.Set(slotKey(f.Slot), []byte{}); err != nil {
		return err
	}
	return w.Set(mailboxKey(f.Mailbox), m.Marshal())
}

// delivered erases the body of a put to a silent mailbox in the commit that brought
// it: the log, the receipt and the time it took are those of a live one.
func (mailboxTable) delivered(w eventlog.Writer, r eventlog.Record, f admit.Delivered) error {
	m, err := loadMailbox(w, f.Mailbox)
	if err != nil {
		return err
	}
	if m == nil || m.Mode == admit.Closed {
		return errInvariant(r, "delivered to a mailbox that is closed")
	}
	seq := binary.BigEndian.AppendUint64(nil, r.Seq)
	if err := w.Set(replayKey(f.NotAfter.Week(), f.Replay), seq); err != nil {
		return err
	}
	if m.Mode == admit.Silent {
		return w.EraseBody(r.Seq)
	}
	d := delivery{seq: r.Seq, size: r.BodyLen, received: admit.HourAt(r.Time)}
	if err := w.Set(deliveryKey(f.Mailbox, r.Seq), d.marshal()); err != nil {
		return err
	}
	m.Count++
	m.Bytes += uint64(r.BodyLen)
	return w.Set(mailboxKey(f.Mailbox), m.Marshal())
}

// erased removes deliveries, and their mailbox's row once it tells nothing more.
func (t mailboxTable) erased(w eventlog.Writer, r eventlog.Record, mb wire.MailboxID, positions []uint64) error {
	m, err := loadMailbox(w, mb)
	if err != nil {
		return err
	}
	if m == nil {
		return errInvariant(r, "erased from a mailbox that does not exist")
	}
	found, err := findDeliveries(w, mb, positions)
	if err != nil {
		return err
	}
	if len(found) != len(positions) {
		return errInvariant(r, "erased what was not stored")
	}
	for _, d := range found {
		if err := t.erase(w, mb, m, d); err != nil {
			return err
		}
	}
	return t.keep(w, mb, m)
}

func (mailboxTable) erase(w eventlog.Writer, mb wire.MailboxID, m *admit.Mailbox, d delivery) error {
	m.Count--
	m.Bytes -= uint64(d.size)
	if err := w.Delete(deliveryKey(mb, d.seq)); err != nil {
		return err
	}
	return w.EraseBody(d.seq)
}

// keep writes a mailbox's row, or drops it once its absence says the same.
func (mailboxTable) keep(w eventlog.Writer, mb wire.MailboxID, m *admit.Mailbox) error {
	if m.Spent() {
		return w.Delete(mailboxKey(mb))
	}
	return w.Set(mailboxKey(mb), m.Marshal())
}

// revoked frees the account's slot as well: what is left of the mailbox is a burden
// that its account cannot make grow.
func (t mailboxTable) revoked(w eventlog.Writer, r eventlog.Record, f admit.AddressRevoked) error {
	m, err := loadMailbox(w, f.Mailbox)
	if err != nil {
		return err
	}
	if m == nil {
		return errInvariant(r, "revoked a mailbox that does not exist")
	}
	if m.Mode == admit.Open {
		if err := w.Delete(slotKey(m.Slot)); err != nil {
			return err
		}
	}
	m.Mode = f.Mode
	if f.Purge {
		var all []delivery
		err := scanDeliveries(w, f.Mailbox, 0, func(d delivery) bool { all = append(all, d); return true })
		if err != nil {
			return err
		}
		for _, d := range all {
			if err := t.erase(w, f.Mailbox, m, d); err != nil {
				return err
			}
		}
	}
	return t.keep(w, f.Mailbox, m)
}

func (mailboxTable) removed(w eventlog.Writer, r eventlog.Record, f admit.MailboxRemoved) error {
	m, err := loadMailbox(w, f.Mailbox)
	if err != nil {
		return err
	}
	if m == nil || m.Count != 0 {
		return errInvariant(r, "removed a mailbox that is gone or holds deliveries")
	}
	if m.Mode == admit.Open {
		if err := w.Delete(slotKey(m.Slot)); err != nil {
			return err
		}
	}
	return w.Delete(mailboxKey(f.Mailbox))
}

func (mailboxTable) forgotten(w eventlog.Writer, f admit.ReplayForgotten) error {
	var keys [][]byte
	err := w.Scan([]byte{rowReplay}, nil, func(key, _ []byte) bool {
		if replayWeek(key) >= f.Before || len(keys) >= int(f.Limit) {
			return false
		}
		keys = append(keys, append([]byte(nil), key...))
		return true
	})
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := w.Delete(key); err != nil {
			return err
		}
	}
	return nil
}
