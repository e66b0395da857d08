package particle

import (
	"time"

	"communicator/wire"
)

// Rotation says why a new generation of addresses is due; the zero value says that none
// is.
type Rotation uint8

// Reasons to rotate.
const (
	RotateNot     Rotation = iota
	RotateFirst            // the peer has no addresses of ours at all
	RotateOld              // the acknowledged set is [RotateAge] old
	RotateUsed             // it has taken [RotatePuts] messages
	RotateExpiry           // one of its addresses expires within [RotateBeforeExpiry]
	RotateSuspect          // it was marked suspect
)

// NeedsRotation says whether the next message should carry a new set. Age and use count
// only once the peer has acknowledged the current set: a peer that is away for a month
// is not owed thirty generations. While the handshake is unreplied it fixes the set, and
// with [MaxOpenSets] open none is due.
func (p Particle) NeedsRotation(now time.Time) Rotation {
	if p.imported || p.session.Unreplied() || len(p.exchange.ours) >= MaxOpenSets {
		return RotateNot
	}
	return p.exchange.needsRotation(now)
}

func (e exchange) needsRotation(now time.Time) Rotation {
	c := e.current()
	switch {
	case c == nil:
		return RotateFirst
	case c.suspect:
		return RotateSuspect
	case expiresBefore(c.set.Addresses, now.Add(RotateBeforeExpiry)):
		return RotateExpiry
	case e.acked < c.set.Number:
		return RotateNot
	case c.puts >= RotatePuts:
		return RotateUsed
	case now.Unix()-c.created >= int64(RotateAge/time.Second):
		return RotateOld
	}
	return RotateNot
}

func expiresBefore(addresses []wire.Address, t time.Time) bool {
	for _, a := range addresses {
		if a.Expires.Before(t) {
			return true
		}
	}
	return false
}

// MarkSuspect makes the current set due for rotation: a put arrived that the peer did
// not make, or an agent misbehaves.
func (p Particle) MarkSuspect() Particle {
	if c := p.exchange.current(); c != nil {
		ours := append([]ownSet(nil), p.exchange.ours...)
		ours[len(ours)-1].suspect = true
		p.exchange.ours = ours
	}
	return p
}

// Offers says whether our current set has an address of the mailbox.
func (p Particle) Offers(mailbox wire.MailboxID) bool {
	c := p.exchange.current()
	if c == nil {
		return false
	}
	for _, a := range c.set.Addresses {
		if a.Mailbox == mailbox {
			return true
		}
	}
	return false
}

// Offer makes these addresses our current set, which every message carries until the
// peer acknowledges it. At least two receiving agents and a lifeline at another let the
// relationship survive the death of any one.
func (p Particle) Offer(addresses []wire.Address, now time.Time) (Particle, error) {
	if p.imported {
		return p, ErrImported
	}
	if p.session.Unreplied() {
		return p, ErrUnreplied
	}
	e, err := p.exchange.offer(addresses, now)
	if err != nil {
		return p, err
	}
	p.exchange = e
	return p, nil
}

// Close forgets the sets of ours that were replaced [CloseAfter] ago and returns the
// addresses to close: those that no open set holds any more. The caller saves the next
// Particle and the intent to close in one transaction.
func (p Particle) Close(now time.Time) (Particle, []wire.Address) {
	var open, old []ownSet
	for _, o := range p.exchange.ours {
		if o.replaced != 0 && now.Unix()-o.replaced >= int64(CloseAfter/time.Second) {
			old = append(old, o)
		} else {
			open = append(open, o)
		}
	}
	if len(old) == 0 {
		return p, nil
	}
	p.exchange.ours = open
	kept := p.OpenAddresses()
	var closing []wire.Address
	for _, o := range old {
		for _, a := range o.set.Addresses {
			if !containsMailbox(kept, a) && !containsMailbox(closing, a) {
				closing = append(closing, a)
			}
		}
	}
	return p, closing
}

// OpenAddresses are all addresses of ours at which the peer may still deliver, newest
// set first.
func (p Particle) OpenAddresses() []wire.Address {
	var open []wire.Address
	for i := len(p.exchange.ours) - 1; i >= 0; i-- {
		for _, a := range p.exchange.ours[i].set.Addresses {
			if !containsMailbox(open, a) {
				open = append(open, a)
			}
		}
	}
	return open
}

// PeerAddresses lists where to send, in the order to try: the newest set, older ones,
// lifelines last, none of them expired. Before the peer's first set it is the contact
// address that the handshake came from.
func (p Particle) PeerAddresses(now time.Time) []wire.Address {
	if len(p.exchange.theirs) > 0 {
		return p.exchange.route(now)
	}
	if p.contact != nil && p.contact.Expires.After(now) {
		return []wire.Address{*p.contact}
	}
	return nil
}

// Acknowledged says whether the peer has our current addresses.
func (p Particle) Acknowledged() bool {
	c := p.exchange.current()
	return c != nil && p.exchange.acked >= c.set.Number
}
