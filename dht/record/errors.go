package record

import "errors"

// Errors beside wire.ErrMalformed, wire.ErrTooLarge and those of wire/descriptor.
var (
	// ErrZoneKey: not a canonical Ed25519 key in the prime-order subgroup.
	ErrZoneKey = errors.New("record: unusable zone key")
	// ErrNamespace: a key of neither kind that this package knows.
	ErrNamespace = errors.New("record: key of an unknown kind")
	// ErrLocation: the record does not belong under the key.
	ErrLocation = errors.New("record: belongs under another key")
	// ErrTimes: not valid yet, no longer, or for longer than a record may be.
	ErrTimes = errors.New("record: not valid at this time")
	// ErrStamp: too little proof of work.
	ErrStamp = errors.New("record: proof of work missing")
	// ErrSignature: not signed under the blinded key that it names.
	ErrSignature = errors.New("record: signature invalid")
	// ErrSealed: it does not open with this zone key, name and epoch.
	ErrSealed = errors.New("record: does not open")
	// ErrNone: nothing to select from.
	ErrNone = errors.New("record: no record")
)
