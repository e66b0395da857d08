package directory

import (
	"context"
	"errors"
	"time"

	"communicator/directory/proof"
	"communicator/eventlog"
	"communicator/wire"
)

func refuse(status wire.Status, retry time.Duration) error {
	return &wire.StatusError{Status: status, RetryAfter: retry}
}

// statusOf says what a failure means to who asked.
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
	case errors.Is(err, ErrClosed), errors.Is(err, eventlog.ErrClosed),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return wire.StatusTryAgain, retryOverload
	}
	return wire.StatusInternal, retryOverload
}

// judged turns what proof says of somebody's statement, manifest or cosignature into a
// refusal.
func judged(err error) error {
	for _, known := range []struct {
		status wire.Status
		errs   []error
	}{
		{wire.StatusAuth, []error{
			proof.ErrSignature, proof.ErrSigner, proof.ErrThreshold, proof.ErrExpiredKey, proof.ErrRevoked,
			proof.ErrReplaced, proof.ErrUnverifiable,
		}},
		{wire.StatusConflict, []error{
			proof.ErrConflict, proof.ErrStale, proof.ErrGap, proof.ErrBound, proof.ErrUnbound, proof.ErrManifest,
			proof.ErrSettled, proof.ErrNoDispute, proof.ErrEarly,
		}},
		{wire.StatusExpired, []error{proof.ErrTime}},
		{wire.StatusTooLarge, []error{wire.ErrTooLarge}},
		{wire.StatusTryAgain, []error{proof.ErrBusy, proof.ErrHold}},
		{wire.StatusMalformed, []error{
			wire.ErrMalformed, wire.ErrVersion, proof.ErrName, proof.ErrNamespace, proof.ErrKind, proof.ErrIdentity,
			proof.ErrCheckpoint,
		}},
	} {
		for _, e := range known.errs {
			if !errors.Is(err, e) {
				continue
			}
			retry := time.Duration(0)
			if known.status == wire.StatusTryAgain {
				retry = retryQuota
			}
			return refuse(known.status, retry)
		}
	}
	return err
}

// seconds is a retry-after as the protocols carry it, rounded up.
func seconds(d time.Duration) uint32 {
	return uint32((max(d, 0) + time.Second - 1) / time.Second)
}

// admitting says whether anything new is admitted at all. What it answers depends on the
// node alone, never on what is asked.
func (d *Directory) admitting() error {
	if !d.cfg.ClockTrusted() {
		return refuse(wire.StatusTryAgain, retryClock)
	}
	switch d.cfg.Log.State().Health {
	case eventlog.ReadOnly:
		return refuse(wire.StatusReadOnly, retryDamage)
	case eventlog.Failed:
		return refuse(wire.StatusInternal, retryOverload)
	}
	return nil
}
