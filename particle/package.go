package particle

import (
	"io"
	"slices"
	"time"

	"communicator/wire"
)

// A prekey lets somebody encrypt to its owner before they have met.
//
//	u32 id ‖ X25519 32 ‖ X-Wing 1216 ‖ signature 64
//	signature: Ed25519 over kind label ‖ u8 suite ‖ u32 id ‖ X25519 ‖ X-Wing
type prekey struct {
	dh  DHPublic
	kem *KEMPublic
}

const (
	prekeySigned = 4 + 32 + KEMPublicSize
	prekeySize   = prekeySigned + signatureSize
)

type prekeyPrivate struct {
	dh  *DHPrivate
	kem *KEMPrivate
}

// newPrekey draws a prekey and returns its signed encoding.
func newPrekey(random io.Reader, id Identity, kind wire.Label, number uint32) (prekeyPrivate, []byte, error) {
	dh, err := newDHPrivate(random)
	if err != nil {
		return prekeyPrivate{}, nil, err
	}
	kem, public, err := newKEMPrivate(random)
	if err != nil {
		return prekeyPrivate{}, nil, err
	}
	dp := dh.Public()
	var w writer
	w.u32(number)
	w.raw(dp[:], public[:])
	w.raw(id.keys().signing.sign(labelled(kind, append([]byte{Suite}, w.b...))))
	return prekeyPrivate{dh, kem}, w.b, nil
}

func readPrekey(r *reader, owner verifier, kind wire.Label) (prekey, error) {
	b := r.bytes(prekeySize)
	if !r.ok() {
		return prekey{}, ErrMalformed
	}
	message := append([]byte{Suite}, b[:prekeySigned]...)
	if err := owner.check(kind, message, b[prekeySigned:]); err != nil {
		return prekey{}, err
	}
	kem := KEMPublic(b[36:prekeySigned])
	if owner.on {
		if err := kem.check(); err != nil {
			return prekey{}, err
		}
	}
	return prekey{DHPublic(b[4:36]), &kem}, nil
}

// KeyPackage is what somebody needs for first contact with its owner. A package with a
// one-time prekey is vended once; one without is a last resort that many may use; one
// without a contact address re-establishes a relationship that exists.
//
//	u8 suite ‖ IdDoc 129 ‖ signed prekey 1316 ‖ ?one-time prekey 1316
//	u16 length ‖ contact address ‖ u64 expiry, Unix seconds ‖ u16 length ‖ attestation
//	signature 64 over label ‖ all before
type KeyPackage struct {
	raw         []byte
	identity    IdDoc
	signed      prekey
	once        *prekey
	contact     *wire.Address
	expires     time.Time
	attestation []byte
}

const packageFixed = 1 + idDocSize + prekeySize + 1 + 2 + 8 + 2 + signatureSize

// PackageID identifies a package: H(label ‖ the encoded package).
type PackageID [32]byte

// PackageOptions are the choices in a new package.
type PackageOptions struct {
	Contact     *wire.Address // the contact mailbox
	OneTime     bool          // with a one-time prekey
	Expires     time.Time     // whole seconds
	Attestation []byte        // at most [MaxAttestation]
}

// NewPackage draws prekeys and signs a package with them. The secret is what [Accept]
// needs; its owner stores it until a handshake has used it up or it has expired.
func NewPackage(random io.Reader, id Identity, o PackageOptions) (KeyPackage, *PackageSecret, error) {
	if o.Contact == nil {
		return KeyPackage{}, nil, ErrMalformed
	}
	return newPackage(random, id, o)
}

func newPackage(random io.Reader, id Identity, o PackageOptions) (KeyPackage, *PackageSecret, error) {
	if len(o.Attestation) > MaxAttestation {
		return KeyPackage{}, nil, ErrTooLarge
	}
	kind, address := labelPrekeyRecov, []byte(nil)
	if o.Contact != nil {
		kind, address = labelPrekeySigned, o.Contact.Marshal()
	}
	signed, signedBytes, err := newPrekey(random, id, kind, prekeySignedID)
	if err != nil {
		return KeyPackage{}, nil, err
	}
	secret := &PackageSecret{responder: responder{identity: id, signed: signed}}
	doc := id.Doc()
	var w writer
	w.u8(Suite)
	w.raw(doc[:], signedBytes)
	if w.bool(o.OneTime) {
		once, onceBytes, err := newPrekey(random, id, labelPrekeyOnce, prekeyOnceID)
		if err != nil {
			return KeyPackage{}, nil, err
		}
		secret.once = &once
		w.raw(onceBytes)
	}
	w.var16(address)
	w.u64(uint64(o.Expires.Unix()))
	w.var16(o.Attestation)
	w.raw(id.keys().signing.sign(labelled(labelPackage, w.b)))
	pkg, err := ParsePackage(w.b)
	if err != nil {
		return KeyPackage{}, nil, err
	}
	secret.pkg, secret.id = pkg, pkg.ID()
	return pkg, secret, nil
}

// Prekeys are numbered within their package: each package draws its own.
const (
	prekeySignedID = 1
	prekeyOnceID   = 2
)

// ParsePackage decodes exactly one package and verifies its four signatures. Whether it
// has expired is for [Initiate] to say, which knows the time.
func ParsePackage(b []byte) (KeyPackage, error) { return parsePackage(b, true) }

// parsePackage skips the signatures of a package from our own state, which were
// verified when it came in.
func parsePackage(b []byte, verify bool) (KeyPackage, error) {
	if len(b) > MaxPackage {
		return KeyPackage{}, ErrTooLarge
	}
	if len(b) < packageFixed {
		return KeyPackage{}, ErrMalformed
	}
	if b[0] != Suite {
		return KeyPackage{}, ErrVersion
	}
	r := &reader{s: b[1:]}
	id := IdDoc(r.bytes(idDocSize))
	owner := verifier{id.Signing(), verify}
	if id[0] != Suite {
		return KeyPackage{}, ErrVersion
	}
	if err := owner.check(labelIdDoc, id[:idDocSigned], id[idDocSigned:]); err != nil {
		return KeyPackage{}, err
	}
	signed := len(b) - signatureSize
	if err := owner.check(labelPackage, b[:signed], b[signed:]); err != nil {
		return KeyPackage{}, err
	}
	return parsePackageBody(b, r, id, owner)
}

// verifier checks an owner's signatures, if they are to be checked.
type verifier struct {
	key SigningPublic
	on  bool
}

func (v verifier) check(label wire.Label, message, signature []byte) error {
	if !v.on {
		return nil
	}
	return v.key.verify(labelled(label, message), signature)
}

func parsePackageBody(b []byte, r *reader, id IdDoc, owner verifier) (KeyPackage, error) {
	p := KeyPackage{raw: slices.Clone(b), identity: id}
	signedPrekey := *r // its kind follows from the address behind it
	r.bytes(prekeySize)
	var err error
	if r.bool() {
		once, err := readPrekey(r, owner, labelPrekeyOnce)
		if err != nil {
			return KeyPackage{}, err
		}
		p.once = &once
	}
	address := r.var16(maxAddress)
	expires := r.u64()
	p.attestation = slices.Clone(r.var16(MaxAttestation))
	r.bytes(signatureSize)
	if !r.end() || expires > maxUnix {
		return KeyPackage{}, ErrMalformed
	}
	p.expires = time.Unix(int64(expires), 0).UTC()
	kind := labelPrekeyRecov
	if len(address) > 0 {
		a, err := wire.ParseAddress(address)
		if err != nil {
			return KeyPackage{}, err
		}
		p.contact, kind = &a, labelPrekeySigned
	}
	p.signed, err = readPrekey(&signedPrekey, owner, kind)
	return p, err
}

// maxUnix is the last second of the year 9999.
const maxUnix = 253402300799

// Bytes returns the encoding, which the caller must not change.
func (p KeyPackage) Bytes() []byte { return p.raw }

// ID returns what identifies the package.
func (p KeyPackage) ID() PackageID { return wire.Hash(labelPackageHash, p.raw) }

// Identity returns the owner's identity document.
func (p KeyPackage) Identity() IdDoc { return p.identity }

// Contact returns the contact mailbox's address, nil in a recovery package.
func (p KeyPackage) Contact() *wire.Address { return p.contact }

// OneTime says whether the package has a one-time prekey.
func (p KeyPackage) OneTime() bool { return p.once != nil }

// Expires is when the package may no longer be used.
func (p KeyPackage) Expires() time.Time { return p.expires }

// Attestation returns what a namespace attests about the identity, if anything.
func (p KeyPackage) Attestation() []byte { return p.attestation }

// labelled is label ‖ b, a fresh slice.
func labelled(label wire.Label, b []byte) []byte {
	return append([]byte(label), b...)
}
