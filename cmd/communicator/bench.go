package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"communicator/internal/bench"
	"communicator/wire"
)

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "bench", Short: "Measure this machine: deliveries, the log, start-up, collecting, disk, names", GroupID: "check",
		Args: usageArgs(cobra.NoArgs)}
	cmd.AddCommand(benchDeliverCommand(), benchLogCommand(), benchStartCommand(), benchCollectCommand(), benchStoreCommand(),
		benchLookupCommand(), benchDirectoryCommand())
	return cmd
}

// maxBenchDuration keeps a mistyped benchmark from running for ever.
const maxBenchDuration = time.Hour

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
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.Clients < 1 || o.Clients > 1024 {
			return usagef("--clients takes 1 to 1,024")
		}
		if err := checkBench(o.Size, o.Duration); err != nil {
			return err
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
		if err == nil && r.Lost > 0 {
			return fmt.Errorf("%d deliveries that were acknowledged are not in their mailboxes", r.Lost)
		}
		return err
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
