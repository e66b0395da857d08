package record

import (
	"encoding/binary"
	"math/bits"

	"communicator/wire"
)

// content is what a stamp is bound to: everything but itself and the signature.
func (r Record) content() [32]byte {
	return wire.Hash(wire.LabelDHTContent, r.append(nil), r.Nonce[:], r.Box)
}

// work counts the leading zero bits that a stamp earns.
func work(content [32]byte, stamp uint64) int {
	h := wire.Hash(wire.LabelDHTStamp, content[:], binary.BigEndian.AppendUint64(nil, stamp))
	zeros := 0
	for i := 0; i < len(h); i += 8 {
		n := bits.LeadingZeros64(binary.BigEndian.Uint64(h[i:]))
		if zeros += n; n < 64 {
			break
		}
	}
	return zeros
}

// findStamp returns the smallest stamp with enough zero bits.
func findStamp(content [32]byte, workBits int) uint64 {
	stamp := uint64(0)
	for work(content, stamp) < workBits {
		stamp++
	}
	return stamp
}
