package mux

import (
	"errors"
	"fmt"
)

// Errors of this package. Those of the stream itself come wrapped as they are.
var (
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("mux: closed")
	// ErrTooLarge: a message over Limits.MaxFrame. Written, it harms only its own
	// call; read, it ends the stream.
	ErrTooLarge = errors.New("mux: frame too large")
	// ErrProtocol: the other side broke the rules of framing; the stream was reset.
	ErrProtocol = errors.New("mux: protocol violation")
	// ErrSlow: items arrived faster than they were consumed while other requests
	// waited on the same stream. What was queued can still be read; ask again from
	// there.
	ErrSlow = errors.New("mux: consumer too slow")
	// ErrEnded: the other side closed the stream.
	ErrEnded = errors.New("mux: stream ended by the other side")
	// ErrBody: an answer's body is not the protobuf message expected.
	ErrBody = errors.New("mux: malformed body")
	// ErrNoReply: a handler returned without an answer; the stream was reset.
	ErrNoReply = errors.New("mux: handler gave no reply")
	// ErrReplied: a handler answered after its last answer.
	ErrReplied = errors.New("mux: already replied")
)

// PanicError is a handler's panic. It ended its own stream only.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("mux: handler panicked: %v", e.Value) }

func violation(what string) error { return fmt.Errorf("%w: %s", ErrProtocol, what) }
