package address

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"communicator/wire"
)

// Secret is a receiving agent's secret of one epoch (a week), or of one lifeline
// year: every address key of that epoch follows from it. It is not comparable, and
// prints as nothing.
type Secret struct {
	_ [0]func() // not comparable with ==
	b [32]byte
}

// NewSecret draws a secret from random (nil: the system's).
func NewSecret(random io.Reader) (Secret, error) {
	var s Secret
	if random == nil {
		random = rand.Reader
	}
	_, err := io.ReadFull(random, s.b[:])
	return s, err
}

// ParseSecret reads the 32 bytes of [Secret.Bytes].
func ParseSecret(b []byte) (Secret, error) {
	if len(b) != len(Secret{}.b) {
		return Secret{}, fmt.Errorf("%w: a secret of %d bytes", ErrMalformed, len(b))
	}
	return Secret{b: [32]byte(b)}, nil
}

// Bytes is what is kept in the agent's key folder.
func (s Secret) Bytes() []byte { return s.b[:] }

// Equal compares in constant time.
func (s Secret) Equal(t Secret) bool { return hmac.Equal(s.b[:], t.b[:]) }

// String keeps a secret out of logs.
func (Secret) String() string { return "address.Secret" }

// GoString keeps a secret out of %#v.
func (Secret) GoString() string { return "address.Secret" }

// Mint returns the address key K of a mailbox for an epoch, expiry (whole seconds)
// and capabilities. The caller has checked them with [CheckLife].
func Mint(s Secret, mb wire.MailboxID, e wire.Epoch, exp time.Time, caps wire.Caps) (K [32]byte) {
	var fields [4 + 8 + 4]byte
	binary.BigEndian.PutUint32(fields[0:], uint32(e))
	binary.BigEndian.PutUint64(fields[4:], uint64(exp.Unix()))
	binary.BigEndian.PutUint32(fields[12:], uint32(caps))
	return wire.MAC(s.b[:], wire.LabelAddress, mb[:], fields[:])
}

// Tag authenticates one put: that whoever made it holds K, for this agent, payload,
// counter and time.
func Tag(K [32]byte, agent wire.AgentID, i uint64, notAfter time.Time, payload wire.PayloadHash) [32]byte {
	var fields [16]byte
	binary.BigEndian.PutUint64(fields[0:], i)
	binary.BigEndian.PutUint64(fields[8:], uint64(notAfter.Unix()))
	return wire.MAC(K[:], wire.LabelPut, agent[:], fields[:], payload[:])
}
