package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"communicator/simulations/plan"
	"communicator/simulations/report"
	"communicator/simulations/scenario"
)

func simulatePlanCommand() *cobra.Command {
	return &cobra.Command{Use: "plan SWEEP", Args: usageArgs(cobra.ExactArgs(1)),
		Short:   "Every run of a sweep, a line of JSON each, for a shell loop or a cluster",
		Example: "  communicator simulate plan sweep.yaml > runs.jsonl",
		RunE: func(cmd *cobra.Command, args []string) error {
			sweep, err := plan.ReadSweep(args[0])
			if errors.Is(err, fs.ErrNotExist) {
				return &exitError{exitNotFound, err}
			} else if err != nil {
				return usage(err)
			}
			runs, err := sweep.Runs(filepath.Dir(args[0]))
			if err != nil {
				return usage(err)
			}
			return plan.Write(cmd.OutOrStdout(), runs)
		}}
}

// simulatePlanned runs one line of a plan, unless its output is there.
func simulatePlanned(cmd *cobra.Command, args []string, f *simulateFlags) error {
	switch {
	case len(args) > 0:
		return usagef("a plan names its scenarios: %q is too much", args[0])
	case f.index < 0:
		return usagef("--plan needs --index, from 0")
	case len(f.settings(cmd)) > 0:
		return usagef("a plan has its settings: --seed, --nodes, --tier and --set do not go with it")
	case f.out == "":
		return usagef("--plan needs --out")
	}
	file, err := os.Open(f.plan)
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := plan.At(file, f.index)
	if errors.Is(err, plan.ErrNoRun) {
		return &exitError{exitNotFound, err}
	} else if err != nil {
		return usage(err)
	}
	sc, err := r.Read()
	if err != nil {
		return usage(err)
	}
	if f.out = filepath.Join(f.out, r.Name); report.Done(f.out) {
		same, err := sameScenario(f.out, sc)
		if err != nil {
			return err
		}
		if !same {
			return fmt.Errorf("%s holds another run than the plan's: use another --out", f.out)
		}
		fmt.Fprintf(os.Stderr, "%s is there already\n", f.out)
		return nil
	}
	settings := append(r.Set[:len(r.Set):len(r.Set)], fmt.Sprintf("seed=%d", r.Seed))
	return simulate(cmd, sc, f, reproduce(r.Scenario, settings))
}

// sameScenario says whether a finished output is that of the scenario.
func sameScenario(dir string, sc *scenario.Scenario) (bool, error) {
	done, err := report.Read(dir)
	if err != nil {
		return false, err
	}
	text, err := sc.YAML()
	return done.Scenario == string(text), err
}
