package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
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

func simulateCompareCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "compare A B", Args: usageArgs(cobra.ExactArgs(2)),
		Short:   "Two runs side by side: what differs in what was asked, and in what came out",
		Example: "  communicator simulate compare results/churn-1 results/churn-2 --out churn.html"}
	out := cmd.Flags().String("out", "", "also write a page with both runs' charts to `FILE`")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var runs [2]report.Run
		for i, dir := range args {
			var err error
			if runs[i], err = readRun(dir); err != nil {
				return err
			}
		}
		c := report.Compare(runs[0], runs[1])
		if *out != "" {
			for i, r := range []*report.Run{&c.A, &c.B} {
				if err := report.ReadFigures(args[i], r); err != nil {
					return err
				}
			}
			if err := c.Write(*out); err != nil {
				return err
			}
		}
		if !*asJSON {
			return c.WriteText(cmd.OutOrStdout())
		}
		measures := map[string][2]*float64{}
		for _, m := range c.Measures {
			measures[m.Name] = [2]*float64{finite(m.A), finite(m.B)}
		}
		return printJSON(cmd.OutOrStdout(), map[string]any{"a": args[0], "b": args[1], "settings": c.Settings, "measures": measures})
	}
	return cmd
}

func simulateReportCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "report DIR", Args: usageArgs(cobra.ExactArgs(1)),
		Short:   "What the finished runs below a folder show together, as a page with charts",
		Example: "  communicator simulate report results --against adversary.colluding --measure latency_p50_ms"}
	var by report.Plan
	cmd.Flags().StringVar(&by.Against, "against", "", "the `KEY` of the scenario along which measures are drawn (default the plan's)")
	cmd.Flags().StringArrayVar(&by.Measures, "measure", nil, "a `MEASURE` to draw; may be repeated (default the plan's)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		runs, unfinished, err := readRuns(args[0])
		if err != nil {
			return err
		}
		s := report.Sweep(runs, by)
		if err := s.Write(args[0]); err != nil {
			return err
		}
		if err := s.WriteText(cmd.OutOrStdout()); err != nil {
			return err
		}
		if unfinished > 0 {
			fmt.Fprintf(os.Stderr, "%d folders of %s hold no finished run\n", unfinished, args[0])
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "report: %s\n", filepath.Join(args[0], "sweep.html"))
		return err
	}
	return cmd
}

// readRuns reads every finished run in a folder's folders, and counts the others.
func readRuns(dir string) (runs []report.Run, unfinished int, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, &exitError{exitNotFound, err}
	} else if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		one := filepath.Join(dir, e.Name())
		switch {
		case !e.IsDir():
		case !report.Done(one):
			unfinished++
		default:
			r, err := report.Read(one)
			if err != nil {
				return nil, 0, err
			}
			runs = append(runs, r)
		}
	}
	if len(runs) == 0 {
		return nil, 0, &exitError{exitNotFound, fmt.Errorf("%s holds no finished run", dir)}
	}
	return runs, unfinished, nil
}

// readRun reads a finished run.
func readRun(dir string) (report.Run, error) {
	r, err := report.Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = &exitError{exitNotFound, fmt.Errorf("%s holds no finished run: %w", dir, err)}
	}
	return r, err
}

// finite is a number that JSON knows, or nil.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
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
	f.of = report.Plan{Keys: r.Varied, Against: r.Against, Measures: r.Measures}
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
