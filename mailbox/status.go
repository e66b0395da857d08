package mailbox

import (
	"context"
	"errors"
	"sync"
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

// storing says whether there is room for another body.
func (s *Service) storing(now time.Time) error {
	if err := s.admitting(); err != nil {
		return err
	}
	if s.cfg.Log.State().Health == eventlog.DiskLow {
		return refuse(wire.StatusStorageFull, retryStorage)
	}
	if s.cfg.Limits.StorageMax > 0 && s.storage.bytes(s.cfg.Log, now) >= s.cfg.Limits.StorageMax {
		return refuse(wire.StatusStorageFull, retryStorage)
	}
	return nil
}

// storageGauge remembers how much the log holds.
type storageGauge struct {
	mu    sync.Mutex // guards at, held
	at    time.Time
	known uint64
}

func (g *storageGauge) bytes(log eventlog.Log, now time.Time) uint64 {
	g.mu.Lock()
	age := now.Sub(g.at)
	known := g.known
	g.mu.Unlock()
	if age >= 0 && age < stateEvery {
		return known
	}
	stat, err := log.Stat()
	if err != nil {
		return known
	}
	held := stat.BodyBytes
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at, g.known = now, held
	return held
}
