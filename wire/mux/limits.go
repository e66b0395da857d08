package mux

import (
	"time"

	"communicator/wire"
)

// Limits bound one stream. A field left zero takes its default.
type Limits struct {
	// MaxFrame is the largest frame read or written, in bytes (wire.MaxFrame).
	MaxFrame int
	// MaxInFlight is how many requests the asker has open, or the answerer serves,
	// at once. An asker waits for a free place; an answerer stops reading. (128)
	MaxInFlight int
	// MaxServing is how many bytes of requests the answerer holds while it serves
	// them; beyond it, it stops reading. (1 MiB)
	MaxServing int
	// MaxUnread is how many bytes of items wait for one slow consumer. (1 MiB)
	MaxUnread int
	// MaxUnsent is how many bytes wait to be written before whoever adds more has
	// to wait. (256 KiB)
	MaxUnsent int

	// FirstFrameTimeout is how long the answerer waits for the first frame's first
	// byte. (5 s)
	FirstFrameTimeout time.Duration
	// FrameTimeout is how long a frame may take once begun. (30 s)
	FrameTimeout time.Duration
	// WriteTimeout is how long one write may take: how long a peer may go without
	// reading. (30 s)
	WriteTimeout time.Duration
}

// Defaults, and sizes that are nobody's to choose.
const (
	defaultInFlight   = 128
	defaultServing    = 1 << 20
	defaultUnread     = 1 << 20
	defaultUnsent     = 256 << 10
	defaultFirstFrame = 5 * time.Second
	defaultFrame      = 30 * time.Second
	defaultWrite      = 30 * time.Second

	// waitBuffer is what an idle stream reads into: most frames fit, and there are
	// many idle streams. readBuffer is borrowed for more.
	waitBuffer = 512
	readBuffer = 4 << 10
	// firstBatch is how much a write buffer holds at first.
	firstBatch = 4 << 10
	// deadlineSlack: a write may have one part in so many less than its time.
	deadlineSlack = 8
	// hardUnread times MaxUnread is where a consumer that blocks other requests on
	// its stream is given up.
	hardUnread = 4
)

func (l Limits) withDefaults() Limits {
	setDefault(&l.MaxFrame, wire.MaxFrame)
	setDefault(&l.MaxInFlight, defaultInFlight)
	setDefault(&l.MaxServing, defaultServing)
	setDefault(&l.MaxUnread, defaultUnread)
	setDefault(&l.MaxUnsent, defaultUnsent)
	setDefault(&l.FirstFrameTimeout, defaultFirstFrame)
	setDefault(&l.FrameTimeout, defaultFrame)
	setDefault(&l.WriteTimeout, defaultWrite)
	l.MaxServing = max(l.MaxServing, l.MaxFrame)
	return l
}

// Memory is the most that one answering stream holds in its buffers, in bytes: what a
// stream handler reserves before it serves.
func (l Limits) Memory() int {
	l = l.withDefaults()
	// Unsent bytes exist twice while one batch is written and the next collects;
	// either may pass its limit by one frame.
	return waitBuffer + readBuffer + l.MaxServing + 2*(l.MaxUnsent+l.MaxFrame)
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
