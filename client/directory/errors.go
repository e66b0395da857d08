package directory

import (
	"context"
	"errors"
	"time"

	"communicator/wire"
)

// Errors beside [*wire.StatusError].
var (
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("directory: closed")
	// ErrProtocol: the directory answered what the protocol does not allow.
	ErrProtocol = errors.New("directory: the directory broke the protocol")
	// ErrWork: the namespace asks for more proof of work than a client does.
	ErrWork = errors.New("directory: too much proof of work asked for")
	// ErrTooMany: more packages, tokens or statements than one request takes.
	ErrTooMany = errors.New("directory: more than one request takes")
)

// NotGrantedError says that a request for contact got no package, now. Nothing tells
// whether there is such a name, what its rule is, or whether its owner still decides:
// ask again later with the same request.
type NotGrantedError struct {
	RetryAfter time.Duration
}

func (*NotGrantedError) Error() string { return "directory: contact not granted" }

// UnreachableError says that a request got no answer. Its text holds no address; the
// cause may, and must not be logged.
type UnreachableError struct{ Cause error }

func (*UnreachableError) Error() string   { return "directory: unreachable" }
func (e *UnreachableError) Unwrap() error { return e.Cause }

// unreachable wraps what a dialer or a stream said, but not what a status said.
func unreachable(ctx context.Context, err error) error {
	var status *wire.StatusError
	switch {
	case err == nil, errors.As(err, &status), errors.Is(err, ErrProtocol), errors.Is(err, ErrClosed):
		return err
	case errors.Is(context.Cause(ctx), context.Canceled):
		return context.Cause(ctx)
	}
	return &UnreachableError{Cause: err}
}

// statusError makes the error of an answer in the clear, nil for OK.
func statusError(status, retryAfterSeconds uint32) error {
	if wire.Status(status) == wire.StatusOK {
		return nil
	}
	return &wire.StatusError{Status: wire.Status(status).Known(), RetryAfter: retryAfter(retryAfterSeconds)}
}

func retryAfter(seconds uint32) time.Duration {
	return min(time.Duration(seconds)*time.Second, maxRetryAfter)
}
