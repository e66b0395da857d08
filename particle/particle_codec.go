package particle

import (
	"slices"

	"communicator/wire"
)

// Marshal encodes everything: private keys, sessions, addresses. The caller keeps it
// encrypted. The layout of the parts is drawn beside their functions below; ? marks an
// optional part behind a byte 0 or 1.
//
//	label ‖ u8 version ‖ identity 64 ‖ peer's IdDoc 129 ‖ u8 trust
//	handshake 32 ‖ u8 recovered ‖ ?previous sid 32 ‖ u64 newest
//	u8 imported ‖ u8 alarmed ‖ ?{u64 chain ‖ u32 n}
//	wrap key 32 ‖ ?contact wrap key 32 ‖ ?{u16 length ‖ contact address}
//	session ‖ u16 count ‖ count × {u64 since ‖ session} ‖ exchange ‖ recovery
func (p Particle) Marshal() []byte {
	var w writer
	w.raw([]byte(labelParticle))
	w.u8(stateVersion)
	w.raw(p.identity.Marshal(), p.peer[:])
	w.u8(uint8(p.trust))
	w.raw(p.handshake[:])
	w.bool(p.recovered)
	if w.bool(p.previous != nil) {
		w.raw(p.previous[:])
	}
	w.u64(p.newest)
	w.bool(p.imported)
	w.bool(p.alarmed)
	if w.bool(p.alarm != nil) {
		w.u64(p.alarm.Chain)
		w.u32(p.alarm.N)
	}
	w.raw(p.wrap.bytes())
	writeKey(&w, p.contactWrap != nil, func() []byte { return p.contactWrap.bytes() })
	if w.bool(p.contact != nil) {
		w.var16(p.contact.Marshal())
	}
	p.session.marshalTo(&w)
	w.u16(len(p.former))
	for _, f := range p.former {
		w.u64(uint64(f.since))
		f.session.marshalTo(&w)
	}
	p.exchange.marshalTo(&w)
	p.recovery.marshalTo(&w)
	return w.b
}

// Parse decodes exactly one Particle.
func Parse(b []byte) (Particle, error) {
	if len(b) > MaxState {
		return Particle{}, ErrTooLarge
	}
	r := &reader{s: b}
	r.literal(string(labelParticle))
	if v := r.u8(); r.ok() && v != stateVersion {
		return Particle{}, ErrVersion
	}
	p, err := readParticle(r)
	if err != nil {
		return Particle{}, err
	}
	if !r.end() || p.trust > trustLast {
		return Particle{}, ErrMalformed
	}
	return p, nil
}

func readParticle(r *reader) (Particle, error) {
	identity, peer := r.bytes(identitySize), r.bytes(idDocSize)
	if !r.ok() {
		return Particle{}, ErrMalformed
	}
	var p Particle
	var err error
	if p.identity, err = ParseIdentity(identity); err != nil {
		return Particle{}, err
	}
	p.peer = IdDoc(peer) // verified when it came in
	p.trust = Trust(r.u8())
	p.handshake = HandshakeID(r.bytes(32))
	p.recovered = r.bool()
	if r.bool() {
		sid := SessionID(r.bytes(32))
		p.previous = &sid
	}
	p.newest = r.u64()
	p.imported, p.alarmed = r.bool(), r.bool()
	if r.bool() {
		p.alarm = &ForkPoint{r.u64(), r.u32()}
	}
	p.wrap = newKey[WrapKey](r.bytes(keySize))
	p.contactWrap = readKey[WrapKey](r)
	if r.bool() {
		a, err := wire.ParseAddress(r.var16(maxAddress))
		if err != nil {
			return Particle{}, err
		}
		p.contact = &a
	}
	p.session = readSession(r)
	for range r.count(maxFormerSessions) {
		since := int64(r.u64())
		p.former = append(p.former, formerSession{readSession(r), since})
	}
	if p.exchange, err = readExchange(r); err != nil {
		return Particle{}, err
	}
	p.recovery, err = readRecovery(r)
	return p, err
}

// marshalTo appends the exchange.
//
//	u16 count ‖ count × {u16 length ‖ set ‖ u64 created ‖ u64 replaced ‖ u32 puts ‖ u8 suspect}
//	u64 acked ‖ u16 count ‖ count × {u16 length ‖ set} ‖ u64 applied ‖ u8 ack due
func (e exchange) marshalTo(w *writer) {
	w.u16(len(e.ours))
	for _, o := range e.ours {
		w.var16(mustMarshal(o.set))
		w.u64(uint64(o.created))
		w.u64(uint64(o.replaced))
		w.u32(o.puts)
		w.bool(o.suspect)
	}
	w.u64(e.acked)
	w.u16(len(e.theirs))
	for _, s := range e.theirs {
		w.var16(mustMarshal(s))
	}
	w.u64(e.applied)
	w.bool(e.ackDue)
}

func readExchange(r *reader) (exchange, error) {
	var e exchange
	last := uint64(0)
	for range r.count(MaxOpenSets) {
		set, err := readSet(r)
		if err != nil {
			return e, err
		}
		if set.Number <= last {
			return e, ErrMalformed
		}
		last = set.Number
		e.ours = append(e.ours, ownSet{
			set: set, created: int64(r.u64()), replaced: int64(r.u64()), puts: r.u32(), suspect: r.bool(),
		})
	}
	e.acked = r.u64()
	for range r.count(maxPeerSets) {
		set, err := readSet(r)
		if err != nil {
			return e, err
		}
		e.theirs = append(e.theirs, set)
	}
	e.applied, e.ackDue = r.u64(), r.bool()
	if !r.ok() || e.acked > last {
		return e, ErrMalformed
	}
	return e, nil
}

func readSet(r *reader) (wire.AddressSet, error) {
	b := r.var16(wire.MaxAddressSet)
	if !r.ok() {
		return wire.AddressSet{}, ErrMalformed
	}
	return wire.ParseAddressSet(b)
}

// mustMarshal encodes a set that offer or a parser has checked.
func mustMarshal(s wire.AddressSet) []byte {
	b, err := s.Marshal()
	if err != nil {
		panic("particle: a checked address set does not encode")
	}
	return b
}

// marshalTo appends the recovery state.
//
//	u16 count ‖ count × {u32 number ‖ u64 issued ‖ package id 32 ‖ X25519 32 ‖ seed 32 ‖ ?u16 length, package}
//	u32 acked ‖ u32 deferred ‖ u8 renew ‖ u16 count ‖ count × handshake id 32
//	u32 peer's number ‖ ?{u16 length ‖ peer's package}
func (rec recovery) marshalTo(w *writer) {
	w.u16(len(rec.own))
	for _, o := range rec.own {
		w.u32(o.number)
		w.u64(uint64(o.issued))
		w.raw(o.id[:], o.signed.dh.k.Bytes(), o.signed.kem.seed[:])
		if w.bool(o.raw != nil) {
			w.var16(o.raw)
		}
	}
	w.u32(rec.acked)
	w.u32(rec.deferred)
	w.bool(rec.renew)
	w.u16(len(rec.used))
	for _, id := range rec.used {
		w.raw(id[:])
	}
	w.u32(rec.peerNumber)
	if w.bool(rec.peer != nil) {
		w.var16(rec.peer.raw)
	}
}

func readRecovery(r *reader) (recovery, error) {
	var rec recovery
	last := uint32(0)
	for range r.count(maxRecovery) {
		o := ownRecovery{number: r.u32(), issued: int64(r.u64()), id: PackageID(r.bytes(32))}
		o.signed = readPrekeyPrivate(r)
		if r.bool() {
			o.raw = slices.Clone(r.var16(MaxPackage))
			if len(o.raw) == 0 {
				return rec, ErrMalformed
			}
		}
		if o.number <= last {
			return rec, ErrMalformed
		}
		last = o.number
		rec.own = append(rec.own, o)
	}
	rec.acked, rec.deferred, rec.renew = r.u32(), r.u32(), r.bool()
	for range r.count(maxHandshakes) {
		rec.used = append(rec.used, HandshakeID(r.bytes(32)))
	}
	rec.peerNumber = r.u32()
	if r.bool() {
		pkg, err := parsePackage(r.var16(MaxPackage), false)
		if err != nil {
			return rec, err
		}
		rec.peer = &pkg
	}
	if !r.ok() || rec.pending() && rec.own[len(rec.own)-1].raw == nil {
		return rec, ErrMalformed
	}
	return rec, nil
}
