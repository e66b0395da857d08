package particle

import (
	"slices"
	"time"
)

// Plain is a decrypted message and its place in the session.
type Plain struct {
	Content []byte
	Place   ForkPoint
}

// Decrypt opens a ciphertext. Everything happens on a copy: the next session differs
// from s only if the body has opened and its padding is right. Errors:
// [ErrUndecryptable], [ErrDuplicate], [ErrTooFar], [ErrPadding], [ErrMalformed],
// [ErrVersion], [ErrBadKey] and *[ForkError].
func (s Session) Decrypt(ciphertext []byte, now time.Time) (Session, Plain, error) {
	if !isBucket(len(ciphertext)) {
		return s, Plain{}, ErrMalformed
	}
	message, hasBlock := s.stripBlock(ciphertext)
	next, plain, err := s.expire(now).decrypt(message, hasBlock, now)
	if err != nil {
		return s, Plain{}, err
	}
	next.sinceSent++
	return next, plain, nil
}

// stripBlock takes off the handshake block that precedes the initiator's chain 0.
func (s Session) stripBlock(ciphertext []byte) ([]byte, bool) {
	if s.peerBlock == nil {
		return ciphertext, false
	}
	id, n, err := handshakeID(ciphertext)
	if err != nil || id != *s.peerBlock {
		return ciphertext, false
	}
	return ciphertext[n:], true
}

// decrypt tries the header keys: the current chain's, the next one's and those of former
// chains. At most one opens a header, so their order decides only the cost.
func (s Session) decrypt(message []byte, hasBlock bool, now time.Time) (Session, Plain, error) {
	encrypted, body := message[:encryptedHeaderSize], message[encryptedHeaderSize:]
	if s.recv != nil {
		if plain := s.recv.header.open(encrypted, s.sid); plain != nil {
			h, err := parseHeader(plain)
			if err != nil {
				return s, Plain{}, err
			}
			return s.inCurrent(h, encrypted, body, hasBlock, now)
		}
	}
	if plain := s.nextRecvHeader.open(encrypted, s.sid); plain != nil {
		h, err := parseHeader(plain)
		if err != nil {
			return s, Plain{}, err
		}
		return s.inNext(h, encrypted, body, hasBlock, now)
	}
	for i := range s.former {
		plain := s.former[i].header.open(encrypted, s.sid)
		if plain == nil {
			continue
		}
		h, err := parseHeader(plain)
		if err != nil {
			return s, Plain{}, err
		}
		chain, content, err := s.former[i].open(h, s.sid, encrypted, body, hasBlock, now)
		if err != nil {
			return s, Plain{}, err
		}
		place := ForkPoint{chain.step, h.n}
		s.former = replaceChain(s.former, i, chain)
		return s, Plain{content, place}, nil
	}
	return s, Plain{}, ErrUndecryptable
}

func (s Session) inCurrent(h header, encrypted, body []byte, hasBlock bool, now time.Time) (Session, Plain, error) {
	chain, content, err := s.recv.open(h, s.sid, encrypted, body, hasBlock, now)
	if err != nil {
		return s, Plain{}, err
	}
	s.recv = &chain
	return s.trimSkipped(), Plain{content, ForkPoint{chain.step, h.n}}, nil
}

// inNext follows the peer's step and opens the first message that arrives of its new
// chain.
func (s Session) inNext(h header, encrypted, body []byte, hasBlock bool, now time.Time) (Session, Plain, error) {
	next, err := s.stepReceiving(h, now)
	if err != nil {
		return s, Plain{}, err
	}
	next, plain, err := next.inCurrent(h, encrypted, body, hasBlock, now)
	if err != nil {
		return s, Plain{}, err
	}
	return next, plain, nil
}

// stepReceiving enters the peer's next chain. Our private ratchet key has done its work
// and is dropped.
func (s Session) stepReceiving(h header, now time.Time) (Session, error) {
	if s.own == nil {
		return s, ErrUndecryptable // the peer cannot have stepped: we have not
	}
	if err := h.public.check(); err != nil {
		return s, err
	}
	number := s.send.step + 1
	ss, err := s.own.decapsulate(h.enc, stepInfo(s.sid, number))
	if err != nil {
		return s, err
	}
	k := deriveStep(s.root, s.sid, number, s.send.public, h.public, h.enc, ss)
	if s.recv != nil {
		s.former = slices.Insert(slices.Clone(s.former), 0, s.recv.leave(h.pn, now))
		if len(s.former) > MaxFormerChains {
			s.former = s.former[:MaxFormerChains]
		}
	}
	s.recv = &recvChain{
		step: number, header: s.nextRecvHeader, chain: k.chain,
		identity: chainIdentity(h.pn, h.public, h.enc),
	}
	s.root, s.nextRecvHeader = k.root, k.nextHeader
	s.own, s.peer = nil, h.public
	s.block = nil
	return s, nil
}

// leave keeps the keys of the chain's messages that have not arrived, up to its length
// pn, and forgets the chain key. A pn too far ahead abandons them instead: a lying or
// lost peer must not block its new chain.
func (c recvChain) leave(pn uint32, now time.Time) recvChain {
	if pn > c.next && pn-c.next <= MaxSkip {
		c = c.skipTo(pn, now)
	}
	c.chain = nil
	return c
}

// skipTo stores the keys of messages up to, not including, number n.
func (c recvChain) skipTo(n uint32, now time.Time) recvChain {
	c.skipped = slices.Clone(c.skipped)
	for ; c.next < n; c.next++ {
		var key *messageKey
		key, c.chain = c.chain.advance()
		c.skipped = append(c.skipped, skippedKey{c.next, key, now.Unix()})
	}
	return c
}

// open opens a message of this chain and returns the chain after it.
func (c recvChain) open(h header, sid SessionID, encrypted, body []byte, hasBlock bool, now time.Time) (recvChain, []byte, error) {
	if hasBlock && c.step != 0 {
		return c, nil, ErrMalformed
	}
	hash := hashHeader(encrypted)
	digest := [8]byte(hash[:8])
	if chainIdentity(h.pn, h.public, h.enc) != c.identity {
		return c, nil, &ForkError{ForkPoint{c.step, h.n}}
	}
	var key *messageKey
	switch i := c.skippedAt(h.n); {
	case i >= 0:
		key = c.skipped[i].key
		c.skipped = slices.Delete(slices.Clone(c.skipped), i, i+1)
	case h.n < c.next || c.chain == nil:
		return c, nil, c.taken(h.n, digest)
	case h.n-c.next > MaxSkip:
		return c, nil, ErrTooFar
	default:
		c = c.skipTo(h.n, now)
		key, c.chain = c.chain.advance()
		c.next++
	}
	content, err := key.openBody(body, sid, encrypted, hash)
	if err != nil {
		return c, nil, err
	}
	c.seen = append(c.seen[:len(c.seen):len(c.seen)], seenHeader{h.n, digest})
	if len(c.seen) > maxSeen {
		c.seen = c.seen[1:]
	}
	return c, content, nil
}

// taken says why a message whose key is gone cannot be read: it was received, another
// one was received in its place, or its key has expired.
func (c recvChain) taken(n uint32, digest [8]byte) error {
	for _, s := range c.seen {
		if s.n == n {
			if s.digest == digest {
				return ErrDuplicate
			}
			return &ForkError{ForkPoint{c.step, n}}
		}
	}
	if n < c.next && len(c.seen) == maxSeen {
		return ErrDuplicate // so long ago that its header is forgotten
	}
	return ErrUndecryptable
}

func (c recvChain) skippedAt(n uint32) int {
	i, found := slices.BinarySearchFunc(c.skipped, n, func(k skippedKey, n uint32) int {
		return int(int64(k.n) - int64(n))
	})
	if !found {
		return -1
	}
	return i
}

// trimSkipped drops the oldest skipped keys over [MaxSkipped].
func (s Session) trimSkipped() Session {
	total := len(s.recv.skipped)
	for _, c := range s.former {
		total += len(c.skipped)
	}
	for i := len(s.former) - 1; i >= 0 && total > MaxSkipped; i-- {
		c := s.former[i]
		drop := min(len(c.skipped), total-MaxSkipped)
		if drop > 0 {
			c.skipped = slices.Clone(c.skipped[drop:])
			s.former = replaceChain(s.former, i, c)
			total -= drop
		}
	}
	if total > MaxSkipped {
		c := *s.recv
		c.skipped = slices.Clone(c.skipped[total-MaxSkipped:])
		s.recv = &c
	}
	return s
}
