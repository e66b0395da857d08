package particle

import "slices"

// stateVersion is the version of the encoded states, after their label.
const stateVersion = 1

// marshalTo appends the session's state. In front of every optional part is a byte
// 0 or 1; counts and lengths are big-endian.
//
//	label ‖ u8 version ‖ sid 32 ‖ RK 32
//	?{u64 step ‖ CKs 32 ‖ HKs 32 ‖ ek' 1216 ‖ enc 1120 ‖ u32 Ns ‖ u32 PN} ‖ NHKs 32
//	?own seed 32 ‖ ?peer ek 1216 ‖ ?chain ‖ NHKr 32
//	u16 count ‖ count × chain ‖ u32 received since sent ‖ u16 length ‖ block ‖ ?block id 32
//
//	chain  u64 step ‖ HK 32 ‖ ?CK 32 ‖ u32 next ‖ identity 32
//	       u16 count ‖ count × {u32 n ‖ mk 32 ‖ u64 stored}
//	       u16 count ‖ count × {u32 n ‖ digest 8}
func (s Session) marshalTo(w *writer) {
	w.raw([]byte(labelSessionState))
	w.u8(stateVersion)
	w.raw(s.sid[:], s.root.bytes())
	if w.bool(s.send.chain != nil) {
		w.u64(s.send.step)
		w.raw(s.send.chain.bytes(), s.send.header.bytes(), s.send.public[:], s.send.enc)
		w.u32(s.send.sent)
		w.u32(s.send.previous)
	}
	w.raw(s.nextSendHeader.bytes())
	if w.bool(s.own != nil) {
		w.raw(s.own.seed[:])
	}
	if w.bool(s.peer != nil) {
		w.raw(s.peer[:])
	}
	if w.bool(s.recv != nil) {
		s.recv.marshalTo(w)
	}
	w.raw(s.nextRecvHeader.bytes())
	w.u16(len(s.former))
	for i := range s.former {
		s.former[i].marshalTo(w)
	}
	w.u32(s.sinceSent)
	w.var16(s.block)
	if w.bool(s.peerBlock != nil) {
		w.raw(s.peerBlock[:])
	}
}

func (c *recvChain) marshalTo(w *writer) {
	w.u64(c.step)
	w.raw(c.header.bytes())
	writeKey(w, c.chain != nil, func() []byte { return c.chain.bytes() })
	w.u32(c.next)
	w.raw(c.identity[:])
	w.u16(len(c.skipped))
	for _, k := range c.skipped {
		w.u32(k.n)
		w.raw(k.key.bytes())
		w.u64(uint64(k.stored))
	}
	w.u16(len(c.seen))
	for _, s := range c.seen {
		w.u32(s.n)
		w.raw(s.digest[:])
	}
}

// Marshal encodes the session's secrets and state. The caller keeps them encrypted.
func (s Session) Marshal() []byte {
	var w writer
	s.marshalTo(&w)
	return w.b
}

// ParseSession decodes exactly one session.
func ParseSession(b []byte) (Session, error) {
	r := &reader{s: b}
	s := readSession(r)
	if !r.end() {
		return Session{}, ErrMalformed
	}
	return s, nil
}

func readSession(r *reader) Session {
	var s Session
	r.literal(string(labelSessionState))
	if v := r.u8(); v != stateVersion {
		r.fail()
	}
	s.sid = SessionID(r.bytes(32))
	s.root = newKey[rootKey](r.bytes(keySize))
	if r.bool() {
		s.send.step = r.u64()
		s.send.chain = newKey[chainKey](r.bytes(keySize))
		s.send.header = newKey[headerKey](r.bytes(keySize))
		public := KEMPublic(r.bytes(KEMPublicSize))
		s.send.public = &public
		s.send.enc = slices.Clone(r.bytes(EncapsulationSize))
		s.send.sent, s.send.previous = r.u32(), r.u32()
	}
	s.nextSendHeader = newKey[headerKey](r.bytes(keySize))
	if r.bool() {
		s.own = &KEMPrivate{seed: [keySize]byte(r.bytes(keySize))}
	}
	if r.bool() {
		public := KEMPublic(r.bytes(KEMPublicSize))
		s.peer = &public
	}
	if r.bool() {
		c := readChain(r)
		s.recv = &c
	}
	s.nextRecvHeader = newKey[headerKey](r.bytes(keySize))
	for range r.count(MaxFormerChains) {
		s.former = append(s.former, readChain(r))
	}
	s.sinceSent = r.u32()
	s.block = slices.Clone(r.var16(blockOneTimeSize))
	if len(s.block) == 0 {
		s.block = nil
	}
	if r.bool() {
		id := HandshakeID(r.bytes(32))
		s.peerBlock = &id
	}
	if r.ok() && !s.consistent() {
		r.fail()
	}
	return s
}

func readChain(r *reader) recvChain {
	c := recvChain{step: r.u64(), header: newKey[headerKey](r.bytes(keySize))}
	c.chain = readKey[chainKey](r)
	c.next = r.u32()
	c.identity = [32]byte(r.bytes(32))
	for range r.count(MaxSkipped) {
		c.skipped = append(c.skipped, skippedKey{r.u32(), newKey[messageKey](r.bytes(keySize)), int64(r.u64())})
	}
	for range r.count(maxSeen) {
		c.seen = append(c.seen, seenHeader{r.u32(), [8]byte(r.bytes(8))})
	}
	return c
}

// consistent checks what every reachable state has, so that a damaged one is found when
// it is read and not in the middle of a conversation.
func (s Session) consistent() bool {
	if s.own != nil && s.send.chain == nil {
		return false
	}
	if s.recv == nil && (s.peer != nil || len(s.former) > 0) {
		return false
	}
	if s.recv == nil && s.send.chain == nil {
		return false
	}
	total := 0
	newer := uint64(0)
	for i, c := range append(s.chains(), s.former...) {
		current := i == 0 && s.recv != nil
		if (c.chain != nil) != current || !c.ascending() {
			return false
		}
		if i > 0 && c.step >= newer {
			return false
		}
		newer = c.step
		total += len(c.skipped)
	}
	return total <= MaxSkipped
}

// chains returns the current receiving chain, if there is one.
func (s Session) chains() []recvChain {
	if s.recv == nil {
		return nil
	}
	return []recvChain{*s.recv}
}

func (c *recvChain) ascending() bool {
	for i, k := range c.skipped {
		if k.n >= c.next || i > 0 && k.n <= c.skipped[i-1].n {
			return false
		}
	}
	return true
}
