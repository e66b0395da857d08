package address

import "errors"

// Errors of this package. To whoever sent the put they are all the same random
// outcome; they differ so that the agent can count them.
var (
	// ErrOpen: the seal, or an outcome, does not open under this key, payload and
	// time: damaged, meant for another, or, for an outcome, random bytes.
	ErrOpen = errors.New("address: does not open")
	// ErrMalformed: it opened, but its plaintext is not the layout.
	ErrMalformed = errors.New("address: malformed")
	// ErrTag: the put's tag is not the one that the address key gives.
	ErrTag = errors.New("address: tag does not match")
	// ErrKey: not an encoded sealing key.
	ErrKey = errors.New("address: not a sealing key")
	// ErrLife: an address that outlives its epoch, or a put its address.
	ErrLife = errors.New("address: lifetime out of bounds")
	// ErrExpired: the put's notAfter is past.
	ErrExpired = errors.New("address: put expired")
)
