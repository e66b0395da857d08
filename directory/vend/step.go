package vend

import (
	"time"

	"communicator/wire"
)

// Input is something to decide: [Ask], [Add], [SetRule], [SetSpace], [Decide], [BeginEra],
// [Issue], [Revoke], [Spend] or [Sweep].
type Input interface{ step(*step) error }

// Effects are what a step decided. The facts are to be made durable, all or none, and
// nothing is to be told before they are.
type Effects struct {
	// Status is [wire.StatusOK], or why not; an [Ask] knows only one other,
	// [wire.StatusPermission].
	Status wire.Status
	Facts  []Fact
	// Position is where the package lies that an [Ask] was granted, 0 if it was not.
	Position uint64
	// More says that a [Sweep] has more to do.
	More bool
}

// Granted says whether an [Ask] got a package.
func (e Effects) Granted() bool { return e.Position != 0 }

// Step decides an input by the rows. An error is one of the rows, not a refusal.
func Step(now time.Time, rows Reader, l Limits, in Input) (Effects, error) {
	s := &step{now: now, hour: HourAt(now), rows: rows, limits: l, out: Effects{Status: wire.StatusOK}}
	if err := in.step(s); err != nil {
		return Effects{}, err
	}
	return s.out, nil
}

type step struct {
	now    time.Time
	hour   Hour
	rows   Reader
	limits Limits
	out    Effects
}

func (s *step) fact(f Fact) { s.out.Facts = append(s.out.Facts, f) }

func (s *step) refuse(status wire.Status) error {
	s.out = Effects{Status: status}
	return nil
}
