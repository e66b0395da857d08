package keyring

import (
	"time"

	"communicator/wire"
)

const (
	// replayAhead covers the furthest notAfter of a put made now, with a sender's clock
	// ahead, and a rotation that comes a week late.
	replayAhead = wire.Epoch(wire.MaxPutLife/wire.EpochLength) + 2

	// replayGrace keeps a replay key a little longer than any put it could meet, for
	// a clock that is set back.
	replayGrace = 24 * time.Hour
)
