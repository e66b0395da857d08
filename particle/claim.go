package particle

import (
	"crypto/hmac"
	"crypto/sha256"
)

// A claim says inside a session: "the identity that this statement attests is mine". It
// cannot be carried into another session, not even by the peer that it was made to:
//
//	ss    = DH(attested X25519 of the claimer, X25519 of the verifier's identity document)
//	key   = Expand(Extract(salt = sid, ss), "comm/1/claim", 32)
//	claim = statement hash 32 ‖ HMAC(key, u8 role ‖ statement hash 32)
//
// The role is the claimer's in the session: 0 began it, 1 answered. The sid ties the
// claim to one session, so a re-established one needs another; the verifier's session key
// ties it to one verifier, so somebody in the middle of two sessions cannot pass it on.
// Only who holds the attested key or the verifier's own can compute it: it convinces the
// verifier and nobody else.
type Claim struct {
	Statement [32]byte // hash of the statement that attests the identity
	MAC       [32]byte
}

// Roles in a session, as a claim has them.
const (
	roleInitiator = 0
	roleResponder = 1
)

// ParseDHPrivate reads an X25519 private key of 32 bytes.
func ParseDHPrivate(b []byte) (*DHPrivate, error) {
	if len(b) != keySize {
		return nil, ErrMalformed
	}
	return dhFromSeed(b)
}

// MakeClaim claims, in the current session, the identity whose X25519 key this is and
// that the statement with this hash attests. The peer gets it with [Draft.Claim]. After a
// re-establishment it is made anew.
func (p Particle) MakeClaim(attested *DHPrivate, statement [32]byte) (Claim, error) {
	ss, err := attested.shared(p.peer.DH())
	if err != nil {
		return Claim{}, err
	}
	role := byte(roleResponder)
	if p.session.initiator() {
		role = roleInitiator
	}
	return Claim{statement, claimMAC(p.session.sid, ss, role, statement)}, nil
}

// CheckClaim says whether the peer made a claim in the current session and holds the
// X25519 key that the claimed statement attests. A claim of a former session, of
// another relationship or of another key is [ErrClaim].
func (p Particle) CheckClaim(c Claim, attested DHPublic) error {
	ss, err := p.identity.keys().dh.shared(attested)
	if err != nil {
		return err
	}
	role := byte(roleInitiator)
	if p.session.initiator() {
		role = roleResponder
	}
	want := claimMAC(p.session.sid, ss, role, c.Statement)
	if !hmac.Equal(want[:], c.MAC[:]) {
		return ErrClaim
	}
	return nil
}

func claimMAC(sid SessionID, ss []byte, role byte, statement [32]byte) [32]byte {
	m := hmac.New(sha256.New, expand(extract(sid[:], ss), labelClaim, nil, keySize))
	m.Write([]byte{role})
	m.Write(statement[:])
	return [32]byte(m.Sum(nil))
}

// initiator says whether this side began the session: it owns the even chains.
func (s Session) initiator() bool { return s.send.chain != nil && s.send.step%2 == 0 }

// Bytes returns the private key, for the caller to keep.
func (d *DHPrivate) Bytes() []byte { return d.k.Bytes() }
