package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"communicator/internal/demo"
)

func demoCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "demo", Short: "See it work: three people, ten nodes, some of them killed, a namespace that lies", GroupID: "try",
		Args: usageArgs(cobra.NoArgs)}
	asJSON := jsonFlag(cmd)
	o := demo.Options{}
	cmd.Flags().IntVar(&o.Messages, "messages", 100, "how many messages Alex and Blair write each way")
	cmd.Flags().StringVar(&o.KeepProof, "keep-proof", "", "leave the proof of Carol's name in `FILE`, for 'attestation verify'")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.Messages < 1 || o.Messages > 10_000 {
			return usagef("--messages takes 1 to 10,000")
		}
		var progress io.Writer = os.Stderr
		if *asJSON && !terminal(os.Stderr) {
			progress = io.Discard
		}
		r, err := demo.Run(cmd.Context(), o, progress)
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
