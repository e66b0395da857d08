package mailbox

import (
	"errors"
	"fmt"

	"communicator/eventlog"
	"communicator/mailbox/admit"
	"communicator/wire"
)

// CheckDelivery verifies what must hold of a receiving agent's log at any time: each
// mailbox counts exactly the deliveries that are stored for it, each of them can be
// read and has the size that its row says, no delivery is without a mailbox, no closed
// mailbox is kept without need, and every blob is counted and readable. It reads
// everything; nothing may be appended meanwhile.
func CheckDelivery(log eventlog.Log) error {
	mailboxes := map[wire.MailboxID]admit.Mailbox{}
	held := map[wire.MailboxID]admit.Mailbox{} // counts and bytes found
	sizes := map[uint64]uint32{}               // by position
	err := log.View(func(tables eventlog.Tables) error {
		r := tables.Table(wire.TableMailbox)
		return errors.Join(
			scanMailboxes(r, mailboxes),
			scanStored(r, held, sizes),
			scanBlobs(tables.Table(wire.TableBlob), sizes),
		)
	})
	if err != nil {
		return err
	}
	var broken []error
	for mb, m := range mailboxes {
		found := held[mb]
		if m.Count != found.Count || m.Bytes != found.Bytes {
			broken = append(broken, fmt.Errorf("mailbox: a row counts %d deliveries of %d bytes, stored are %d of %d",
				m.Count, m.Bytes, found.Count, found.Bytes))
		}
		if m.Spent() {
			broken = append(broken, errors.New("mailbox: a closed, empty mailbox is kept"))
		}
		delete(held, mb)
	}
	if len(held) > 0 {
		broken = append(broken, fmt.Errorf("mailbox: deliveries of %d mailboxes that do not exist", len(held)))
	}
	for seq, size := range sizes {
		body, err := log.Body(seq)
		if err != nil {
			broken = append(broken, fmt.Errorf("mailbox: body %d: %w", seq, err))
		} else if len(body) != int(size) {
			broken = append(broken, fmt.Errorf("mailbox: body %d has %d bytes, its row says %d", seq, len(body), size))
		}
	}
	return errors.Join(broken...)
}

func scanMailboxes(r eventlog.Reader, into map[wire.MailboxID]admit.Mailbox) (bad error) {
	err := r.Scan([]byte{rowMailbox}, nil, func(key, row []byte) bool {
		m, err := admit.ParseMailbox(row)
		if err != nil || len(key) != 17 {
			bad = fmt.Errorf("mailbox: row: %w", wire.ErrMalformed)
			return false
		}
		into[wire.MailboxID(key[1:])] = m
		return true
	})
	return errors.Join(err, bad)
}

func scanStored(r eventlog.Reader, held map[wire.MailboxID]admit.Mailbox, sizes map[uint64]uint32) (bad error) {
	err := r.Scan([]byte{rowDelivery}, nil, func(key, row []byte) bool {
		d, err := parseDelivery(key, row)
		if err != nil {
			bad = fmt.Errorf("mailbox: delivery: %w", err)
			return false
		}
		m := held[wire.MailboxID(key[1:17])]
		m.Count++
		m.Bytes += uint64(d.size)
		held[wire.MailboxID(key[1:17])] = m
		sizes[d.seq] = d.size
		return true
	})
	return errors.Join(err, bad)
}

func scanBlobs(r eventlog.Reader, sizes map[uint64]uint32) (bad error) {
	found := uint64(0)
	err := r.Scan([]byte{rowBlob}, nil, func(_, row []byte) bool {
		b, err := admit.ParseBlob(row)
		if err != nil {
			bad = fmt.Errorf("mailbox: blob: %w", err)
			return false
		}
		found++
		sizes[b.Position] = b.Size
		return true
	})
	count, countErr := countBlobs(r)
	if bad == nil && countErr == nil && count != found {
		bad = fmt.Errorf("mailbox: %d blobs are counted, %d stored", count, found)
	}
	return errors.Join(err, countErr, bad)
}
