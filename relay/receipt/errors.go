package receipt

import "errors"

// Errors beside those of wire's parsers (wire.ErrMalformed, wire.ErrTooLarge,
// wire.ErrVersion).
var (
	// ErrInvalid: well formed, but not under a head that the root key signed.
	ErrInvalid = errors.New("receipt: does not verify")
	// ErrKind: the event shown is of another kind than the receipt claims.
	ErrKind = errors.New("receipt: shows another kind of event")
	// ErrBody: the body given is not the one that the receipt speaks about.
	ErrBody = errors.New("receipt: was given for another body")
	// ErrNoSalt: a body was given, but the receipt cannot speak about any.
	ErrNoSalt = errors.New("receipt: says nothing about a body")
)
