package particle

import (
	"io"

	"communicator/wire"
)

// The handshake: A has a package of B's and sends once; B needs no reply to begin.
//
//	block = head ‖ cid
//	head  = u8 suite ‖ u8 one-time 0|1 ‖ EK_x 32 ‖ enc_spk 1120 [‖ enc_opk 1120]
//	t0    = H(label ‖ H(package) ‖ head)
//	k0    = Extract(salt = t0, DH(EK,IK_B) ‖ DH(EK,SPK) ‖ ss_spk [‖ DH(EK,OPK) ‖ ss_opk])
//	kid ‖ kn = Expand(k0, label, 64)
//	cid   = ChaCha20-Poly1305(kid, nonce 0, IdDoc_A 129 ‖ H(address set) 32 ‖ ekA0 1216, AD = t0)
//	t1    = H(label ‖ t0 ‖ cid)
//	SK    = Extract(salt = t1, kn ‖ DH(IK_A, SPK))
//	sid   = H(label ‖ t1 ‖ IdDoc_A ‖ IdDoc_B)
//
// A's identity is hidden from everyone but B, and no prekey id is on the wire: the
// mailbox names the package. The block is the same in front of every message until a
// reply arrives, so losing the first is harmless.
const (
	headSize         = 1 + 1 + 32 + EncapsulationSize
	cidPlainSize     = idDocSize + 32 + KEMPublicSize
	cidSize          = cidPlainSize + tagSize
	blockSize        = headSize + cidSize
	blockOneTimeSize = blockSize + EncapsulationSize
)

// HandshakeID identifies a handshake: H(label ‖ block). A repeated block maps to the
// session that its first one made.
type HandshakeID [32]byte

// HandshakeIDOf reads the id of the handshake block in front of a ciphertext that
// arrived in a contact mailbox.
func HandshakeIDOf(ciphertext []byte) (HandshakeID, error) {
	id, _, err := handshakeID(ciphertext)
	return id, err
}

func handshakeID(ciphertext []byte) (HandshakeID, int, error) {
	n, err := blockLength(ciphertext)
	if err != nil {
		return HandshakeID{}, 0, err
	}
	return wire.Hash(labelBlock, ciphertext[:n]), n, nil
}

func blockLength(ciphertext []byte) (int, error) {
	if len(ciphertext) < blockOneTimeSize+encryptedHeaderSize {
		return 0, ErrMalformed
	}
	if ciphertext[0] != Suite {
		return 0, ErrVersion
	}
	switch ciphertext[1] {
	case 0:
		return blockSize, nil
	case 1:
		return blockOneTimeSize, nil
	}
	return 0, ErrMalformed
}

// agreement is what a handshake ends in, on either side.
type agreement struct {
	sk      *sharedKey
	sid     SessionID
	peer    IdDoc    // the responder learns A's identity,
	set     [32]byte // what A's first address set hashes to
	ekA0    *KEMPublic
	block   []byte
	private *KEMPrivate // the initiator's, of ekA0
}

// initiate runs A's side.
func initiate(random io.Reader, id Identity, pkg KeyPackage, setHash [32]byte) (agreement, error) {
	ephemeral, err := newDHPrivate(random)
	if err != nil {
		return agreement{}, err
	}
	private, ekA0, err := newKEMPrivate(random)
	if err != nil {
		return agreement{}, err
	}
	encSigned, ssSigned, err := pkg.signed.kem.encapsulate([]byte(labelSignedEnc))
	if err != nil {
		return agreement{}, err
	}
	ikm, err := dhConcat(ephemeral, pkg.identity.DH(), pkg.signed.dh)
	if err != nil {
		return agreement{}, err
	}
	ikm = append(ikm, ssSigned...)
	epub := ephemeral.Public()
	var head writer
	head.u8(Suite)
	head.bool(pkg.once != nil)
	head.raw(epub[:], encSigned)
	if pkg.once != nil {
		enc, ss, err := pkg.once.kem.encapsulate([]byte(labelOnceEnc))
		if err != nil {
			return agreement{}, err
		}
		dh, err := ephemeral.shared(pkg.once.dh)
		if err != nil {
			return agreement{}, err
		}
		ikm = append(append(ikm, dh...), ss...)
		head.raw(enc)
	}
	k := deriveHead(pkg.ID(), head.b, ikm)
	doc := id.Doc()
	plain := append(append(doc[:], setHash[:]...), ekA0[:]...)
	cid := chacha(k.kid).Seal(nil, zeroNonce[:], plain, k.t0[:])
	dhIdentity, err := id.keys().dh.shared(pkg.signed.dh)
	if err != nil {
		return agreement{}, err
	}
	a := agreement{ekA0: ekA0, private: private, block: append(head.b, cid...), peer: pkg.identity}
	a.sk, a.sid = k.finish(cid, dhIdentity, doc, pkg.identity)
	return a, nil
}

// respond runs B's side on the block in front of a ciphertext.
func (s *responder) respond(block []byte) (agreement, error) {
	if (block[1] == 1) != (s.once != nil) {
		return agreement{}, ErrUndecryptable
	}
	head, cid := block[:len(block)-cidSize], block[len(block)-cidSize:]
	ephemeral := DHPublic(head[2:34])
	encs := head[34:]
	ssSigned, err := s.signed.kem.decapsulate(encs[:EncapsulationSize], []byte(labelSignedEnc))
	if err != nil {
		return agreement{}, err
	}
	ikm, err := dhConcatPublic(ephemeral, s.identity.keys().dh, s.signed.dh)
	if err != nil {
		return agreement{}, err
	}
	ikm = append(ikm, ssSigned...)
	if s.once != nil {
		ss, err := s.once.kem.decapsulate(encs[EncapsulationSize:], []byte(labelOnceEnc))
		if err != nil {
			return agreement{}, err
		}
		dh, err := s.once.dh.shared(ephemeral)
		if err != nil {
			return agreement{}, err
		}
		ikm = append(append(ikm, dh...), ss...)
	}
	k := deriveHead(s.id, head, ikm)
	plain, err := chacha(k.kid).Open(nil, zeroNonce[:], cid, k.t0[:])
	if err != nil {
		return agreement{}, ErrUndecryptable
	}
	peer, err := ParseIdDoc(plain[:idDocSize])
	if err != nil {
		return agreement{}, err
	}
	ekA0 := KEMPublic(plain[idDocSize+32:])
	if err := ekA0.check(); err != nil {
		return agreement{}, err
	}
	dhIdentity, err := s.signed.dh.shared(peer.DH())
	if err != nil {
		return agreement{}, err
	}
	a := agreement{ekA0: &ekA0, block: block, peer: peer, set: [32]byte(plain[idDocSize:])}
	a.sk, a.sid = k.finish(cid, dhIdentity, peer, s.identity.Doc())
	return a, nil
}

var zeroNonce [12]byte // kid is used once

// headKeys are what the public-key part of a handshake derives.
type headKeys struct {
	t0      [32]byte
	kid, kn []byte
}

func deriveHead(pkg PackageID, head, ikm []byte) headKeys {
	t0 := wire.Hash(labelHandshake, pkg[:], head)
	b := expand(extract(t0[:], ikm), labelSplit, nil, 2*keySize)
	return headKeys{t0, b[:keySize], b[keySize:]}
}

func (k headKeys) finish(cid, dhIdentity []byte, a, b IdDoc) (*sharedKey, SessionID) {
	t1 := wire.Hash(labelTranscript, k.t0[:], cid)
	sk := extract(t1[:], append(k.kn[:keySize:keySize], dhIdentity...))
	return newKey[sharedKey](sk), wire.Hash(labelSession, t1[:], a[:], b[:])
}

// dhConcat is DH(EK, IK_B) ‖ DH(EK, SPK), from A's side.
func dhConcat(ephemeral *DHPrivate, publics ...DHPublic) ([]byte, error) {
	var out []byte
	for _, p := range publics {
		ss, err := ephemeral.shared(p)
		if err != nil {
			return nil, err
		}
		out = append(out, ss...)
	}
	return out, nil
}

// dhConcatPublic is the same from B's side.
func dhConcatPublic(ephemeral DHPublic, privates ...*DHPrivate) ([]byte, error) {
	var out []byte
	for _, p := range privates {
		ss, err := p.shared(ephemeral)
		if err != nil {
			return nil, err
		}
		out = append(out, ss...)
	}
	return out, nil
}

// hashAddressSet is what a handshake says of the initiator's first address set.
func hashAddressSet(set []byte) [32]byte { return wire.Hash(labelAddressSet, set) }

// wrapKey derives the relationship's wrap key: Expand(SK, label ‖ sid, 32).
func (a agreement) wrapKey() *WrapKey {
	return newKey[WrapKey](expand(a.sk.bytes(), labelWrap, a.sid[:], keySize))
}
