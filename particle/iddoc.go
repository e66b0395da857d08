package particle

import (
	"bytes"
	"crypto/ed25519"
	"io"
	"sync"
)

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

// Identity is an identity with its private keys. They follow from the two seeds, and are
// made when somebody needs them: most messages are read and written without.
type Identity struct {
	_     notComparable
	seeds *[identitySize]byte // Ed25519 32 ‖ X25519 32
	keys  func() *identityKeys
}

// identityKeys is what follows from the seeds.
type identityKeys struct {
	doc     IdDoc
	signing *SigningPrivate
	dh      *DHPrivate
}

// NewIdentity draws a fresh identity.
func NewIdentity(random io.Reader) (Identity, error) {
	signing, err := draw(random, ed25519.SeedSize)
	if err != nil {
		return Identity{}, err
	}
	dh, err := draw(random, keySize)
	if err != nil {
		return Identity{}, err
	}
	return identityOf([identitySize]byte(append(signing, dh...))), nil
}

func identityOf(seeds [identitySize]byte) Identity {
	return Identity{seeds: &seeds, keys: sync.OnceValue(func() *identityKeys { return deriveIdentity(&seeds) })}
}

func deriveIdentity(seeds *[identitySize]byte) *identityKeys {
	k := identityKeys{signing: signingFromSeed(seeds[:ed25519.SeedSize])}
	var err error
	if k.dh, err = dhFromSeed(seeds[ed25519.SeedSize:]); err != nil {
		panic(err) // no 32 bytes are a bad X25519 key
	}
	sp, dp := k.signing.Public(), k.dh.Public()
	var w writer
	w.u8(Suite)
	w.raw(sp[:], dp[:])
	w.raw(k.signing.sign(labelled(labelIdDoc, w.b)))
	k.doc = IdDoc(w.b)
	return &k
}

// Doc returns the public document.
func (id Identity) Doc() IdDoc { return id.keys().doc }

// Equal compares in constant time.
func (id Identity) Equal(o Identity) bool { return equal(id.seeds[:], o.seeds[:]) }

// Marshal encodes the private keys: Ed25519 seed 32 ‖ X25519 32.
func (id Identity) Marshal() []byte { return bytes.Clone(id.seeds[:]) }

// ParseIdentity decodes what [Identity.Marshal] encoded.
func ParseIdentity(b []byte) (Identity, error) {
	if len(b) != identitySize {
		return Identity{}, ErrMalformed
	}
	return identityOf([identitySize]byte(b)), nil
}

const identitySize = 2 * keySize
