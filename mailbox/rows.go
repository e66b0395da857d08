package mailbox

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"

	"communicator/eventlog"
	"communicator/mailbox/admit"
	"communicator/wire"
)

// First bytes of the keys of both tables.
const (
	rowMailbox  = 'm'
	rowDelivery = 'd'
	rowReplay   = 'r'
	rowSlot     = 's'
	rowBlob     = 'b'
	rowBlobs    = 'n'
)

func mailboxKey(mb wire.MailboxID) []byte {
	return append(append(make([]byte, 0, 17), rowMailbox), mb[:]...)
}

func deliveryPrefix(mb wire.MailboxID) []byte {
	return append(append(make([]byte, 0, 25), rowDelivery), mb[:]...)
}

func deliveryKey(mb wire.MailboxID, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(deliveryPrefix(mb), seq)
}

func replayKey(week wire.Epoch, id admit.ReplayID) []byte {
	k := binary.BigEndian.AppendUint32(append(make([]byte, 0, 21), rowReplay), uint32(week))
	return append(k, id[:]...)
}

// replayWeek reads the week of a replay row's key.
func replayWeek(key []byte) wire.Epoch { return wire.Epoch(binary.BigEndian.Uint32(key[1:])) }

func slotKey(slot admit.Slot) []byte {
	return append(append(make([]byte, 0, 17), rowSlot), slot[:]...)
}

func blobKey(id admit.BlobID) []byte {
	return append(append(make([]byte, 0, 33), rowBlob), id[:]...)
}

// delivery is one row of a mailbox.
type delivery struct {
	seq      uint64
	size     uint32
	received admit.Hour
}

func (d delivery) marshal() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 8), d.size)
	return binary.BigEndian.AppendUint32(b, uint32(d.received))
}

func parseDelivery(key, row []byte) (delivery, error) {
	var d delivery
	s := cryptobyte.String(row)
	if len(key) != 25 || !s.ReadUint32(&d.size) || !s.ReadUint32((*uint32)(&d.received)) || !s.Empty() {
		return d, wire.ErrMalformed
	}
	d.seq = binary.BigEndian.Uint64(key[17:])
	return d, nil
}

// loadMailbox returns nil if there is no row.
func loadMailbox(r eventlog.Reader, mb wire.MailboxID) (*admit.Mailbox, error) {
	row, err := r.Get(mailboxKey(mb))
	if row == nil || err != nil {
		return nil, err
	}
	m, err := admit.ParseMailbox(row)
	if err != nil {
		return nil, err
	}
	return &m, nil
}

// loadDelivery returns nil if it is not stored.
func loadDelivery(r eventlog.Reader, mb wire.MailboxID, seq uint64) (*delivery, error) {
	key := deliveryKey(mb, seq)
	row, err := r.Get(key)
	if row == nil || err != nil {
		return nil, err
	}
	d, err := parseDelivery(key, row)
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// findDeliveries returns those of a mailbox's positions, which ascend, that are stored.
// They mostly follow each other, as an owner got them: then one scan is several times
// cheaper than a look-up for each.
func findDeliveries(r eventlog.Reader, mb wire.MailboxID, positions []uint64) ([]delivery, error) {
	found := make([]delivery, 0, len(positions))
	left := positions
	if len(left) >= scanFrom {
		budget := scanShare * len(left)
		err := scanDeliveries(r, mb, max(left[0], 1)-1, func(d delivery) bool {
			for len(left) > 0 && left[0] < d.seq {
				left = left[1:]
			}
			if len(left) > 0 && left[0] == d.seq {
				found, left = append(found, d), left[1:]
			}
			budget--
			return len(left) > 0 && budget > 0
		})
		if err != nil || budget > 0 {
			return found, err
		}
	}
	for _, position := range left {
		d, err := loadDelivery(r, mb, position)
		if err != nil {
			return nil, err
		}
		if d != nil {
			found = append(found, *d)
		}
	}
	return found, nil
}

// scanDeliveries visits a mailbox's deliveries after a position, oldest first, until
// fn returns false.
func scanDeliveries(r eventlog.Reader, mb wire.MailboxID, after uint64, fn func(delivery) bool) error {
	if after == ^uint64(0) {
		return nil
	}
	var bad error
	err := r.Scan(deliveryPrefix(mb), deliveryKey(mb, after+1), func(key, row []byte) bool {
		d, err := parseDelivery(key, row)
		if err != nil {
			bad = err
			return false
		}
		return fn(d)
	})
	if err == nil {
		err = bad
	}
	return err
}

// loadReplay returns the position of the delivery remembered under an id, 0 if none.
func loadReplay(r eventlog.Reader, week wire.Epoch, id admit.ReplayID) (uint64, error) {
	row, err := r.Get(replayKey(week, id))
	if row == nil || err != nil {
		return 0, err
	}
	if len(row) != 8 {
		return 0, wire.ErrMalformed
	}
	return binary.BigEndian.Uint64(row), nil
}

// loadBlob returns nil if there is no row.
func loadBlob(r eventlog.Reader, id admit.BlobID) (*admit.Blob, error) {
	row, err := r.Get(blobKey(id))
	if row == nil || err != nil {
		return nil, err
	}
	b, err := admit.ParseBlob(row)
	if err != nil {
		return nil, err
	}
	return &b, nil
}

// countBlobs reads how many blobs are stored.
func countBlobs(r eventlog.Reader) (uint64, error) {
	row, err := r.Get([]byte{rowBlobs})
	if row == nil || err != nil {
		return 0, err
	}
	if len(row) != 8 {
		return 0, wire.ErrMalformed
	}
	return binary.BigEndian.Uint64(row), nil
}
