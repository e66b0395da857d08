package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"communicator/internal/bench"
	"communicator/wire"
)

// maxStock bounds the deliveries of a benchmark: at 1 KiB, some 13 GB.
const maxStock = 10_000_000

// maxIdle bounds connections of either kind: their clients are in this process, with a
// host each.
const maxIdle = 5000

// stockCommand makes a benchmark of an agent that holds deliveries.
func stockCommand[R any](use, short string, defaults bench.StockOptions,
	measure func(context.Context, bench.StockOptions, io.Writer) (R, error), print func(io.Writer, R) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: usageArgs(cobra.NoArgs)}
	o := defaults
	cmd.Flags().IntVar(&o.Deliveries, "deliveries", defaults.Deliveries, "how many are stored")
	cmd.Flags().IntVar(&o.Size, "size", defaults.Size, "`BYTES` of ciphertext")
	cmd.Flags().IntVar(&o.Mailboxes, "mailboxes", defaults.Mailboxes, "in how many mailboxes")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.Deliveries < 1 || o.Deliveries > maxStock || o.Mailboxes < 1 || o.Mailboxes > 10_000 {
			return usagef("--deliveries takes 1 to %d, --mailboxes 1 to 10,000", maxStock)
		}
		if o.Size < 1 || o.Size > wire.MaxCiphertext {
			return usagef("--size takes 1 to %d bytes", wire.MaxCiphertext)
		}
		r, err := measure(cmd.Context(), o, progress())
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), r)
		}
		return print(cmd.OutOrStdout(), r)
	}
	return cmd
}

func benchStartCommand() *cobra.Command {
	return stockCommand("start", "How long an agent with stored deliveries takes to serve",
		bench.StockOptions{Deliveries: 100_000, Size: 1024, Mailboxes: 100}, bench.Start,
		func(w io.Writer, r bench.StartResult) error {
			_, err := fmt.Fprintf(w, "%d deliveries: ready %.2f s after kill -9, %.2f s after a clean stop, %.0f MiB\n",
				r.Deliveries, r.AfterKill, r.AfterStop, r.RSSAnon)
			return err
		})
}

func benchCollectCommand() *cobra.Command {
	return stockCommand("collect", "How fast owners collect and acknowledge",
		bench.StockOptions{Deliveries: 100_000, Size: 1024, Mailboxes: 8}, bench.Collect,
		func(w io.Writer, r bench.CollectResult) error {
			_, err := fmt.Fprintf(w, "%.0f deliveries/s collected and acknowledged by %d owners, %d missing\n", r.PerS, r.Owners, r.Missing)
			return err
		})
}

func benchStoreCommand() *cobra.Command {
	return stockCommand("store", "What deliveries take on disk, and what collecting gives back",
		bench.StockOptions{Deliveries: 100_000, Size: 1024, Mailboxes: 100}, bench.Store,
		func(w io.Writer, r bench.StoreResult) error {
			_, err := fmt.Fprintf(w, "%d deliveries: 1.15 × ciphertext and %.0f bytes each; after 90 %% were collected %.2f × what is left\n",
				r.Deliveries, r.Overhead, r.Ratio)
			return err
		})
}

func benchScanCommand() *cobra.Command {
	return stockCommand("scan", "How much memory reading everything stored takes",
		bench.StockOptions{Deliveries: 100_000, Size: 1024, Mailboxes: 8}, bench.Scanned,
		func(w io.Writer, r bench.ScanResult) error {
			_, err := fmt.Fprintf(w, "%d deliveries: log verify takes %.0f MiB and %.1f s, an agent whose owners read everything %.0f MiB and %.1f s\n",
				r.Deliveries, r.Verify.AnonymousMemory, r.Verify.Took, r.Collect.AnonymousMemory, r.Collect.Took)
			return err
		})
}

func benchIdleCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "idle", Short: "How much of an agent's memory idle connections take", Args: usageArgs(cobra.NoArgs)}
	var o bench.IdleOptions
	cmd.Flags().IntVar(&o.Connections, "connections", 500, "how many of each kind")
	cmd.Flags().DurationVar(&o.Settle, "settle", bench.DefaultSettle, "how long garbage may take to be gone, three times")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.Connections < 1 || o.Connections > maxIdle {
			return usagef("--connections takes 1 to %d", maxIdle)
		}
		if o.Settle < time.Second || o.Settle > maxBenchDuration {
			return usagef("--settle takes 1s to %v", maxBenchDuration)
		}
		r, err := bench.Idle(cmd.Context(), o, progress())
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), r)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%.0f KiB for a connection, %.0f KiB for a client that waits for messages; the agent without them %.0f MiB\n",
			r.Bare, r.Watching, r.Process)
		return err
	}
	return cmd
}
