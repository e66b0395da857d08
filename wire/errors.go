package wire

import "errors"

// Errors of the parsers in this package and its leaves.
var (
	// ErrMalformed: not the layout it claims to be, or trailing bytes.
	ErrMalformed = errors.New("wire: malformed")
	// ErrTooLarge: over a cap on bytes or counts.
	ErrTooLarge = errors.New("wire: over a size limit")
	// ErrVersion: a version or suite this build does not know.
	ErrVersion = errors.New("wire: unknown version")
)
