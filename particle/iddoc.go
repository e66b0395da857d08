package particle

import "io"

// IdDoc is a public identity: fresh for each relationship, unless it is vended under a
// name. Its bytes are what is signed, hashed and compared.
//
//	u8 suite ‖ Ed25519 32 ‖ X25519 32 ‖ signature 64 over label ‖ the 65 bytes before
type IdDoc [idDocSize]byte

const (
	idDocSigned = 1 + 32 + 32
	idDocSize   = idDocSigned + signatureSize
)

// Signing returns the Ed25519 key.
func (d IdDoc) Signing() SigningPublic { return SigningPublic(d[1:33]) }

// DH returns the X25519 key.
func (d IdDoc) DH() DHPublic { return DHPublic(d[33:65]) }

// ParseIdDoc decodes a document and verifies its self-signature.
func ParseIdDoc(b []byte) (IdDoc, error) {
	if len(b) != idDocSize {
		return IdDoc{}, ErrMalformed
	}
	if b[0] != Suite {
		return IdDoc{}, ErrVersion
	}
	d := IdDoc(b)
	if err := d.Signing().verify(labelled(labelIdDoc, d[:idDocSigned]), d[idDocSigned:]); err != nil {
		return IdDoc{}, err
	}
	return d, nil
}

// Identity is an identity with its private keys.
type Identity struct {
	_       notComparable
	doc     IdDoc
	signing *SigningPrivate
	dh      *DHPrivate
}

// NewIdentity draws a fresh identity.
func NewIdentity(random io.Reader) (Identity, error) {
	signing, err := newSigningPrivate(random)
	if err != nil {
		return Identity{}, err
	}
	dh, err := newDHPrivate(random)
	if err != nil {
		return Identity{}, err
	}
	return makeIdentity(signing, dh), nil
}

func makeIdentity(signing *SigningPrivate, dh *DHPrivate) Identity {
	sp, dp := signing.Public(), dh.Public()
	var w writer
	w.u8(Suite)
	w.raw(sp[:], dp[:])
	w.raw(signing.sign(labelled(labelIdDoc, w.b)))
	return Identity{doc: IdDoc(w.b), signing: signing, dh: dh}
}

// Doc returns the public document.
func (id Identity) Doc() IdDoc { return id.doc }

// Equal compares in constant time.
func (id Identity) Equal(o Identity) bool {
	return id.signing.Equal(o.signing) && id.dh.Equal(o.dh)
}

// Marshal encodes the private keys: Ed25519 seed 32 ‖ X25519 32.
func (id Identity) Marshal() []byte {
	return append(id.signing.k.Seed(), id.dh.k.Bytes()...)
}

// ParseIdentity decodes what [Identity.Marshal] encoded.
func ParseIdentity(b []byte) (Identity, error) {
	if len(b) != identitySize {
		return Identity{}, ErrMalformed
	}
	signing, err := newSigningPrivate(&fixed{b[:32]})
	if err != nil {
		return Identity{}, err
	}
	dh, err := dhFromSeed(b[32:])
	if err != nil {
		return Identity{}, err
	}
	return makeIdentity(signing, dh), nil
}

const identitySize = 2 * keySize

// fixed is a reader of given bytes, so that parsing a seed and drawing one share code.
type fixed struct{ b []byte }

func (f *fixed) Read(p []byte) (int, error) {
	if len(f.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.b)
	f.b = f.b[n:]
	return n, nil
}
