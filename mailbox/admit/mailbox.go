package admit

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"

	"communicator/wire"
)

// Mode says what a mailbox does with a put.
type Mode uint8

// Modes of a mailbox. One that does not exist is closed.
const (
	Open   Mode = 1
	Closed Mode = 2 // senders are told
	Silent Mode = 3 // senders see "stored"; bodies are dropped
)

// Mailbox is what an agent keeps of one mailbox besides its deliveries. Its row:
//
//	u8 mode ‖ u32 caps ‖ u32 expires (hour) ‖ slot 16 ‖ u32 count ‖ u64 bytes
type Mailbox struct {
	Mode    Mode
	Caps    wire.Caps
	Expires Hour
	Slot    Slot   // of the account that created it; free again once it is revoked
	Count   uint32 // deliveries stored
	Bytes   uint64 // their payloads' size
}

// Marshal encodes the row.
func (m Mailbox) Marshal() []byte {
	b := append(make([]byte, 0, 37), byte(m.Mode))
	b = binary.BigEndian.AppendUint32(b, uint32(m.Caps))
	b = binary.BigEndian.AppendUint32(b, uint32(m.Expires))
	b = append(b, m.Slot[:]...)
	b = binary.BigEndian.AppendUint32(b, m.Count)
	return binary.BigEndian.AppendUint64(b, m.Bytes)
}

// ParseMailbox decodes a row.
func ParseMailbox(row []byte) (Mailbox, error) {
	var m Mailbox
	s := cryptobyte.String(row)
	if !s.ReadUint8((*uint8)(&m.Mode)) || !s.ReadUint32((*uint32)(&m.Caps)) ||
		!s.ReadUint32((*uint32)(&m.Expires)) || !s.CopyBytes(m.Slot[:]) ||
		!s.ReadUint32(&m.Count) || !s.ReadUint64(&m.Bytes) || !s.Empty() ||
		m.Mode < Open || m.Mode > Silent {
		return Mailbox{}, wire.ErrMalformed
	}
	return m, nil
}

// Spent says that the row tells nothing that its absence would not tell as well:
// senders hear "closed" either way, and nothing is left to collect.
func (m Mailbox) Spent() bool { return m.Mode == Closed && m.Count == 0 }

// Due says that a row may go at the hour now: no address of the mailbox is valid
// any more, and nothing is left to collect.
func (m Mailbox) Due(now Hour) bool { return m.Expires <= now && m.Count == 0 }
