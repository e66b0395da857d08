package particle

import (
	"io"
	"time"
)

// Encrypt encrypts the content body ‖ spare: body decides the bucket, spare must fit
// behind it, which [Spare] bytes always do. It steps first if a step is due. The caller
// saves the next session and the ciphertext in one transaction before it lets the
// ciphertext out.
//
//	ciphertext = [handshake block] ‖ encrypted header 2400 ‖ encrypted body
func (s Session) Encrypt(random io.Reader, body, spare []byte, now time.Time) (Session, []byte, error) {
	if err := s.CanSend(); err != nil {
		return s, nil, err
	}
	room, err := s.room(len(body))
	if err != nil {
		return s, nil, err
	}
	if len(body)+len(spare) > room {
		return s, nil, ErrTooLarge
	}
	next := s.expire(now)
	if next.stepDue() {
		if next, err = next.stepSending(random); err != nil {
			return s, nil, err
		}
	}
	h := header{n: next.send.sent, pn: next.send.previous, public: next.send.public, enc: next.send.enc}
	encrypted, err := h.seal(random, next.send.header, next.sid)
	if err != nil {
		return s, nil, err
	}
	var key *messageKey
	key, next.send.chain = next.send.chain.advance()
	next.send.sent++
	next.sinceSent = 0

	prefix := len(next.block) + len(encrypted)
	ciphertext := make([]byte, 0, prefix+room+bodyOverhead)
	ciphertext = append(append(ciphertext, next.block...), encrypted...)
	content := append(body[:len(body):len(body)], spare...)
	return next, key.sealBody(ciphertext, content, room, next.sid, encrypted), nil
}

// room is how many bytes of content the ciphertext of a body of n bytes holds.
func (s Session) room(n int) (int, error) {
	return roomBehind(len(s.block)+encryptedHeaderSize, n)
}

// stepSending begins a new chain of ours: a KEM encapsulation to the peer's newest
// ratchet key, and a new ratchet key of our own for the peer's next step.
func (s Session) stepSending(random io.Reader) (Session, error) {
	number := s.recv.step + 1
	enc, ss, err := s.peer.encapsulate(stepInfo(s.sid, number))
	if err != nil {
		return s, err
	}
	own, public, err := newKEMPrivate(random)
	if err != nil {
		return s, err
	}
	k := deriveStep(s.root, s.sid, number, s.peer, public, enc, ss)
	s.send = sendChain{
		step: number, chain: k.chain, header: s.nextSendHeader,
		public: public, enc: enc, previous: s.send.sent,
	}
	s.root, s.nextSendHeader = k.root, k.nextHeader
	s.own, s.peer = own, nil
	return s, nil
}
