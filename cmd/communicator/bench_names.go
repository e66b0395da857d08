package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"communicator/internal/bench"
)

// Bounds of the benchmarks of names: virtual time is to stay within the week of a record,
// memory within a small machine's, and disk within some tens of gigabytes.
const (
	minLookupNodes, maxLookupNodes = 4, 512
	maxLookups                     = 2000
	maxLookupGone                  = 0.9
	maxBenchStatements             = 10_000_000
)

func benchLookupCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "lookup", Args: usageArgs(cobra.NoArgs),
		Short: "Lookups of names on whole hosts over a network in memory, in virtual time"}
	var o bench.LookupOptions
	cmd.Flags().IntVar(&o.Nodes, "nodes", 64, "how many nodes store records")
	cmd.Flags().Float64Var(&o.Gone, "gone", 0.3, "`SHARE` of them that goes away: two of three switched off, the third silent")
	cmd.Flags().IntVar(&o.Lookups, "lookups", 200, "how many lookups for each figure")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "of keys, places, and who goes away")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case o.Nodes < minLookupNodes || o.Nodes > maxLookupNodes:
			return usagef("--nodes takes %d to %d", minLookupNodes, maxLookupNodes)
		case !(o.Gone >= 0 && o.Gone <= maxLookupGone):
			return usagef("--gone takes 0 to %.1f", maxLookupGone)
		case o.Lookups < 1 || o.Lookups > maxLookups:
			return usagef("--lookups takes 1 to %d", maxLookups)
		}
		// It ends the process, so that what would be returned is said here.
		bench.Lookup(cmd.Context(), o, progress(), func(r bench.LookupResult, err error) int {
			if err == nil {
				err = printLookup(cmd.OutOrStdout(), r, *asJSON)
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				fmt.Fprintf(os.Stderr, "communicator: %v\n", err)
			}
			return statusOf(err)
		})
		return nil
	}
	return cmd
}

func printLookup(w io.Writer, r bench.LookupResult, asJSON bool) error {
	if asJSON {
		return printJSON(w, r)
	}
	_, err := fmt.Fprintf(w, "%d nodes: round trips of a lookup, dialling included: warm p50 %.1f, p99 %.1f, cold p50 %.1f, p99 %.1f\n"+
		"with %.0f %% of the nodes gone: %.2f %% of %d lookups succeed, p50 %.1f s, p99 %.1f s\n"+
		"the newest of several versions is found by %.2f %% of %d\n"+
		"staple of one name in a million: %d bytes, verified offline in %.2f ms, deriving the name's secret %.0f ms\n",
		r.Nodes, r.WarmP50, r.WarmP99, r.ColdP50, r.ColdP99,
		100*r.Gone, 100*r.Success, r.Lookups, r.GoneP50, r.GoneP99,
		100*r.Newest, r.NewestOf, r.StapleBytes, r.StapleVerify, r.NameSecret)
	return err
}

func benchDirectoryCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "directory", Args: usageArgs(cobra.NoArgs),
		Short: "A namespace's log: statements, proofs from it, and requests for contact, synced"}
	var o bench.DirectoryOptions
	cmd.Flags().IntVar(&o.Statements, "statements", 100_000, "how many the log holds at the end, nearly; a million take 2 GB")
	cmd.Flags().StringVar(&o.Dir, "dir", "", "measure the disk that holds `DIR` (default: that of temporary files)")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.Statements < 1 || o.Statements > maxBenchStatements {
			return usagef("--statements takes 1 to %d", maxBenchStatements)
		}
		r, err := bench.Directory(cmd.Context(), o, progress())
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), r)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%.0f statements/s verified before (%.0f µs of CPU each), %.0f/s with their signatures (%.0f µs)\n"+
			"inclusion proof at %d leaves: p50 %.2f ms, p99 %.2f ms\n"+
			"%.0f contact requests/s (%.0f µs of CPU each)\n",
			r.Verified, r.VerifiedCPU, r.Signed, r.SignedCPU, r.Leaves, r.Inclusion, r.InclusionP99, r.Contacts, r.ContactCPU)
		return err
	}
	return cmd
}
