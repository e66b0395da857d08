package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"communicator/internal/demo"
)

func demoCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "demo", Short: "See it work: two people, five agents, one of them killed half-way", GroupID: "try",
		Args: usageArgs(cobra.NoArgs)}
	asJSON := jsonFlag(cmd)
	messages := cmd.Flags().Int("messages", 100, "how many messages each way")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *messages < 1 || *messages > 10_000 {
			return usagef("--messages takes 1 to 10,000")
		}
		var progress io.Writer = os.Stderr
		if *asJSON && !terminal(os.Stderr) {
			progress = io.Discard
		}
		r, err := demo.Run(cmd.Context(), demo.Options{Messages: *messages}, progress)
		if err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), r)
		} else {
			err = r.Print(cmd.OutOrStdout())
		}
		if err == nil && !r.OK() {
			return errSilent
		}
		return err
	}
	return cmd
}
