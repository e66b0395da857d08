package leakage

import (
	"time"

	"communicator/simulations/measure"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// sybils are agents whose keys were made so that they lie around a name in the DHT. They
// see who asks for it and may answer with nothing, or with something old.
type sybils struct {
	deaf
	slice               time.Duration
	asked, seen, untrue []float64 // lookups of the name, by slice of time
}

// sybilSlices is into how many pieces of time the chart cuts a run.
const sybilSlices = 60

func newSybils(s *script.Script, _ *targets) adversary {
	if s.Scenario.Adversary.Sybil.Target == "none" {
		return nil
	}
	n := sybilSlices + 1
	return &sybils{slice: max(s.End()/sybilSlices, 1), asked: make([]float64, n), seen: make([]float64, n), untrue: make([]float64, n)}
}

func (y *sybils) lookup(l *trace.Lookup) {
	if !l.Target {
		return
	}
	i := min(int(l.At/y.slice), sybilSlices)
	y.asked[i]++
	if l.Seen {
		y.seen[i]++
	}
	if !l.True {
		y.untrue[i]++
	}
}

func (y *sybils) finish(f *findings) {
	var asked, seen, untrue float64
	lines := []measure.Line{{Name: "seen by a Sybil"}, {Name: "without the true record"}}
	for i, n := range y.asked {
		asked, seen, untrue = asked+n, seen+y.seen[i], untrue+y.untrue[i]
		if n > 0 {
			x := (time.Duration(i)*y.slice + y.slice/2).Minutes()
			lines[0].X, lines[0].Y = append(lines[0].X, x), append(lines[0].Y, y.seen[i]/n)
			lines[1].X, lines[1].Y = append(lines[1].X, x), append(lines[1].Y, y.untrue[i]/n)
		}
	}
	if asked == 0 {
		return
	}
	f.scalars["leak_sybil_lookups"] = asked
	f.scalars["leak_sybil_seen"] = seen / asked
	f.scalars["leak_sybil_untrue"] = untrue / asked
	f.figures = append(f.figures, measure.Figure{ID: "leak-sybil", Title: "Lookups of the name that Sybils gather around", Kind: measure.Lines,
		X: "time (min)", Y: "share of lookups", Lines: lines,
		Caption: "Do agents with keys made for the place learn who asks for a name, and can they keep it from being found? The first curve is what they see, the second what they prevent."})
}
