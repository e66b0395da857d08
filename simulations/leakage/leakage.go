package leakage

import (
	"communicator/simulations/measure"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// adversary is a party that watches a run and says at the end what it learned. To add one,
// write a type with these methods in a file of its own, list its constructor in
// [adversaries] and its measures in [Names], and describe it in docs/adversaries.md.
type adversary interface {
	// event is told what happens to messages that people write.
	event(*trace.Event, way)
	lookup(*trace.Lookup)
	// frame is told what passes on the wire, if frames says that this is wanted.
	frame(*trace.Frame)
	frames() bool
	finish(*findings)
}

// adversaries make those that a scenario asks for; nil where it does not.
var adversaries = []func(*script.Script, *targets) adversary{newCollusion, newWatcher, newSybils}

// deaf is an adversary that hears nothing, for others to build on.
type deaf struct{}

func (deaf) event(*trace.Event, way) {}
func (deaf) lookup(*trace.Lookup)    {}
func (deaf) frame(*trace.Frame)      {}
func (deaf) frames() bool            { return false }

// findings are what adversaries learned.
type findings struct {
	figures []measure.Figure
	scalars map[string]float64
}

// Observer is a trace.Recorder in which a scenario's adversaries sit. Where there are none
// it does nothing.
type Observer struct {
	script      *script.Script
	adversaries []adversary
	targets     *targets
	ways        ways
	wantsFrames bool
}

// New makes the adversaries of a script's scenario.
func New(s *script.Script) *Observer {
	o := &Observer{script: s, targets: newTargets(s)}
	for _, make := range adversaries {
		if a := make(s, o.targets); a != nil {
			o.adversaries = append(o.adversaries, a)
			o.wantsFrames = o.wantsFrames || a.frames()
		}
	}
	return o
}

// Event tells adversaries what happens to messages.
func (o *Observer) Event(e trace.Event) {
	if len(o.adversaries) == 0 {
		return
	}
	switch e.Kind {
	case trace.Sent:
		if rel, ok := relationOf(o.script, e.User, e.Peer); ok {
			o.ways.set(e.Message, rel, o.script.Relations[rel].A == e.User)
		}
	case trace.Accepted, trace.Stored, trace.Received:
	default:
		return
	}
	w, ok := o.ways.of(e.Message, o.script)
	if !ok {
		return
	}
	for _, a := range o.adversaries {
		a.event(&e, w)
	}
}

// Lookup tells adversaries of a lookup.
func (o *Observer) Lookup(l trace.Lookup) {
	for _, a := range o.adversaries {
		a.lookup(&l)
	}
}

// Load is nobody's business.
func (o *Observer) Load(trace.Load) {}

// Bytes are nobody's business.
func (o *Observer) Bytes(string, int64) {}

// Frames says whether anybody watches the wire.
func (o *Observer) Frames() bool { return o.wantsFrames }

// Frame tells adversaries what passes on the wire.
func (o *Observer) Frame(f trace.Frame) {
	for _, a := range o.adversaries {
		if a.frames() {
			a.frame(&f)
		}
	}
}

// Finish is what the adversaries learned, also from a run that was stopped before its time.
// A measure that has nothing to be measured on is absent.
func (o *Observer) Finish() ([]measure.Figure, map[string]float64) {
	f := &findings{scalars: map[string]float64{}}
	for _, a := range o.adversaries {
		a.finish(f)
	}
	return f.figures, f.scalars
}
