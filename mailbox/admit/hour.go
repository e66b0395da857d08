package admit

import (
	"time"

	"communicator/wire"
)

// Hour counts the hours since 1970-01-01T00:00Z. Rows and facts keep no finer time.
type Hour uint32

const hoursPerWeek = uint32(wire.EpochLength / time.Hour)

// HourAt returns the hour that holds t. Times outside the range of the type map to
// its ends.
func HourAt(t time.Time) Hour {
	h := t.Unix() / int64(time.Hour/time.Second)
	return Hour(min(max(h, 0), int64(^uint32(0))))
}

// HourAfter returns the first whole hour at or after t.
func HourAfter(t time.Time) Hour {
	h := HourAt(t)
	if h.Time().Before(t) {
		h++
	}
	return h
}

// Time is the hour's first instant.
func (h Hour) Time() time.Time { return time.Unix(int64(h)*3600, 0).UTC() }

// Week is the epoch that holds the hour: replay digests are keyed and forgotten by
// the week of the put's last hour.
func (h Hour) Week() wire.Epoch { return wire.Epoch(uint32(h) / hoursPerWeek) }
