package particle

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"time"

	"communicator/wire"
)

// A restored profile must not send with old keys: it would encrypt twice under one
// message key. So each side keeps recovery packages with the other (the same layout as
// a first-contact package, without a contact address), and a restored side runs a new
// handshake against the peer's inside the relationship, under the same identities.
// Recovery packages are used as last-resort ones: their handshakes are remembered.
type recovery struct {
	own   []ownRecovery // ascending numbers
	acked uint32        // the highest of ours that the peer has stored
	// deferred counts messages that had no room for the package that was due.
	deferred uint32
	// renew asks for a fresh package soon: copies of our state may be about.
	renew bool
	// used are the handshakes that were accepted, oldest first.
	used []HandshakeID

	peerNumber uint32
	peer       *KeyPackage
}

// ownRecovery is a recovery package of ours.
type ownRecovery struct {
	number uint32
	issued int64 // Unix seconds
	id     PackageID
	signed prekeyPrivate
	raw    []byte // the package, until the peer has it; then nil
}

// forceRecoveryAfter messages without room for it, a recovery package may enlarge the
// bucket: without one the relationship does not survive a restored backup.
const forceRecoveryAfter = 16

// attachRecovery adds our recovery package to a content if one is due and has room in
// the bucket that the message takes anyway, and marshals the content. It draws a new
// package only when that can go out.
func (p Particle) attachRecovery(random io.Reader, c content, now time.Time) (next Particle, body, spare []byte, err error) {
	body, spare = c.marshal()
	if p.session.Unreplied() || !p.recovery.due(now) {
		return p, body, spare, nil
	}
	const size = itemOverhead + 4 + packageFixed
	room, err := p.session.room(len(body))
	if err != nil {
		return p, nil, nil, err
	}
	force := p.recovery.deferred >= forceRecoveryAfter && len(body)+size <= roomInLargest
	if len(body)+len(spare)+size > room && !force {
		p.recovery.deferred++
		return p, body, spare, nil
	}
	p.recovery, err = p.recovery.issue(random, p.identity, now)
	if err != nil {
		return p, nil, nil, err
	}
	latest := p.recovery.own[len(p.recovery.own)-1]
	c.recovery = &recoveryOffer{latest.number, latest.raw}
	p.recovery.deferred = 0
	withBody, withSpare := c.marshal()
	if len(withBody)+len(withSpare) > room {
		return p, append(withBody, withSpare...), nil, nil
	}
	return p, withBody, withSpare, nil
}

// roomInLargest is what a body may have in the largest bucket of an established session.
const roomInLargest = wire.MaxCiphertext - encryptedHeaderSize - bodyOverhead - 2*Spare

// due says whether the next message should carry a recovery package.
func (r recovery) due(now time.Time) bool {
	if len(r.own) == 0 || r.renew {
		return true
	}
	latest := r.own[len(r.own)-1]
	return latest.number > r.acked || now.Unix()-latest.issued >= int64(RecoveryEvery/time.Second)
}

// pending says whether the latest package is still to be acknowledged.
func (r recovery) pending() bool {
	n := len(r.own)
	return n > 0 && !r.renew && r.own[n-1].number > r.acked
}

// issue makes sure that the latest package is one to be sent: the one that the peer has
// not acknowledged, or a new one.
func (r recovery) issue(random io.Reader, id Identity, now time.Time) (recovery, error) {
	if r.pending() {
		return r, nil
	}
	pkg, secret, err := newPackage(random, id, PackageOptions{Expires: now.Add(RecoveryLife)})
	if err != nil {
		return r, err
	}
	number := uint32(1)
	if n := len(r.own); n > 0 {
		number = r.own[n-1].number + 1
	}
	r = r.expire(now)
	r.own = append(slices.Clone(r.own), ownRecovery{
		number: number, issued: now.Unix(), id: secret.id, signed: secret.signed, raw: pkg.raw,
	})
	if len(r.own) > maxRecovery {
		r.own = r.own[1:]
	}
	r.renew = false
	return r, nil
}

// expire drops private parts after [RecoveryLife] and the time that a put may live.
func (r recovery) expire(now time.Time) recovery {
	oldest := now.Add(-RecoveryLife - wire.MaxPutLife).Unix()
	expired := func(o ownRecovery) bool { return o.issued < oldest }
	if slices.ContainsFunc(r.own, expired) {
		r.own = slices.DeleteFunc(slices.Clone(r.own), expired)
	}
	return r
}

// take notes the peer's acknowledgement and stores its recovery package.
func (r recovery) take(c content, peer IdDoc) (recovery, error) {
	if n := len(r.own); n > 0 && c.recoveryAck > r.acked && c.recoveryAck <= r.own[n-1].number {
		r.acked = c.recoveryAck
		r.own = slices.Clone(r.own)
		for i := range r.own {
			if r.own[i].number <= r.acked {
				r.own[i].raw = nil
			}
		}
	}
	if c.recovery == nil || c.recovery.number <= r.peerNumber {
		return r, nil
	}
	pkg, err := ParsePackage(c.recovery.pkg)
	if err != nil {
		return r, err
	}
	if pkg.identity != peer {
		return r, ErrWrongPeer
	}
	if pkg.contact != nil || pkg.once != nil {
		return r, ErrMalformed
	}
	r.peerNumber, r.peer = c.recovery.number, &pkg
	return r, nil
}

// restart begins the numbering anew after a re-establishment and asks for a fresh
// package of ours.
func (r recovery) restart() recovery {
	r.acked, r.peerNumber, r.renew, r.deferred = 0, 0, true, 0
	return r
}

// remember notes an accepted handshake.
func (r recovery) remember(id HandshakeID) recovery {
	r.used = append(slices.Clone(r.used), id)
	if len(r.used) > maxHandshakes {
		r.used = r.used[1:]
	}
	return r
}

// MarkImported marks state that was restored from an export, which another device may
// have moved past. It reads what it can and sends nothing until [Particle.Reestablish].
func (p Particle) MarkImported() Particle {
	p.imported = true
	return p
}

// Imported says whether the Particle is marked so.
func (p Particle) Imported() bool { return p.imported }

// Reestablish begins a new session in the relationship, against the peer's recovery
// package, with these addresses of ours. The next message sent carries the handshake, to
// the peer's addresses as ever. Verification is reset on both sides.
func (p Particle) Reestablish(random io.Reader, addresses []wire.Address, now time.Time) (Particle, error) {
	pkg := p.recovery.peer
	if pkg == nil || !now.Before(pkg.expires) {
		return p, ErrNoRecovery
	}
	e, err := p.exchange.offer(addresses, now)
	if errors.Is(err, ErrOpenSets) { // the oldest stays open at its agent until it expires
		e = p.exchange
		e.ours = e.ours[1:]
		e, err = e.offer(addresses, now)
	}
	if err != nil {
		return p, err
	}
	e = e.restart()
	a, err := initiate(random, p.identity, *pkg, hashAddressSet(e.carried()))
	if err != nil {
		return p, err
	}
	next := p.retire(p.session, now)
	next.session = newInitiator(a.sk, a.sid, a.private, a.ekA0, a.block)
	next.handshake, next.recovered, next.newest = wire.Hash(labelBlock, a.block), true, 0
	next.previous = &p.session.sid
	next.exchange, next.recovery = e, p.recovery.restart()
	next.imported, next.trust = false, TrustReset
	return next, nil
}

// receiveRecovery tries a ciphertext as the peer's re-establishment.
func (p Particle) receiveRecovery(ciphertext []byte, now time.Time) (Particle, Opened, error) {
	id, err := HandshakeIDOf(ciphertext)
	if err != nil || slices.Contains(p.recovery.used, id) {
		return p, Opened{}, ErrUndecryptable
	}
	for i := len(p.recovery.own) - 1; i >= 0; i-- {
		own := p.recovery.own[i]
		if now.Unix()-own.issued > int64((RecoveryLife+wire.MaxPutLife)/time.Second) {
			continue
		}
		r := responder{id: own.id, identity: p.identity, signed: own.signed}
		a, id, err := r.answer(ciphertext)
		if err != nil {
			continue
		}
		if a.peer != p.peer {
			return p, Opened{}, ErrWrongPeer
		}
		return p.adopt(a, id, ciphertext, now)
	}
	return p, Opened{}, ErrUndecryptable
}

// adopt reads the first message of a re-establishment and makes its session the current
// one, unless ours is the newer.
func (p Particle) adopt(a agreement, id HandshakeID, ciphertext []byte, now time.Time) (Particle, Opened, error) {
	q := p
	q.session = newResponder(a.sk, a.sid, a.ekA0, id)
	q.handshake, q.recovered, q.newest = id, true, 0
	q.exchange, q.recovery = p.exchange.restart(), p.recovery.restart()
	q.trust, q.previous = TrustReset, nil
	q, opened, err := q.first(a.set, ciphertext, now)
	if err != nil {
		return p, Opened{}, err
	}
	if !p.yields(id, opened.previous, q.newest) {
		p = p.retire(q.session, now)
		p.recovery = p.recovery.remember(id)
		opened.OldSession, opened.NewAddresses = true, false
		return p, opened, nil
	}
	q = q.retire(p.session, now)
	q.recovery = q.recovery.remember(id)
	opened.Reestablished = true
	return q, opened, nil
}

// yields says whether a re-establishment replaces the current session: always if the
// current one is the relationship's first, or the very one that is to be replaced. Both
// sides may re-establish at once: then the handshake with the lower id wins, on both
// sides. One that is older than what the peer has said in the current session was
// overtaken.
func (p Particle) yields(id HandshakeID, previous *SessionID, sent uint64) bool {
	if !p.recovered || previous != nil && *previous == p.session.sid {
		return true
	}
	if p.session.Unreplied() {
		return bytes.Compare(id[:], p.handshake[:]) < 0
	}
	return sent > p.newest
}
