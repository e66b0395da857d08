package measure

import (
	"fmt"
	"strings"
	"time"

	"communicator/simulations/scenario"
)

// axis is how times are written on charts of a run: in a unit that suits its length.
type axis struct {
	label string
	unit  time.Duration
}

func newAxis(end time.Duration) axis {
	switch {
	case end <= 10*time.Minute:
		return axis{"time (s)", time.Second}
	case end <= 10*time.Hour:
		return axis{"time (min)", time.Minute}
	case end <= 10*24*time.Hour:
		return axis{"time (h)", time.Hour}
	default:
		return axis{"time (days)", 24 * time.Hour}
	}
}

// of is a time on the axis.
func (a axis) of(d time.Duration) float64 { return float64(d) / float64(a.unit) }

// marks are the scenario's events until a time, begun and ended.
func marks(s *scenario.Scenario, a axis, end time.Duration) (out []Mark) {
	add := func(at time.Duration, text string) {
		if at <= end {
			out = append(out, Mark{X: a.of(at), Text: text})
		}
	}
	for i := range s.Events {
		e := &s.Events[i]
		what := describe(e)
		if e.For == 0 {
			add(e.At.D(), what)
			continue
		}
		add(e.At.D(), what+" begins")
		add(e.At.D()+e.For.D(), what+" ends")
	}
	add(s.Duration.D(), "nothing more is sent")
	return out
}

// describe is an event in a few words.
func describe(e *scenario.Event) string {
	share := func(what string, x float64, of string) string {
		return fmt.Sprintf("%s (%g %% of %s)", what, 100*x, of)
	}
	switch {
	case len(e.Partition) > 0:
		return "partition of " + strings.Join(e.Partition, ", ")
	case e.CutOff > 0:
		return share("cut off", e.CutOff, "agents")
	case e.Kill > 0:
		return share("kill", e.Kill, "agents")
	case e.Freeze > 0:
		return share("freeze", e.Freeze, "agents")
	case e.Drain > 0:
		return share("drain", e.Drain, "agents")
	case e.Leave > 0:
		return fmt.Sprintf("%d operators leave", e.Leave)
	case e.Loss > 0:
		return fmt.Sprintf("loss of %g %%", 100*e.Loss)
	case e.Slow > 0:
		return fmt.Sprintf("latency × %g", e.Slow)
	case e.Offline > 0:
		return share("offline", e.Offline, "users")
	case e.Full > 0:
		return share("disks full", e.Full, "agents")
	default:
		return fmt.Sprintf("crowd × %g", e.Crowd.Factor)
	}
}
