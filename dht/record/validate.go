package record

import (
	"bytes"
	"crypto/ed25519"
	"time"

	"communicator/wire"
	"communicator/wire/descriptor"
)

// Validate says whether a value may be stored under a key now, in a network whose
// stamps have workBits zero bits. It looks at what is cheap first: kind of key, size,
// location, times, stamp, and the signature last.
//
// Errors: [ErrNamespace], wire.ErrTooLarge, wire.ErrMalformed, [ErrLocation],
// [ErrTimes], [ErrStamp], [ErrSignature], and those of descriptor.Parse.
func Validate(key string, value []byte, now time.Time, workBits int) error {
	_, err := Check(key, value, now, workBits)
	return err
}

// Check is [Validate] that also returns the value's sequence.
func Check(key string, value []byte, now time.Time, workBits int) (sequence uint64, err error) {
	namespace, rest, err := split(key)
	if err != nil {
		return 0, err
	}
	if namespace == Agent {
		return checkDescriptor(wire.AgentID(rest), value, now)
	}
	r, err := Parse(value)
	if err != nil {
		return 0, err
	}
	switch {
	case !r.Blind.isAt(rest):
		return 0, ErrLocation
	case !r.NotBefore.Before(r.NotAfter), r.NotAfter.Sub(r.NotBefore) > MaxLife,
		now.Add(Skew).Before(r.NotBefore), !now.Before(r.NotAfter):
		return 0, ErrTimes
	case work(r.content(), r.Stamp) < workBits:
		return 0, ErrStamp
	}
	if err := r.verify(); err != nil {
		return 0, err
	}
	return r.Sequence(), nil
}

// verify is ordinary Ed25519 verification under the blinded key. Keys of small order,
// under which anyone can sign, are refused.
func (r Record) verify() error {
	if r.Blind.smallOrder() || !ed25519.Verify(r.Blind[:], r.message(), r.Signature[:]) {
		return ErrSignature
	}
	return nil
}

func checkDescriptor(agent wire.AgentID, value []byte, now time.Time) (uint64, error) {
	d, err := descriptor.Parse(value, agent)
	if err != nil {
		return 0, err
	}
	if d.Issued.After(now.Add(Skew)) || now.Sub(d.Issued) > MaxDescriptorAge {
		return 0, ErrTimes
	}
	return d.Sequence, nil
}

// Select returns the index of the value with the highest sequence under the key.
// Values that do not parse are passed over. If others of that sequence have different
// bytes, conflict is set: whoever signed said two things, and the value returned is
// the one whose bytes sort first, in whatever order they are given. It does not
// validate: the caller has.
//
// Errors: [ErrNamespace], and [ErrNone] if there is nothing to select.
func Select(key string, values [][]byte) (best int, conflict bool, err error) {
	if _, _, err := split(key); err != nil {
		return 0, false, err
	}
	best = -1
	var highest uint64
	for i, value := range values {
		sequence, err := Sequence(key, value)
		switch {
		case err != nil:
		case best < 0 || sequence > highest:
			best, highest, conflict = i, sequence, false
		case sequence == highest:
			order := bytes.Compare(value, values[best])
			conflict = conflict || order != 0
			if order < 0 {
				best = i
			}
		}
	}
	if best < 0 {
		return 0, false, ErrNone
	}
	return best, conflict, nil
}

// Sequence returns the sequence of a value without validating it. Errors:
// [ErrNamespace] and the parsers'.
func Sequence(key string, value []byte) (uint64, error) {
	namespace, rest, err := split(key)
	if err != nil {
		return 0, err
	}
	if namespace == Agent {
		d, err := descriptor.Parse(value, wire.AgentID(rest))
		return d.Sequence, err
	}
	r, err := Parse(value)
	return r.Sequence(), err
}
