package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"communicator/eventlog"
	"communicator/node/admin"
	"communicator/relay/receipt"
)

func logCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "log", Short: "Check a node's event log, whether the node runs or not", GroupID: "check",
		Args: usageArgs(cobra.NoArgs)}
	cmd.AddCommand(logVerifyCommand(), logStatCommand())
	return cmd
}

func logVerifyCommand() *cobra.Command {
	return adminReport("verify", "Read everything: chain, signed heads, every stored body; exit status 3 if damaged",
		admin.Service.LogVerify, printReport, func(r eventlog.Report) bool { return len(r.Damage) == 0 })
}

func logStatCommand() *cobra.Command {
	return adminReport("stat", "Show sizes and counts",
		admin.Service.LogStat, printStat, func(eventlog.Stat) bool { return true })
}

func printReport(w io.Writer, r eventlog.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "events\t%d to %d, in %d signed batches\n", r.First, r.Last, r.Batches)
	fmt.Fprintf(t, "bodies\t%d stored (%d bytes), %d erased\n", r.Bodies, r.BodyBytes, r.Erased)
	for _, d := range r.Damage {
		fmt.Fprintf(t, "DAMAGE\t%v\n", d)
	}
	if len(r.Damage) == 0 {
		fmt.Fprintf(t, "damage\tnone\n")
	}
	return t.Flush()
}

func printStat(w io.Writer, s eventlog.Stat) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "events\t%d to %d, in %d signed batches\n", s.First, s.Last, s.Batches)
	fmt.Fprintf(t, "bodies\t%d stored, %d bytes\n", s.Bodies, s.BodyBytes)
	fmt.Fprintf(t, "files\t%d bytes, %d free on the disk\n", s.StoreBytes, s.FreeBytes)
	if len(s.Kinds) > 0 {
		fmt.Fprintf(t, "kinds\t")
		for _, k := range s.Kinds {
			fmt.Fprintf(t, "%#04x/%d ", uint16(k.Kind), k.Version)
		}
		fmt.Fprintln(t)
	}
	for _, e := range s.Eras[min(1, len(s.Eras)):] {
		fmt.Fprintf(t, "restored\t%s, from a backup that ended with event %d\n", e.Opened.Format(time.RFC3339), e.Seq)
	}
	return t.Flush()
}

// maxReceiptFile bounds what is read of a receipt file, in bytes.
const maxReceiptFile = 1 << 20

func receiptCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "receipt", Short: "Check receipts", GroupID: "check", Args: usageArgs(cobra.NoArgs)}
	verify := &cobra.Command{Use: "verify FILE", Short: "Check a receipt offline; exit status 5 if it is invalid", Args: usageArgs(cobra.ExactArgs(1))}
	asJSON := jsonFlag(verify)
	verify.RunE = func(cmd *cobra.Command, args []string) error {
		info, err := os.Stat(args[0])
		if err != nil {
			return usage(err)
		}
		if info.Size() > maxReceiptFile {
			return invalid(errors.New("not a receipt: the file is too large"))
		}
		b, err := os.ReadFile(args[0])
		if err != nil {
			return usage(err)
		}
		given, body, err := receipt.ParseFile(b)
		if err != nil {
			return invalid(fmt.Errorf("%s is not a receipt of 'communicator send --receipt': %w", args[0], err))
		}
		statement, err := receipt.Verify(given, body)
		if err != nil {
			return invalid(err)
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), map[string]any{
				"agent": fmt.Sprintf("%x", statement.Agent[:]), "kind": statement.Kind.String(), "sequence": statement.Seq,
				"time": statement.Time, "covers_body": statement.BodyMatches,
			})
		}
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintf(t, "valid\t%s\n", statement.Kind)
		fmt.Fprintf(t, "agent\t%x\n", statement.Agent[:])
		fmt.Fprintf(t, "event\t%d, %s\n", statement.Seq, statement.Time.UTC().Format(time.RFC3339))
		fmt.Fprintf(t, "covers the message in the file\t%s\n", yesNo(statement.BodyMatches))
		return t.Flush()
	}
	cmd.AddCommand(verify)
	return cmd
}
