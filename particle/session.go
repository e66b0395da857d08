package particle

import (
	"encoding/binary"
	"time"

	"communicator/wire"
)

// SessionID names a session: H(label ‖ t1 ‖ IdDoc_A ‖ IdDoc_B). Both sides have it, and
// everything in the session is bound to it.
type SessionID [32]byte

// Session is one side of a post-quantum double ratchet with encrypted headers. It
// follows Signal's "The Double Ratchet Algorithm", revision 4, with header encryption,
// with each Diffie-Hellman step replaced by a KEM. Its methods return the next session
// and leave the receiver as it was.
//
// Chains are numbered by steps: the initiator's first chain is 0, the responder's first
// is 1, and so on in turn, since either side steps only after it has received the
// other's last step. So the initiator owns the even chains, the responder the odd ones.
//
// A nil pointer is an absent key.
type Session struct {
	sid  SessionID
	root *rootKey

	send sendChain
	// nextSendHeader is NHKs, the header key of our next chain.
	nextSendHeader *headerKey
	// own is the private part of send.public: nil before our first chain, and again as
	// soon as the peer has stepped to it.
	own *KEMPrivate

	// peer is the ratchet key of the peer's newest chain, which our next step
	// encapsulates to: nil when we have stepped to it.
	peer *KEMPublic
	// recv is the peer's newest chain, nil before its first message.
	recv *recvChain
	// nextRecvHeader is NHKr, the header key of the peer's next chain.
	nextRecvHeader *headerKey
	// former are the chains that the peer has left, newest first.
	former []recvChain
	// sinceSent counts messages received since we last sent.
	sinceSent uint32

	// block precedes every ciphertext that the initiator sends until a reply arrives.
	block []byte
	// peerBlock identifies the block that precedes the ciphertexts of chain 0 that the
	// responder receives.
	peerBlock *HandshakeID
}

// sendChain is the chain that we are sending in.
type sendChain struct {
	step     uint64
	chain    *chainKey // CKs, nil before our first step
	header   *headerKey
	public   *KEMPublic // ek', in every header
	enc      []byte     // the encapsulation that began the chain; zeros in chain 0
	sent     uint32     // Ns
	previous uint32     // PN, the length of our chain before
}

// recvChain is a chain of the peer's: the current one, or a former one, whose chain key
// is gone and of which only skipped messages can still be read.
type recvChain struct {
	step   uint64
	header *headerKey
	chain  *chainKey // CKr, nil in a former chain
	next   uint32    // Nr: every lower number was received or skipped
	// identity is the digest of what every header of the chain repeats. Another one
	// under the same header key comes from a second copy of the peer's state.
	identity [32]byte
	skipped  []skippedKey // ascending numbers
	seen     []seenHeader // in order of arrival
}

// skippedKey is the key of a message that has not arrived yet.
type skippedKey struct {
	n      uint32
	key    *messageKey
	stored int64 // Unix seconds
}

// seenHeader remembers a received message by its encrypted header.
type seenHeader struct {
	n      uint32
	digest [8]byte // of H(encrypted header)
}

// initKeys are the first keys of a session:
//
//	RK ‖ CK_A ‖ HK_A ‖ NHK_A ‖ NHK_B = Expand(SK, label ‖ sid, 160)
type initKeys struct {
	root                 *rootKey
	chainA               *chainKey
	headerA, nextA, next *headerKey // next is NHK_B
}

func deriveInit(sk *sharedKey, sid SessionID) initKeys {
	b := expand(sk.bytes(), labelInit, sid[:], 5*keySize)
	return initKeys{
		root:    newKey[rootKey](b[:32]),
		chainA:  newKey[chainKey](b[32:64]),
		headerA: newKey[headerKey](b[64:96]),
		nextA:   newKey[headerKey](b[96:128]),
		next:    newKey[headerKey](b[128:]),
	}
}

// newInitiator is A's session. A owns chain 0, whose ratchet key the handshake carried.
func newInitiator(sk *sharedKey, sid SessionID, own *KEMPrivate, public *KEMPublic, block []byte) Session {
	k := deriveInit(sk, sid)
	return Session{
		sid: sid, root: k.root,
		send: sendChain{
			chain: k.chainA, header: k.headerA, public: public,
			enc: make([]byte, EncapsulationSize),
		},
		nextSendHeader: k.nextA,
		own:            own,
		nextRecvHeader: k.next,
		block:          block,
	}
}

// newResponder is B's session. It holds no prekey: B's first step makes its first key.
func newResponder(sk *sharedKey, sid SessionID, peer *KEMPublic, block HandshakeID) Session {
	k := deriveInit(sk, sid)
	return Session{
		sid: sid, root: k.root,
		nextSendHeader: k.next,
		peer:           peer,
		recv: &recvChain{
			header: k.headerA, chain: k.chainA,
			identity: chainIdentity(0, peer, make([]byte, EncapsulationSize)),
		},
		nextRecvHeader: k.nextA,
		peerBlock:      &block,
	}
}

// Unreplied says whether the initiator still waits for the first reply.
func (s Session) Unreplied() bool { return s.block != nil }

// CanSend is nil, or the reason why Encrypt would refuse: [ErrUnanswered] or
// [ErrCannotSend].
func (s Session) CanSend() error {
	if s.stepDue() {
		return nil
	}
	if s.send.chain == nil {
		return ErrCannotSend
	}
	if s.send.sent >= MaxUnanswered {
		return ErrUnanswered
	}
	return nil
}

// AnswerDue says that [AnswerAfter] messages have arrived since we last sent. Whoever
// sees it sends something, an empty message if there is nothing to say.
func (s Session) AnswerDue() bool { return s.sinceSent >= AnswerAfter }

// stepDue says whether the next message begins a new chain: the peer has stepped (or
// opened the session) since we did.
func (s Session) stepDue() bool { return s.peer != nil && s.recv != nil }

// chainIdentity is H(label ‖ u32 pn ‖ ek' ‖ enc).
func chainIdentity(pn uint32, public *KEMPublic, enc []byte) [32]byte {
	return wire.Hash(labelChain, binary.BigEndian.AppendUint32(nil, pn), public[:], enc)
}

// advance returns the message key of the chain's next message and the chain key after
// it: mk = HMAC(CK, 1), CK' = HMAC(CK, 2).
func (k *chainKey) advance() (*messageKey, *chainKey) {
	return newKey[messageKey](hmacByte(k.bytes(), chainMessage)),
		newKey[chainKey](hmacByte(k.bytes(), chainNext))
}

// step is what a KEM step derives.
type step struct {
	root       *rootKey
	chain      *chainKey
	nextHeader *headerKey
}

// deriveStep mixes a shared secret into the root key:
//
//	th  = H(label ‖ sid ‖ u64 step ‖ peerEK ‖ enc ‖ ek')
//	prk = Extract(salt = RK, ss);  RK' ‖ CK ‖ NHK = Expand(prk, label ‖ th, 96)
//
// to is the key that was encapsulated to, public the stepping side's new one.
func deriveStep(root *rootKey, sid SessionID, number uint64, to, public *KEMPublic, enc, ss []byte) step {
	th := wire.Hash(labelStep, sid[:], binary.BigEndian.AppendUint64(nil, number), to[:], enc, public[:])
	b := expand(extract(root.bytes(), ss), labelRoot, th[:], 3*keySize)
	return step{newKey[rootKey](b[:32]), newKey[chainKey](b[32:64]), newKey[headerKey](b[64:])}
}

// stepInfo is the HPKE info of a step's encapsulation: label ‖ sid ‖ u64 step.
func stepInfo(sid SessionID, number uint64) []byte {
	b := append([]byte(labelRatchet), sid[:]...)
	return binary.BigEndian.AppendUint64(b, number)
}

// expire drops skipped keys that are older than [SkippedLife].
func (s Session) expire(now time.Time) Session {
	oldest := now.Add(-SkippedLife).Unix()
	if s.recv != nil && s.recv.hasExpired(oldest) {
		c := *s.recv
		c.skipped = unexpired(c.skipped, oldest)
		s.recv = &c
	}
	for i := range s.former {
		if s.former[i].hasExpired(oldest) {
			c := s.former[i]
			c.skipped = unexpired(c.skipped, oldest)
			s.former = replaceChain(s.former, i, c)
		}
	}
	return s
}

func (c *recvChain) hasExpired(oldest int64) bool {
	for _, k := range c.skipped {
		if k.stored < oldest {
			return true
		}
	}
	return false
}

func unexpired(keys []skippedKey, oldest int64) []skippedKey {
	var kept []skippedKey
	for _, k := range keys {
		if k.stored >= oldest {
			kept = append(kept, k)
		}
	}
	return kept
}

// replaceChain returns a copy of chains with chain i replaced.
func replaceChain(chains []recvChain, i int, c recvChain) []recvChain {
	next := make([]recvChain, len(chains))
	copy(next, chains)
	next[i] = c
	return next
}
