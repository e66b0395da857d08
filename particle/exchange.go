package particle

import (
	"slices"
	"time"

	"communicator/wire"
)

// exchange is the address ratchet: the sets that we have handed to the peer, and those
// that the peer has handed to us. Sets are complete and numbered from 1. Ours is carried
// in every message until the peer acknowledges its number; of the peer's only a higher
// number is applied.
type exchange struct {
	ours   []ownSet // ascending numbers; the last is the current one
	acked  uint64   // the highest of ours that the peer has acknowledged
	theirs []wire.AddressSet
	// applied is the number of the peer's current set, theirs[0], counted anew when the
	// session is re-established. Older sets behind it are for trying when it fails.
	applied uint64
	ackDue  bool // a set was applied since we last sent
}

// ownSet is a set of ours that is open.
type ownSet struct {
	set      wire.AddressSet
	created  int64  // Unix seconds
	replaced int64  // when the peer acknowledged a later set; 0 if it has not
	puts     uint32 // messages received while it was acknowledged and current
	suspect  bool
}

// offer makes the next set current.
func (e exchange) offer(addresses []wire.Address, now time.Time) (exchange, error) {
	if len(e.ours) >= MaxOpenSets {
		return e, ErrOpenSets
	}
	set := wire.AddressSet{Number: 1, Addresses: slices.Clone(addresses)}
	if n := len(e.ours); n > 0 {
		set.Number = e.ours[n-1].set.Number + 1
	}
	if _, err := set.Marshal(); err != nil {
		return e, ErrTooLarge
	}
	e.ours = append(e.ours[:len(e.ours):len(e.ours)], ownSet{set: set, created: now.Unix()})
	return e, nil
}

// current is the set that the peer should be using, nil before the first.
func (e exchange) current() *ownSet {
	if len(e.ours) == 0 {
		return nil
	}
	return &e.ours[len(e.ours)-1]
}

// carried is the encoded set that the next message carries, nil if the peer has it.
func (e exchange) carried() []byte {
	c := e.current()
	if c == nil || e.acked >= c.set.Number {
		return nil
	}
	b, err := c.set.Marshal()
	if err != nil {
		panic("particle: an offered set does not encode") // offer and parse checked it
	}
	return b
}

// acknowledge notes that the peer has applied our set of this number. A number that we
// never offered is ignored: the peer gains nothing by it.
func (e exchange) acknowledge(number uint64, now time.Time) exchange {
	c := e.current()
	if c == nil || number <= e.acked || number > c.set.Number {
		return e
	}
	e.acked = number
	e.ours = slices.Clone(e.ours)
	for i := range e.ours {
		if o := &e.ours[i]; o.set.Number < number && o.replaced == 0 {
			o.replaced = now.Unix()
		}
	}
	return e
}

// apply takes a set of the peer's if its number is higher than the current one's.
func (e exchange) apply(set wire.AddressSet) (exchange, bool) {
	if set.Number <= e.applied {
		return e, false
	}
	e.theirs = slices.Insert(slices.Clone(e.theirs), 0, set)
	if len(e.theirs) > maxPeerSets {
		e.theirs = e.theirs[:maxPeerSets]
	}
	e.applied, e.ackDue = set.Number, true
	return e, true
}

// countPut notes a message that arrived at the current set's addresses.
func (e exchange) countPut() exchange {
	c := e.current()
	if c == nil || e.acked < c.set.Number {
		return e
	}
	e.ours = slices.Clone(e.ours)
	e.ours[len(e.ours)-1].puts++
	return e
}

// restart forgets which numbers the sides have seen of each other: a restored profile
// may have forgotten some. The addresses stay usable.
func (e exchange) restart() exchange {
	e.acked, e.applied = 0, 0
	return e
}

// route lists the peer's addresses in the order in which to try them: the newest set,
// older ones, and lifelines last; none twice, none expired.
func (e exchange) route(now time.Time) []wire.Address {
	var normal, lifelines []wire.Address
	for _, set := range e.theirs {
		for _, a := range set.Addresses {
			if !a.Expires.After(now) || containsMailbox(normal, a) || containsMailbox(lifelines, a) {
				continue
			}
			if a.Caps&wire.CapLifeline != 0 {
				lifelines = append(lifelines, a)
			} else {
				normal = append(normal, a)
			}
		}
	}
	return append(normal, lifelines...)
}

func containsMailbox(list []wire.Address, a wire.Address) bool {
	return slices.ContainsFunc(list, func(b wire.Address) bool {
		return a.Mailbox == b.Mailbox && a.Agent == b.Agent
	})
}
