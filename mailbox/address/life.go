package address

import (
	"fmt"
	"time"

	"communicator/wire"
)

// LastExpiry is the latest expiry that an address of this epoch may have: 90 days
// after the week's end, or for a lifeline two years after its year's end. Past that
// the agent deletes the epoch's secret and no such address can be verified.
func LastExpiry(e wire.Epoch, caps wire.Caps) time.Time {
	if caps&wire.CapLifeline == 0 {
		return e.End().Add(wire.EpochGrace)
	}
	yearEnd := time.Unix((int64(e)+1)*int64(wire.LifelineYear/time.Second), 0).UTC()
	return yearEnd.Add(wire.LifelineLife)
}

// CheckLife holds an address against its epoch, and a put against its address:
// notAfter ≤ exp ≤ [LastExpiry]. It returns [ErrLife] otherwise.
func CheckLife(e wire.Epoch, caps wire.Caps, exp, notAfter time.Time) error {
	if last := LastExpiry(e, caps); exp.After(last) {
		return fmt.Errorf("%w: the address outlives its epoch", ErrLife)
	}
	return checkNotAfter(notAfter, exp)
}

// CheckNotAfter is the check that a put meets before any public-key operation:
// notAfter is a whole hour, ahead of now ([ErrExpired] otherwise) and at most
// wire.MaxPutLife and [ClockSkew] ahead ([ErrLife] otherwise).
func CheckNotAfter(notAfter, now time.Time) error {
	if err := checkNotAfter(notAfter, now.Add(wire.MaxPutLife+ClockSkew)); err != nil {
		return err
	}
	if !notAfter.After(now) {
		return ErrExpired
	}
	return nil
}

// NotAfter is the notAfter of a put made now that is to live for life: rounded down to
// the hour, so at most wire.MaxPutLife.
func NotAfter(now time.Time, life time.Duration) time.Time {
	at := now.Add(min(life, wire.MaxPutLife)).Unix()
	return time.Unix(at-at%grainSeconds, 0).UTC()
}

const grainSeconds = int64(NotAfterGrain / time.Second)

func checkNotAfter(notAfter, last time.Time) error {
	unix := notAfter.Unix()
	if unix < 0 || unix%grainSeconds != 0 || notAfter.Nanosecond() != 0 {
		return fmt.Errorf("%w: not a whole hour", ErrLife)
	}
	if notAfter.After(last) {
		return fmt.Errorf("%w: ends too late", ErrLife)
	}
	return nil
}
