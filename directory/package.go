package directory

import (
	"bytes"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/wire"
)

// Sizes in a key package, docs/session.md:
//
//	u8 suite ‖ identity document 129 ‖ prekey 1316 ‖ u8 ‖ [one-time prekey 1316] ‖
//	u16 length ‖ contact address ‖ u64 expiry ‖ u16 length ‖ attestation ‖ signature 64
const (
	packageSuite     = 1
	prekeySize       = 1316
	packageSignature = 64
)

// readPackage reads what a directory has to know of a key package: whose it is, whether
// it has a one-time prekey, and until when it is good. Its signatures are the asker's to
// verify; that it comes from the name's holder the operation's signature says.
func readPackage(b []byte, holder vend.Identity) (vend.Package, error) {
	malformed := refuse(wire.StatusMalformed, 0)
	if len(b) > vend.MaxPackage {
		return vend.Package{}, refuse(wire.StatusTooLarge, 0)
	}
	var suite, oneTime uint8
	var identity []byte
	var address, attestation cryptobyte.String
	var expiry uint64
	s := cryptobyte.String(b)
	if !s.ReadUint8(&suite) || suite != packageSuite || !s.ReadBytes(&identity, proof.MaxIdentity) ||
		!s.Skip(prekeySize) || !s.ReadUint8(&oneTime) || oneTime > 1 || oneTime == 1 && !s.Skip(prekeySize) ||
		!s.ReadUint16LengthPrefixed(&address) || address.Empty() || !s.ReadUint64(&expiry) || expiry > maxUnix ||
		!s.ReadUint16LengthPrefixed(&attestation) || !s.Skip(packageSignature) || !s.Empty() {
		return vend.Package{}, malformed
	}
	doc, err := proof.ParseIdDoc(identity)
	if err != nil || vend.Identity(doc.Hash()) != holder {
		return vend.Package{}, malformed
	}
	p := vend.Package{Kind: vend.LastResort, Expires: time.Unix(int64(expiry), 0).UTC(), Bytes: bytes.Clone(b)}
	if oneTime == 1 {
		p.Kind = vend.OneTime
	}
	return p, nil
}
