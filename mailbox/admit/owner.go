package admit

import (
	"slices"
	"time"

	"communicator/mailbox/address"
	"communicator/wire"
)

// Terms are what an address of a mailbox is minted with.
type Terms struct {
	Epoch   wire.Epoch // the week, or the year of a lifeline
	Expires time.Time
	Caps    wire.Caps
}

// TermsFor shortens what an owner asks for to what an agent grants at the time now:
// until [wire.EpochGrace] after the end of the week, two years for a lifeline, a
// week for a contact mailbox. A request of the zero time asks for all of it. The
// status is [wire.StatusOK] or says what is wrong with the request.
func TermsFor(now time.Time, caps wire.Caps, requested time.Time) (Terms, wire.Status) {
	t := Terms{Epoch: wire.EpochAt(now), Caps: caps}
	switch caps {
	case 0:
		t.Expires = address.LastExpiry(t.Epoch, caps)
	case wire.CapContact:
		t.Expires = HourAfter(now.Add(wire.MaxContactAge)).Time()
	case wire.CapLifeline:
		t.Epoch = wire.LifelineYearAt(now)
		t.Expires = HourAt(now.Add(wire.LifelineLife)).Time()
	default:
		return Terms{}, wire.StatusMalformed
	}
	if !requested.IsZero() && requested.Before(t.Expires) {
		t.Expires = requested
	}
	if !t.Expires.After(now) {
		return Terms{}, wire.StatusExpired
	}
	return t, wire.StatusOK
}

// Create decides whether mailbox id may be used on the terms. The existing mailbox
// is nil if there is none; freeSlot finds a place in the owner's account. Asking
// again is idempotent, and extends the mailbox if the new terms last longer. A nil
// fact with [wire.StatusOK] means that nothing has to be remembered.
func Create(existing *Mailbox, id wire.MailboxID, t Terms, freeSlot func() (Slot, bool)) (*MailboxCreated, wire.Status) {
	f := &MailboxCreated{Mailbox: id, Caps: t.Caps, Expires: HourAfter(t.Expires)}
	if existing == nil {
		slot, ok := freeSlot()
		if !ok {
			return nil, wire.StatusTryAgain
		}
		f.Slot = slot
		return f, wire.StatusOK
	}
	if existing.Mode != Open || existing.Caps != t.Caps {
		return nil, wire.StatusConflict
	}
	if f.Expires <= existing.Expires {
		return nil, wire.StatusOK
	}
	f.Slot = existing.Slot
	return f, wire.StatusOK
}

// Acknowledge decides to erase what an owner has acknowledged. Stored are those of the
// owner's positions that are still stored, ascending. The others were acknowledged
// before, or never existed; asking again is harmless.
func Acknowledge(id wire.MailboxID, stored []uint64) []Collected {
	var facts []Collected
	for part := range slices.Chunk(stored, MaxPositions) {
		facts = append(facts, Collected{Mailbox: id, Positions: part})
	}
	return facts
}

// Revoke decides an owner's wish to take no more puts. Closing what is closed or
// gone is harmless; a mailbox whose senders have heard "closed" cannot become
// silent any more.
func Revoke(existing *Mailbox, id wire.MailboxID, mode Mode, purge bool) (*AddressRevoked, wire.Status) {
	if mode != Closed && mode != Silent {
		return nil, wire.StatusMalformed
	}
	if existing == nil || existing.Mode == Closed {
		if mode == Silent {
			return nil, wire.StatusConflict
		}
		if existing == nil || !purge {
			return nil, wire.StatusOK
		}
	} else if existing.Mode == mode && (!purge || existing.Count == 0) {
		return nil, wire.StatusOK
	}
	return &AddressRevoked{Mailbox: id, Mode: mode, Purge: purge}, wire.StatusOK
}
