package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"communicator/simulations"
	"communicator/simulations/report"
	"communicator/simulations/scenario"
	"communicator/simulations/scenarios"
	"communicator/simulations/trace"
)

func simulateCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "simulate", GroupID: "check", Args: usageArgs(cobra.NoArgs),
		Short: "Networks of agents in virtual time: churn, partitions, hostile agents, observers",
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(simulateListCommand(), simulateRunCommand(), simulateCompareCommand(),
		simulatePlanCommand(), simulateReportCommand(), simulateSchemaCommand())
	return cmd
}

func simulateListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Args: usageArgs(cobra.NoArgs), Short: "The scenarios that ship, and what each asks"}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		w := cmd.OutOrStdout()
		for _, name := range scenarios.Names() {
			sc, err := scenarios.Read(name)
			if err != nil {
				return err
			}
			if *asJSON {
				err = printJSON(w, map[string]any{"name": name, "tier": sc.Runs(), "about": sc.About,
					"agents": sc.Nodes.Agents, "users": sc.Nodes.Users, "duration_s": sc.Duration.D().Seconds()})
			} else {
				_, err = fmt.Fprintf(w, "%-24s %-6s %s\n", name, sc.Runs(), question(sc.About))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// question is what a scenario asks: its text's first sentence.
func question(about string) string {
	if i := strings.IndexAny(about, "?."); i >= 0 {
		return about[:i+1]
	}
	return about
}

// simulateFlags are what a run is asked for.
type simulateFlags struct {
	seed   uint64
	nodes  int
	tier   string
	set    []string
	out    string
	plan   string
	index  int
	memory string
	limits trace.Limits
	json   *bool
	of     report.Plan // that the run is one of
}

func simulateRunCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "run SCENARIO", Args: usageArgs(cobra.MaximumNArgs(1)),
		Short: "Run a scenario: one that ships, by its name, or a YAML file",
		Example: "  communicator simulate run churn --seed 7 --set churn.scale=2h\n" +
			"  communicator simulate run --plan runs.jsonl --index 3 --out results"}
	var f simulateFlags
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "of everything that is drawn, in place of the scenario's")
	cmd.Flags().IntVar(&f.nodes, "nodes", 0, "how many agents, in place of the scenario's")
	cmd.Flags().StringVar(&f.tier, "tier", "", "real, model or auto, in place of the scenario's")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "`KEY=VALUE` of the scenario, such as churn.scale=2h; may be repeated")
	cmd.Flags().StringVar(&f.out, "out", "", "`DIR` for the report (default results/SCENARIO-SEED; with --plan the run's name below DIR)")
	cmd.Flags().StringVar(&f.plan, "plan", "", "run a line of a plan's `FILE`")
	cmd.Flags().IntVar(&f.index, "index", -1, "which line of the plan, from 0")
	cmd.Flags().StringVar(&f.memory, "max-memory", "", "stop, and keep what there is, when the process has this much, such as 4GiB")
	cmd.Flags().DurationVar(&f.limits.Wall, "max-time", 0, "stop, and keep what there is, after so much real time")
	f.json = jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if f.plan != "" {
			return simulatePlanned(cmd, args, &f)
		}
		if len(args) != 1 {
			return usagef("which scenario? one of %s, or a file", strings.Join(scenarios.Names(), ", "))
		}
		if f.index != -1 {
			return usagef("--index needs --plan")
		}
		settings := f.settings(cmd)
		sc, err := readScenario(args[0], settings)
		if err != nil {
			return err
		}
		if f.out == "" {
			f.out = filepath.Join("results", fmt.Sprintf("%s-%d", sc.Name, sc.Seed))
		}
		return simulate(cmd, sc, &f, reproduce(args[0], settings))
	}
	return cmd
}

// settings are the flags as settings, after which --set may change them again.
func (f *simulateFlags) settings(cmd *cobra.Command) (out []string) {
	if cmd.Flags().Changed("seed") {
		out = append(out, "seed="+strconv.FormatUint(f.seed, 10))
	}
	if cmd.Flags().Changed("nodes") {
		out = append(out, "nodes.agents="+strconv.Itoa(f.nodes))
	}
	if f.tier != "" {
		out = append(out, "tier="+f.tier)
	}
	return append(out, f.set...)
}

// readScenario finds a scenario by its name, or in a file.
func readScenario(name string, settings []string) (*scenario.Scenario, error) {
	sc, err := scenarios.Read(name, settings...)
	if errors.Is(err, fs.ErrNotExist) {
		if sc, err = scenario.Read(name, settings...); errors.Is(err, fs.ErrNotExist) {
			return nil, &exitError{exitNotFound, fmt.Errorf("no scenario %q: it is neither a file nor one of %s",
				name, strings.Join(scenarios.Names(), ", "))}
		}
	}
	if problems := (scenario.Problems)(nil); errors.As(err, &problems) {
		return nil, usage(err)
	}
	return sc, err
}

// reproduce is the command that makes a run again.
func reproduce(name string, settings []string) string {
	words := []string{"communicator", "simulate", "run", shellQuote(name)}
	for _, s := range settings {
		words = append(words, "--set", shellQuote(s))
	}
	return strings.Join(words, " ")
}

// shellQuote writes a word so that a POSIX shell reads it back.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./=:,@%+", r))
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// simulate runs, writes the report and ends the process: virtual time lives in a process
// of its own.
func simulate(cmd *cobra.Command, sc *scenario.Scenario, f *simulateFlags, command string) error {
	if f.memory != "" {
		n, err := parseSize(f.memory)
		if err != nil {
			return usagef("--max-memory: %w", err)
		}
		f.limits.Memory = n
	}
	f.limits.Progress = simulateProgress(progress())
	o := simulations.Options{Version: version().Version, Command: command, Limits: f.limits}
	simulations.Main(cmd.Context(), sc, o, func(r *report.Run, err error) int {
		if err == nil {
			r.Plan = f.of
			err = report.Write(f.out, *r)
		}
		if err == nil {
			err = printRun(cmd.OutOrStdout(), r, f.out, *f.json)
		}
		if err == nil && !r.Held() {
			err = errSilent
		}
		if err != nil && !errors.Is(err, errSilent) && !errors.Is(err, context.Canceled) {
			fmt.Fprintf(os.Stderr, "communicator: %v\n", err)
		}
		return statusOf(err)
	})
	return nil
}

// simulateProgress shows virtual against real time.
func simulateProgress(w io.Writer) func(trace.Progress) {
	if w == io.Discard {
		return nil
	}
	return func(p trace.Progress) {
		fmt.Fprintf(w, "\r\033[K%s: %s of %s virtual time", p.Phase, scenario.Duration(p.Virtual.Round(1e9)), scenario.Duration(p.Of))
		if p.Virtual >= p.Of {
			fmt.Fprintln(w)
		}
	}
}

// shown are the measures that a run prints.
var shown = []string{"sent", "delivered", "delivery_ratio", "lost", "duplicated", "expired", "failed", "pending",
	"latency_p50_ms", "latency_p99_ms", "attempts_per_message", "drained_s", "lookup_success", "lookup_true", "lookup_p50_ms",
	"bytes_per_message", "storage_bytes_agent_p50", "load_share_max", "leak_linked_pairs", "leak_identified", "leak_rank_p50"}

func printRun(w io.Writer, r *report.Run, dir string, asJSON bool) error {
	if asJSON {
		return printJSON(w, runSummary(r, dir))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, tier %s, seed %d: %s of virtual time in %.1f s\n", r.Name, r.Tier, r.Seed,
		scenario.Duration(r.Outcome.Virtual.Round(1e9)), r.Wall.Seconds())
	if r.Outcome.Stopped != "" {
		fmt.Fprintf(&b, "STOPPED: %s; what follows is what there was by then\n", r.Outcome.Stopped)
	}
	for _, name := range shown {
		if v, ok := r.Results.Scalars[name]; ok {
			fmt.Fprintf(&b, "  %-24s %s\n", name, figure(v))
		}
	}
	for _, a := range r.Assertions {
		mark := "✓"
		if !a.Held {
			mark = "✗"
		}
		got := "not measured"
		if a.Measured {
			got = figure(a.Value)
		}
		fmt.Fprintf(&b, "%s %s %s: %s\n", mark, a.Measure, a.Condition, got)
	}
	for _, s := range r.Outcome.Broken {
		fmt.Fprintf(&b, "✗ %s\n", s)
	}
	fmt.Fprintf(&b, "report: %s\ntrace %s\n", filepath.Join(dir, "report.html"), r.TraceHash)
	_, err := io.WriteString(w, b.String())
	return err
}

// figure writes a measure with four digits that matter.
func figure(v float64) string {
	if v == float64(int64(v)) && v < 1e15 {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// runSummary is what --json prints.
func runSummary(r *report.Run, dir string) map[string]any {
	broken := []string{}
	for _, a := range r.Assertions {
		if !a.Held {
			broken = append(broken, a.Measure+" "+a.Condition.String())
		}
	}
	return map[string]any{"scenario": r.Name, "tier": r.Tier, "seed": r.Seed, "trace_hash": r.TraceHash, "command": r.Command,
		"virtual_s": r.Outcome.Virtual.Seconds(), "wall_s": r.Wall.Seconds(), "stopped": r.Outcome.Stopped,
		"broken": append(broken, r.Outcome.Broken...), "held": r.Held(), "measures": r.Results.Scalars, "out": dir}
}

// parseSize reads a number of bytes such as 4GiB.
func parseSize(s string) (int64, error) {
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	factor := int64(1)
	for i, u := range units {
		if n, ok := strings.CutSuffix(s, u); ok {
			s, factor = n, 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n <= 0 || n > 1<<62/factor {
		return 0, fmt.Errorf("expected a number of bytes such as 4GiB")
	}
	return n * factor, nil
}

func simulateSchemaCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "schema", Args: usageArgs(cobra.NoArgs),
		Short: "The JSON Schema of scenarios, for editors"}
	markdown := cmd.Flags().Bool("markdown", false, "every key as a table for reading")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		b := scenario.Reference()
		if !*markdown {
			var err error
			if b, err = scenario.SchemaJSON(); err != nil {
				return err
			}
		}
		_, err := cmd.OutOrStdout().Write(b)
		return err
	}
	return cmd
}
