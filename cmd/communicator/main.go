// Command communicator is the one binary of Communicator: it runs a node (a sending
// and receiving agent), is a person's client, and holds the demonstration, the
// benchmarks and the checks of logs and receipts. It parses, calls and prints; what it
// calls lives in the packages client, node, internal/demo and internal/bench.
//
// Exit status: 0 done, 1 failed, 2 usage, 3 unhealthy, 4 not found, 5 a proof or
// receipt is invalid.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// run executes one command line and returns the exit status.
func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errSilent) {
		fmt.Fprintf(os.Stderr, "communicator: %s\n", hinted(err))
		if statusOf(err) == exitUsage {
			fmt.Fprintf(os.Stderr, "Run 'communicator help' for the commands and 'communicator COMMAND --help' for one of them.\n")
		}
	}
	return statusOf(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "communicator",
		Short: "Conversations that belong to a relationship, not to an address",
		Long: "Communicator carries messages between two people through agents that each of them\n" +
			"chooses, and that see only ciphertext. Not audited: do not trust your life to it.",
		Args:          usageArgs(cobra.NoArgs),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddGroup(
		&cobra.Group{ID: "try", Title: "Try it:"},
		&cobra.Group{ID: "person", Title: "Talk to people (all take --profile DIR):"},
		&cobra.Group{ID: "names", Title: "Names:"},
		&cobra.Group{ID: "operator", Title: "Run a node:"},
		&cobra.Group{ID: "check", Title: "Check and measure:"},
	)
	root.AddCommand(demoCommand(), nodeCommand(), logCommand(), receiptCommand(), benchCommand(), simulateCommand(), versionCommand())
	root.AddCommand(personCommands()...)
	root.AddCommand(nameCommands()...)
	root.AddCommand(namespaceCommand())
	root.CompletionOptions.HiddenDefaultCmd = true
	return root
}
