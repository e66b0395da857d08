package vend

import (
	"encoding/binary"
	"math/bits"
	"time"

	"communicator/wire"
)

// Hour counts the hours since 1970-01-01T00:00Z. Rows and facts keep no finer time.
type Hour uint32

const secondsPerHour = 3600

// HourAt returns the hour that holds t. Times outside the range of the type map to its
// ends.
func HourAt(t time.Time) Hour {
	return Hour(min(max(t.Unix()/secondsPerHour, 0), int64(^uint32(0))))
}

// Time is the hour's first instant.
func (h Hour) Time() time.Time { return time.Unix(int64(h)*secondsPerHour, 0).UTC() }

// SpaceID is a namespace, [32]byte as its identifier is everywhere.
type SpaceID = [32]byte

// NameID stands for a name in a namespace: H(label ‖ namespace 32 ‖ name)[:16].
type NameID [16]byte

// NameIDOf derives it from the canonical form of the name.
func NameIDOf(space SpaceID, name string) NameID {
	h := wire.Hash(wire.LabelDirectoryName, space[:], []byte(name))
	return NameID(h[:16])
}

// Identity is the hash of an identity document, as statements have it; zeros for nobody.
type Identity [32]byte

// RequestID is drawn at random by who asks for a package. Its holder gets the same
// answer again, so it is a secret between asker and directory.
type RequestID [32]byte

// Digest stands for a request id, a token or a package: 16 bytes of a hash of something
// with enough entropy, or public.
type Digest [16]byte

// Digest is what rows and facts hold of a request id.
func (r RequestID) Digest() Digest {
	h := wire.Hash(wire.LabelContactRequest, r[:])
	return Digest(h[:16])
}

// PackageDigest recognises a package that is added again.
func PackageDigest(name NameID, pkg []byte) Digest {
	h := wire.Hash(wire.LabelContactPackage, name[:], pkg)
	return Digest(h[:16])
}

// WorkZeros counts the leading zero bits of a request's proof of work:
//
//	H("comm/1/contact-work" ‖ agent id 32 ‖ namespace 32 ‖ name id 16 ‖ request id 32 ‖
//	u64 hour ‖ u64 nonce)
func WorkZeros(agent wire.AgentID, space SpaceID, name NameID, id RequestID, hour, nonce uint64) int {
	var n [16]byte
	binary.BigEndian.PutUint64(n[:8], hour)
	binary.BigEndian.PutUint64(n[8:], nonce)
	zeros := 0
	for _, b := range wire.Hash(wire.LabelContactWork, agent[:], space[:], name[:], id[:], n[:]) {
		if b != 0 {
			return zeros + bits.LeadingZeros8(b)
		}
		zeros += 8
	}
	return zeros
}
