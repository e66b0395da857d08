package particle

import (
	"io"
	"time"
	"unicode/utf8"

	"communicator/wire"
)

// Trust is what we know about who the peer is. It never grants or denies contact.
type Trust uint8

// Trust values. Numbers are part of the encoded state.
const (
	TrustUnverified Trust = 0
	TrustIntroduced Trust = 1 // by somebody who could be in the middle
	TrustAttested   Trust = 2 // a namespace binds the identity to a name
	TrustVerified   Trust = 3 // safety numbers were compared
	TrustReset      Trust = 4 // the session was re-established since: compare again
	trustLast             = TrustReset
)

// Particle is one side of one relationship. Its methods return the next Particle and
// leave the receiver as it was; it is encoded with [Particle.Marshal].
type Particle struct {
	identity Identity
	peer     IdDoc
	trust    Trust

	session Session
	// handshake began the session; recovered if it re-established the relationship.
	handshake HandshakeID
	recovered bool
	// previous is the session that we are re-establishing, nil unless we are.
	previous *SessionID
	// newest is the latest time, in the peer's claim, of a message in this session: Unix
	// milliseconds.
	newest uint64
	// former are sessions from before a re-establishment, newest first, kept to read what
	// was under way.
	former []formerSession
	// imported marks state restored from an export. It reads, but never sends.
	imported bool

	wrap *WrapKey
	// contact is the address of the peer's contact mailbox (the initiator's), contactWrap
	// the wrap key of the package that began the relationship.
	contact     *wire.Address
	contactWrap *WrapKey

	exchange exchange
	recovery recovery

	// alarm waits to be sent to the peer: two ciphertexts in one place of its session.
	alarm *ForkPoint
	// alarmed: either side has seen two ciphertexts in one place.
	alarmed bool
}

// formerSession is a session that a re-establishment has replaced.
type formerSession struct {
	session Session
	since   int64 // Unix seconds
}

// Initiate begins a relationship with the owner of a package. The address set is fixed
// by the handshake until the first reply. The first message is sent with
// [Particle.Send], to the package's contact address.
func Initiate(random io.Reader, id Identity, pkg KeyPackage, addresses []wire.Address, now time.Time) (Particle, error) {
	if pkg.contact == nil {
		return Particle{}, ErrMalformed
	}
	if !now.Before(pkg.expires) {
		return Particle{}, ErrExpired
	}
	e, err := exchange{}.offer(addresses, now)
	if err != nil {
		return Particle{}, err
	}
	a, err := initiate(random, id, pkg, hashAddressSet(e.carried()))
	if err != nil {
		return Particle{}, err
	}
	return Particle{
		identity: id, peer: pkg.identity,
		session:   newInitiator(a.sk, a.sid, a.private, a.ekA0, a.block),
		handshake: wire.Hash(labelBlock, a.block),
		wrap:      a.wrapKey(), contact: pkg.contact, contactWrap: pkg.ContactWrapKey(),
		exchange: e,
	}, nil
}

// Accepted is what a first message brings.
type Accepted struct {
	Particle Particle
	Opened   Opened
	// Handshake is remembered with the Particle: a ciphertext in the same contact mailbox
	// with the same [HandshakeIDOf] goes to this Particle's Receive, never to Accept. It
	// is the replay cache of a package without a one-time prekey, kept until RememberUntil.
	Handshake     HandshakeID
	RememberUntil time.Time
	// OneTime: the secret has done its work and is deleted in the same transaction.
	OneTime bool
}

// Accept begins a relationship from the first ciphertext in a contact mailbox. The
// caller has looked up [HandshakeIDOf] the ciphertext before and does not know it.
func Accept(secret *PackageSecret, ciphertext []byte, now time.Time) (Accepted, error) {
	if now.After(secret.KeepUntil()) {
		return Accepted{}, ErrExpired
	}
	a, id, err := secret.answer(ciphertext)
	if err != nil {
		return Accepted{}, err
	}
	p := Particle{
		identity: secret.identity, peer: a.peer,
		session:   newResponder(a.sk, a.sid, a.ekA0, id),
		handshake: id,
		wrap:      a.wrapKey(), contactWrap: secret.pkg.ContactWrapKey(),
	}
	next, opened, err := p.first(a.set, ciphertext, now)
	if err != nil {
		return Accepted{}, err
	}
	return Accepted{
		Particle: next, Opened: opened, Handshake: id,
		RememberUntil: secret.KeepUntil(), OneTime: secret.once != nil,
	}, nil
}

// answer runs the handshake in front of a ciphertext.
func (s *responder) answer(ciphertext []byte) (agreement, HandshakeID, error) {
	if !isBucket(len(ciphertext)) {
		return agreement{}, HandshakeID{}, ErrMalformed
	}
	id, n, err := handshakeID(ciphertext)
	if err != nil {
		return agreement{}, HandshakeID{}, err
	}
	a, err := s.respond(ciphertext[:n])
	return a, id, err
}

// first opens a handshake's first message, whose address set the handshake fixed.
func (p Particle) first(setHash [32]byte, ciphertext []byte, now time.Time) (Particle, Opened, error) {
	session, plain, err := p.session.Decrypt(ciphertext, now)
	if err != nil {
		return p, Opened{}, err
	}
	c, err := parseContent(plain.Content)
	if err != nil {
		return p, Opened{}, err
	}
	if c.addresses == nil || hashAddressSet(c.addresses) != setHash {
		return p, Opened{}, ErrAddressSet
	}
	p.session = session
	p, opened, err := p.apply(c, plain, ciphertext, now)
	opened.previous = c.previous
	return p, opened, err
}

// Draft is what to say. The zero Draft is an empty message, which answers and
// acknowledges.
type Draft struct {
	Text string
	// ID names the message; nil draws one. A message that is written anew after a
	// re-establishment keeps its id.
	ID *MessageID
	// Introduction, Claim and Checkpoint ride along, nil if there are none. A claim is
	// one of the current session's, a checkpoint has at most [MaxCheckpoint] bytes.
	Introduction *Introduction
	Claim        *Claim
	Checkpoint   []byte
	// Relation is a succession or an equivalence, of [RelationSize] bytes; nil for none.
	Relation []byte
	// Veto is a veto or a revocation, of 1 to [MaxVeto] bytes; nil for none.
	Veto []byte
}

// Sealed is a message ready for the outbox.
type Sealed struct {
	Ciphertext []byte // one of the bucket sizes; wrapped anew for each attempt
	Delivery   DeliveryID
	Message    Message
}

// Send encrypts a message, with what else the peer needs to hear: acknowledgements, our
// address set until the peer has it, a recovery package, an alarm. Save the next
// Particle and the ciphertext in one transaction, then release the ciphertext.
func (p Particle) Send(random io.Reader, d Draft, now time.Time) (Particle, Sealed, error) {
	if p.imported {
		return p, Sealed{}, ErrImported
	}
	if err := p.session.CanSend(); err != nil {
		return p, Sealed{}, err
	}
	if len(d.Text) > MaxText {
		return p, Sealed{}, ErrTooLarge
	}
	if !utf8.ValidString(d.Text) || len(d.Checkpoint) > MaxCheckpoint || d.Checkpoint != nil && len(d.Checkpoint) == 0 ||
		d.Relation != nil && len(d.Relation) != RelationSize || d.Veto != nil && len(d.Veto) == 0 || len(d.Veto) > MaxVeto {
		return p, Sealed{}, ErrMalformed
	}
	var introduction []byte
	if d.Introduction != nil {
		var err error
		if introduction, err = d.Introduction.marshal(); err != nil {
			return p, Sealed{}, err
		}
	}
	id, err := draw(random, len(MessageID{}))
	if err != nil {
		return p, Sealed{}, err
	}
	if d.ID != nil {
		id = d.ID[:]
	}
	next := p
	c := content{
		id: MessageID(id), sent: uint64(max(0, now.UnixMilli())), text: d.Text,
		setAck: p.exchange.applied, recoveryAck: p.recovery.peerNumber,
		introduction: introduction, claim: d.Claim, checkpoint: d.Checkpoint, relation: d.Relation, veto: d.Veto,
		alarm: p.alarm, previous: p.previous, addresses: p.exchange.carried(),
	}
	next, body, spare, err := next.attachRecovery(random, c, now)
	if err != nil {
		return p, Sealed{}, err
	}
	session, ciphertext, err := p.session.Encrypt(random, body, spare, now)
	if err != nil {
		return p, Sealed{}, err
	}
	next.session = session
	next.exchange.ackDue, next.alarm = false, nil
	return next.expireFormer(now), Sealed{ciphertext, DeliveryIDOf(ciphertext), c.message()}, nil
}

// AnswerDue says that something should be sent soon, if need be the zero Draft: the
// peer's chain must step, a new address set waits for its acknowledgement, or an alarm
// waits. To hide reading habits the caller delays it by a random time.
func (p Particle) AnswerDue() bool {
	return !p.imported && (p.session.AnswerDue() || p.exchange.ackDue || p.alarm != nil)
}

// CanSend is nil, or the error that Send would give whatever the draft: [ErrImported] or
// [ErrUnanswered].
func (p Particle) CanSend() error {
	if p.imported {
		return ErrImported
	}
	return p.session.CanSend()
}

// Unreplied says whether the relationship, or its re-establishment, still waits for the
// peer's first reply.
func (p Particle) Unreplied() bool { return p.session.Unreplied() }

// Identity returns our own identity document in this relationship, Peer the peer's.
func (p Particle) Identity() IdDoc { return p.identity.Doc() }

// SignRelation signs, with our key in this relationship, the body of a succession or an
// equivalence (docs/namespace.md), and nothing else: the label keeps it apart.
func (p Particle) SignRelation(body []byte) [signatureSize]byte {
	return [signatureSize]byte(p.identity.keys().signing.sign(labelled(wire.LabelRelation, body)))
}

// Peer returns the peer's identity document.
func (p Particle) Peer() IdDoc { return p.peer }

// SessionID returns the id of the current session.
func (p Particle) SessionID() SessionID { return p.session.sid }

// Handshake returns the id of the handshake that began the current session.
func (p Particle) Handshake() HandshakeID { return p.handshake }

// Trust returns what we know about who the peer is.
func (p Particle) Trust() Trust { return p.trust }

// SetTrust records what a person or a proof has found out.
func (p Particle) SetTrust(t Trust) Particle {
	p.trust = t
	return p
}

// Alarmed says that either side has seen two ciphertexts in one place of the session:
// somebody may hold a copy of a profile. ClearAlarm is for a person who has looked.
func (p Particle) Alarmed() bool { return p.alarmed }

// ClearAlarm forgets an alarm.
func (p Particle) ClearAlarm() Particle {
	p.alarmed = false
	return p
}

// Wrap wraps a ciphertext for one attempt to deliver it to an address of the peer's.
func (p Particle) Wrap(random io.Reader, ciphertext []byte, to wire.Address) ([]byte, error) {
	if p.contact != nil && p.contact.Mailbox == to.Mailbox && p.contact.Agent == to.Agent {
		return p.contactWrap.Wrap(random, ciphertext)
	}
	return p.wrap.Wrap(random, ciphertext)
}

// Unwrap takes the wrap off a payload that arrived in a mailbox of this relationship.
func (p Particle) Unwrap(payload []byte) ([]byte, error) {
	ciphertext, err := p.wrap.Unwrap(payload)
	if err == ErrUndecryptable && p.contactWrap != nil {
		return p.contactWrap.Unwrap(payload)
	}
	return ciphertext, err
}

// Equal says whether two Particles are in the same state, in constant time for states of
// the same length.
func (p Particle) Equal(o Particle) bool { return equal(p.Marshal(), o.Marshal()) }
