package relay

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"communicator/eventlog"
	"communicator/wire"
)

// Op is what was asked for or attempted.
type Op string

// Ops, as metrics label them.
const (
	OpHello      Op = "hello"
	OpSubmit     Op = "submit"
	OpFetch      Op = "fetch"
	OpAck        Op = "ack"
	OpDescriptor Op = "descriptor"
	OpUnknown    Op = "unknown" // not parsed, or over the rate
	OpForward    Op = "forward" // one attempt to deliver
	OpAbandon    Op = "abandon" // a submission ran out of time
	OpExpire     Op = "expire"  // an outcome that nobody fetched was dropped
)

// Result is how one request or attempt went: logged once, counted once. It names
// nobody.
type Result struct {
	Op        Op
	Status    wire.Status
	Duplicate bool // submit: it was known
	Attempt   int  // forward: 1 for the first since the start
	WrongPeer bool // forward: another agent answered at the URI
	Took      time.Duration
}

func (s *Service) observe(r Result, err error) {
	s.cfg.Observe(r)
	level := slog.LevelDebug
	if r.Status == wire.StatusInternal {
		level = slog.LevelWarn
	}
	if !s.cfg.Logger.Enabled(s.ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("op", string(r.Op)), slog.String("status", r.Status.String()), slog.Duration("took", r.Took),
	}
	if r.Attempt > 0 {
		attrs = append(attrs, slog.Int("attempt", r.Attempt))
	}
	if r.Status == wire.StatusInternal && err != nil {
		attrs = append(attrs, slog.String("error", err.Error())) // of our own log: names nobody
	}
	s.cfg.Logger.LogAttrs(s.ctx, level, "relay", attrs...)
}

// refuse makes the error that answers a request.
func refuse(status wire.Status, retryAfter time.Duration) error {
	return &wire.StatusError{Status: status, RetryAfter: retryAfter}
}

// statusOf maps any error to what is said to a client.
func statusOf(err error) (wire.Status, time.Duration) {
	var refused *wire.StatusError
	switch {
	case err == nil:
		return wire.StatusOK, 0
	case errors.As(err, &refused):
		return refused.Status, refused.RetryAfter
	case errors.Is(err, eventlog.ErrConflict):
		return wire.StatusConflict, 0
	case errors.Is(err, eventlog.ErrStorageFull):
		return wire.StatusStorageFull, retryStorage
	case errors.Is(err, eventlog.ErrReadOnly):
		return wire.StatusReadOnly, retryReadOnly
	case errors.Is(err, eventlog.ErrTooLarge):
		return wire.StatusTooLarge, 0
	case errors.Is(err, context.Canceled), errors.Is(err, ErrClosed), errors.Is(err, eventlog.ErrClosed):
		return wire.StatusTryAgain, retryInternal
	}
	return wire.StatusInternal, retryInternal
}
