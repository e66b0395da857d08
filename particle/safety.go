package particle

import (
	"bytes"
	"crypto/sha512"
	"fmt"
	"strings"
)

// safetyIterations makes a search for two identities with similar numbers dear.
const safetyIterations = 5200

// SafetyNumber is 60 digits in 12 groups that both people see alike and compare. It
// follows Signal's numeric fingerprint (libsignal, NumericFingerprintGenerator):
//
//	h0 = label ‖ IdDoc;  h(i+1) = SHA-512(h(i) ‖ IdDoc), 5,200 times
//	30 digits: the first 30 bytes of h, each five as a big-endian number mod 100,000
//
// The half of the lower document comes first, so the order of arguments is of no matter.
func SafetyNumber(a, b IdDoc) string {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return strings.Join(append(safetyHalf(a), safetyHalf(b)...), " ")
}

// safetyDigest is the first 30 bytes of one document's h.
func safetyDigest(d IdDoc) [safetyHalfSize]byte {
	h := labelled(labelSafety, d[:])
	for range safetyIterations {
		sum := sha512.Sum512(append(h[:len(h):len(h)], d[:]...))
		h = sum[:]
	}
	return [safetyHalfSize]byte(h)
}

func safetyHalf(d IdDoc) []string {
	h := safetyDigest(d)
	groups := make([]string, 6)
	for i := range groups {
		var n uint64
		for _, b := range h[5*i : 5*i+5] {
			n = n<<8 | uint64(b)
		}
		groups[i] = fmt.Sprintf("%05d", n%100000)
	}
	return groups
}

// SafetyNumber returns the relationship's safety number.
func (p Particle) SafetyNumber() string { return SafetyNumber(p.identity.Doc(), p.peer) }
