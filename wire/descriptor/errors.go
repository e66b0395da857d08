package descriptor

import "errors"

// Errors beside wire.ErrMalformed, wire.ErrTooLarge and wire.ErrVersion.
var (
	// ErrSignature: not signed by the root key that it names.
	ErrSignature = errors.New("descriptor: signature invalid")
	// ErrAgent: another agent's descriptor.
	ErrAgent = errors.New("descriptor: belongs to another agent")
	// ErrChain: it does not follow from the descriptor that was known.
	ErrChain = errors.New("descriptor: does not follow from the known one")
	// ErrPin: the agent's sealing key is not the one that the address pins.
	ErrPin = errors.New("descriptor: sealing key does not match the address's pin")
	// ErrNoEpoch: no sealing key for the epoch.
	ErrNoEpoch = errors.New("descriptor: no sealing key for the epoch")
)
