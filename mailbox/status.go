package mailbox

import (
	"context"
	"errors"
	"time"

	"communicator/eventlog"
	"communicator/mailbox/admit"
	"communicator/wire"
)

// statusOf says what a failure of the log means to who asked.
func statusOf(err error) (wire.Status, time.Duration) {
	var refused *wire.StatusError
	switch {
	case err == nil:
		return wire.StatusOK, 0
	case errors.As(err, &refused):
		return refused.Status, refused.RetryAfter
	case errors.Is(err, eventlog.ErrStorageFull):
		return wire.StatusStorageFull, retryStorage
	case errors.Is(err, eventlog.ErrReadOnly):
		return wire.StatusReadOnly, retryDamage
	case errors.Is(err, eventlog.ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return wire.StatusTryAgain, retryOverload
	}
	return wire.StatusInternal, retryOverload
}

func refuse(status wire.Status, retry time.Duration) error {
	return &wire.StatusError{Status: status, RetryAfter: retry}
}

// seconds is a retry-after as the protocols carry it, rounded up.
func seconds(d time.Duration) uint32 {
	return uint32((max(d, 0) + time.Second - 1) / time.Second)
}

// Growing says which kinds of events are refused while the disk is low; it is meant
// for [eventlog.Options]. All else still works, so that collecting frees space.
func Growing(kind eventlog.Kind) bool {
	return uint16(kind) == admit.KindDelivered || uint16(kind) == admit.KindBlobPut
}

// Knows says whether a kind of event is one of a receiving agent's, in a version that it
// can read; it is meant for [eventlog.Options].
func Knows(kind eventlog.Kind, version uint8) bool { return admit.Knows(uint16(kind), version) }

// admitting says whether anything new is admitted at all. What it answers depends on
// the agent alone, never on what is asked.
func (s *Service) admitting() error {
	if !s.cfg.ClockTrusted() {
		return refuse(wire.StatusTryAgain, retryClock)
	}
	switch s.cfg.Log.State().Health {
	case eventlog.ReadOnly:
		return refuse(wire.StatusReadOnly, retryDamage)
	case eventlog.Failed:
		return refuse(wire.StatusInternal, retryOverload)
	}
	return nil
}

// storing says whether another body is taken at all.
func (s *Service) storing() error {
	if err := s.admitting(); err != nil {
		return err
	}
	if s.cfg.Log.State().Health == eventlog.DiskLow {
		return refuse(wire.StatusStorageFull, retryStorage)
	}
	return nil
}

// reserve takes room for a body of n bytes out of the node's budget. Whoever gets it
// gives it back once the body is stored, or is not.
func (s *Service) reserve(n int) (give func(stored bool), err error) {
	if !s.cfg.Storage.Take(n) {
		return nil, refuse(wire.StatusStorageFull, retryStorage)
	}
	return func(stored bool) { s.cfg.Storage.Give(n, stored) }, nil
}

// endless is a budget without a bound.
type endless struct{}

func (endless) Take(int) bool  { return true }
func (endless) Give(int, bool) {}
