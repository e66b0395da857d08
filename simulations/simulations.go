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
	"testing"
	"testing/synctest"

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
	s, err := script.Build(sc)
	if err != nil {
		return nil, err
	}
	text, err := sc.YAML()
	if err != nil {
		return nil, err
	}
	out := &report.Run{Name: sc.Name, About: sc.About, Scenario: string(text), Command: o.Command,
		Version: o.Version, Tier: sc.Runs(), Seed: sc.Seed, Names: leakage.Names}
	measures, leaks := measure.New(s), leakage.New(s)
	play := model.Run
	if out.Tier == scenario.Real {
		play = real.Run
	}
	began := wall.Now()
	out.Outcome, err = play(ctx, s, both{measures, leaks}, o.Limits)
	if err != nil {
		return nil, err
	}
	out.Wall = wall.Now() - began
	out.Results = measures.Finish(out.Outcome)
	out.TraceHash = measures.Hash()
	figures, scalars := leaks.Finish()
	out.Results.Figures = append(out.Results.Figures, figures...)
	maps.Copy(out.Results.Scalars, scalars)
	maps.Copy(out.Results.Scalars, out.Outcome.Extra)
	out.Assertions = report.Check(sc.Assert, out.Results.Scalars)
	return out, nil
}

// Main plays a scenario in a process of its own, which it ends with the status that done
// returns: virtual time exists only within a test, so for tier real this runs one.
func Main(ctx context.Context, sc *scenario.Scenario, o Options, done func(*report.Run, error) (status int)) {
	if sc.Runs() != scenario.Real {
		os.Exit(done(Run(ctx, sc, o)))
	}
	stdout := os.Stdout
	os.Args, os.Stdout = os.Args[:1], os.Stderr // where the test reads flags, and prints
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "simulate",
		F: func(t *testing.T) {
			synctest.Test(t, func(*testing.T) {
				r, err := Run(ctx, sc, o)
				os.Stdout = stdout
				os.Exit(done(r, err))
			})
		},
	}}, nil, nil)
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
