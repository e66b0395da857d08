package transport

import (
	"context"
	"errors"
	"net"
	"time"

	"communicator/wire"

	"github.com/libp2p/go-libp2p/core/sec"
)

// Errors beside *wire.StatusError.
var (
	// ErrClosed: the pool was closed.
	ErrClosed = errors.New("transport: closed")
	// ErrProtocol: an agent answered what the protocol does not allow.
	ErrProtocol = errors.New("transport: agent broke the protocol")
	// ErrWork: an agent asks for more proof of work than a client does.
	ErrWork = errors.New("transport: agent asks for too much proof of work")
	// ErrProxy: the proxy's address is not HOST:PORT.
	ErrProxy = errors.New("transport: proxy must be HOST:PORT or socks5://HOST:PORT")
	// ErrProxyAddress: an address that cannot be reached through a proxy without
	// resolving it locally, such as /dnsaddr or a UDP transport.
	ErrProxyAddress = errors.New("transport: address cannot be used through a proxy")
)

// UnreachableError says that a request got no answer: the agent could not be dialled,
// was not who its URI says, or the stream broke. Its text holds no address; the cause
// does and must not be logged.
type UnreachableError struct {
	Reason string
	Cause  error
}

func (e *UnreachableError) Error() string { return "agent unreachable: " + e.Reason }
func (e *UnreachableError) Unwrap() error { return e.Cause }

func unreachable(ctx context.Context, step string, err error) error {
	var status *wire.StatusError
	var already *UnreachableError
	switch {
	case errors.As(err, &status), errors.As(err, &already), errors.Is(err, ErrProtocol), errors.Is(err, ErrWork):
		return err
	case context.Cause(ctx) != nil && errors.Is(context.Cause(ctx), context.Canceled):
		return context.Cause(ctx)
	}
	return &UnreachableError{Reason: step + ": " + reason(err), Cause: err}
}

// reason classes an error without repeating its text.
func reason(err error) string {
	var timeout net.Error
	var mismatch sec.ErrPeerIDMismatch
	switch {
	case errors.As(err, &mismatch):
		return "not the agent that its URI names"
	case errors.Is(err, ErrProxyAddress):
		return "address unusable through the proxy"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "connection failed"
}

// statusError makes the error of an answer in the clear, nil for OK.
func statusError(status uint32, retryAfterSeconds uint32) error {
	if wire.Status(status) == wire.StatusOK {
		return nil
	}
	return &wire.StatusError{Status: wire.Status(status), RetryAfter: time.Duration(retryAfterSeconds) * time.Second}
}
