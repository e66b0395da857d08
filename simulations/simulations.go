// Package simulations answers what a network of agents does under churn, partitions,
// hostile nodes and observers, with the product's own code: whole nodes and clients in
// virtual time (tier real), or their decisions alone in a loop of events (tier model).
//
//	scenario ──▶ script ──▶ real  ─┐
//	  + seed       (data)   model ─┴─▶ trace ──▶ measure, leakage ──▶ report
//
// A scenario and a seed become a script, which is data: who takes part, who writes to
// whom and when, what fails. Either tier plays it and tells what happens in the words of
// package trace; what listens does not know which tier it hears.
package simulations

import (
	"context"
	"maps"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"communicator/simulations/leakage"
	"communicator/simulations/measure"
	"communicator/simulations/model"
	"communicator/simulations/real"
	"communicator/simulations/report"
	"communicator/simulations/scenario"
	"communicator/simulations/script"
	"communicator/simulations/trace"
	"communicator/simulations/wall"
)

// Options are the choices of a run.
type Options struct {
	Version string // of the program
	Command string // that makes the run again
	Limits  trace.Limits
}

// Run plays a scenario. For tier real it must be called in a bubble of virtual time;
// [Main] sees to that. A run that was stopped early is a result, not an error.
//
// Errors: those of a scenario's matrix of latencies, and what keeps a tier from starting.
func Run(ctx context.Context, sc *scenario.Scenario, o Options) (*report.Run, error) {
	p, err := prepare(sc, o)
	if err != nil {
		return nil, err
	}
	return p.play(ctx)
}

// Main plays a scenario in a process of its own, which it ends with the status that done
// returns: virtual time exists only within a test, so for tier real this runs one.
func Main(ctx context.Context, sc *scenario.Scenario, o Options, done func(*report.Run, error) (status int)) {
	p, err := prepare(sc, o)
	switch {
	case err != nil:
		os.Exit(done(nil, err))
	case sc.Runs() != scenario.Real:
		os.Exit(done(p.play(ctx)))
	}
	stdout := os.Stdout
	os.Args, os.Stdout = os.Args[:1], os.Stderr // where the test reads flags, and prints
	var once sync.Once
	end := func(r *report.Run, err error) {
		once.Do(func() {
			os.Stdout = stdout
			os.Exit(done(r, err))
		})
		select {} // the process ends
	}
	ctx, _ = real.Watch(ctx, o.Limits, func(out trace.Outcome) { end(p.finish(out), nil) })
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "simulate",
		F:    func(t *testing.T) { synctest.Test(t, func(*testing.T) { end(p.play(ctx)) }) },
	}}, nil, nil)
}

// performance is a run and who listens to it.
type performance struct {
	script   *script.Script
	options  Options
	began    time.Duration // of real time
	run      report.Run
	measures *measure.Collector
	leaks    *leakage.Observer
}

func prepare(sc *scenario.Scenario, o Options) (*performance, error) {
	s, err := script.Build(sc)
	if err != nil {
		return nil, err
	}
	text, err := sc.YAML()
	if err != nil {
		return nil, err
	}
	return &performance{script: s, options: o, began: wall.Now(), measures: measure.New(s), leaks: leakage.New(s),
		run: report.Run{Name: sc.Name, About: sc.About, Scenario: string(text), Command: o.Command,
			Version: o.Version, Tier: sc.Runs(), Seed: sc.Seed, Names: names()}}, nil
}

func (p *performance) play(ctx context.Context) (*report.Run, error) {
	tier := model.Run
	if p.run.Tier == scenario.Real {
		tier = real.Run
	}
	outcome, err := tier(ctx, p.script, both{p.measures, p.leaks}, p.options.Limits)
	if err != nil {
		return nil, err
	}
	return p.finish(outcome), nil
}

// finish says what was heard until the outcome.
func (p *performance) finish(o trace.Outcome) *report.Run {
	p.run.Outcome, p.run.Wall = o, wall.Now()-p.began
	p.run.Results = p.measures.Finish(o)
	p.run.TraceHash = p.measures.Hash()
	figures, scalars := p.leaks.Finish()
	p.run.Results.Figures = append(p.run.Results.Figures, figures...)
	maps.Copy(p.run.Results.Scalars, scalars)
	maps.Copy(p.run.Results.Scalars, o.Extra)
	p.run.Assertions = report.Check(p.script.Scenario.Assert, p.run.Results.Scalars)
	return &p.run
}

// both tells two recorders.
type both struct {
	measures *measure.Collector
	leaks    *leakage.Observer
}

func (b both) Event(e trace.Event)            { b.measures.Event(e); b.leaks.Event(e) }
func (b both) Lookup(l trace.Lookup)          { b.measures.Lookup(l); b.leaks.Lookup(l) }
func (b both) Load(l trace.Load)              { b.measures.Load(l) }
func (b both) Frame(f trace.Frame)            { b.leaks.Frame(f) }
func (b both) Frames() bool                   { return b.leaks.Frames() }
func (b both) Bytes(protocol string, n int64) { b.measures.Bytes(protocol, n) }
