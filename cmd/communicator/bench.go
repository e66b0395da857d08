package main

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"communicator/internal/bench"
	"communicator/node"
	"communicator/node/config"
	"communicator/wire"
)

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "bench", Short: "Measure this machine: deliveries, the log, start-up, collecting, disk, memory, names", GroupID: "check",
		Args: usageArgs(cobra.NoArgs)}
	cmd.AddCommand(benchDeliverCommand(), benchLogCommand(), benchStartCommand(), benchCollectCommand(), benchStoreCommand(),
		benchScanCommand(), benchIdleCommand(), benchLookupCommand(), benchDirectoryCommand(), benchAgentCommand())
	return cmd
}

// maxBenchDuration keeps a mistyped benchmark from running for ever.
const maxBenchDuration = time.Hour

// maxRounds is as many as anyone has a night for.
const maxRounds = 100

func checkBench(size int, d time.Duration) error {
	if size < 1 || size > wire.MaxCiphertext {
		return usagef("--size takes 1 to %d bytes", wire.MaxCiphertext)
	}
	if d < time.Second || d > maxBenchDuration {
		return usagef("--duration takes 1s to %v", maxBenchDuration)
	}
	return nil
}

func benchDeliverCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "deliver", Short: "Deliveries through clients, sending and receiving agent, synced at both", Args: usageArgs(cobra.NoArgs)}
	var o bench.DeliverOptions
	cmd.Flags().IntVar(&o.Clients, "clients", 64, "how many clients, each with one message under way")
	cmd.Flags().IntVar(&o.Size, "size", 1024, "`BYTES` of ciphertext")
	cmd.Flags().DurationVar(&o.Duration, "duration", 10*time.Second, "how long to count, after a warm-up")
	ceiling := cmd.Flags().Bool("against-memory", false, "measure in turn with agents that store nothing, and say which share of their rate is kept")
	rounds := cmd.Flags().Int("rounds", 5, "how often, with --against-memory")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.Clients < 1 || o.Clients > 1024 {
			return usagef("--clients takes 1 to 1,024")
		}
		if err := checkBench(o.Size, o.Duration); err != nil {
			return err
		}
		if *rounds < 1 || *rounds > maxRounds {
			return usagef("--rounds takes 1 to %d", maxRounds)
		}
		if *ceiling {
			r, err := bench.Ceiling(cmd.Context(), o, *rounds, progress())
			if err != nil {
				return err
			}
			return printCeiling(cmd.OutOrStdout(), r, *asJSON)
		}
		r, err := bench.Deliver(cmd.Context(), o, progress())
		if err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), r)
		} else {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%.0f deliveries/s, p50 %.1f ms, p99 %.1f ms, %d lost\n"+
				"CPU per message: client %.0f µs, sending agent %.0f µs, receiving agent %.0f µs\n"+
				"anonymous memory: sending agent %.0f MiB, receiving agent %.0f MiB\n",
				r.DeliveriesPerS, r.P50, r.P99, r.Lost, r.CPUPerMessage["client"], r.CPUPerMessage["sending"],
				r.CPUPerMessage["receiving"], r.AnonymousMemory["sending"], r.AnonymousMemory["receiving"])
		}
		return cmp.Or(err, lostError(r.Lost))
	}
	return cmd
}

func printCeiling(w io.Writer, r bench.CeilingResult, asJSON bool) (err error) {
	if asJSON {
		err = printJSON(w, r)
	} else {
		_, err = fmt.Fprintf(w, "%.0f deliveries/s, %.0f/s with agents that store nothing: %.2f kept, %d lost\n"+
			"CPU per message, and without storing: sending agent %.0f and %.0f µs, receiving agent %.0f and %.0f µs\n",
			r.Stored, r.InMemory, r.Kept, r.Lost, r.CPUPerMessage["sending"], r.InMemoryCPUPerMessage["sending"],
			r.CPUPerMessage["receiving"], r.InMemoryCPUPerMessage["receiving"])
	}
	return cmp.Or(err, lostError(r.Lost))
}

func lostError(n int) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d deliveries that were acknowledged are not in their mailboxes", n)
}

// benchAgentCommand is what benchmarks run in place of a node where nothing is to be
// stored. Nobody else has a use for it.
func benchAgentCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "agent", Short: "Run an agent that stores nothing", Hidden: true, Args: usageArgs(cobra.NoArgs)}
	file := cmd.Flags().String("config", "", "read the configuration from `FILE`")
	uses := cmd.Flags().Int("uses", 1, "how many profiles its token admits")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkUses(*uses); err != nil {
			return err
		}
		settings, err := config.Read(*file)
		if err != nil {
			return usage(err)
		}
		c := node.Config{Settings: settings, Overrides: func(*config.Config) {}}
		return serve(cmd.Context(), c, func(n *node.Node) (string, error) { return n.NewToken(cmd.Context(), *uses) }, cmd.OutOrStdout())
	}
	return cmd
}

func benchLogCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "log", Short: "Appends to the event log against bare group-committed syncs on the same disk", Args: usageArgs(cobra.NoArgs)}
	var o bench.LogOptions
	cmd.Flags().IntVar(&o.Producers, "producers", 256, "how many append at a time")
	cmd.Flags().IntVar(&o.Size, "size", 1024, "`BYTES` of a body")
	cmd.Flags().DurationVar(&o.Duration, "duration", 10*time.Second, "how long to measure, log and disk in turn")
	cmd.Flags().StringVar(&o.Dir, "dir", "", "measure the disk that holds `DIR` (default: that of temporary files)")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.Producers < 1 || o.Producers > 4096 {
			return usagef("--producers takes 1 to 4,096")
		}
		if err := checkBench(o.Size, o.Duration); err != nil {
			return err
		}
		r, err := bench.Log(cmd.Context(), o, progress())
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), r)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%.0f appends/s, the disk's limit %.0f/s, ratio %.2f\n",
			r.Appends, r.Disk, r.Ratio)
		return err
	}
	return cmd
}
