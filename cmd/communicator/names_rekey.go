package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"communicator/client"
)

func rekeyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "rekey NAME@NAMESPACE", Short: "Put a new key in the place of the one that holds a name of yours", GroupID: "names",
		Long: "The old key signs that a new one, which is made here, has the name. No token is needed. Rule, tokens\n" +
			"and key packages go with it, conversations go on, and contacts who know the name are told.\n" +
			"While the hold lasts (72 h) the old key, which is kept, may take that back: 'communicator object'.\n" +
			"What was interrupted goes on when this is run again.",
		Args: usageArgs(cobra.ExactArgs(1))}
	profile := addProfileFlags(cmd)
	via := cmd.Flags().StringArray("via", nil, "ask the directory at `URI` (repeat for more)")
	out := cmd.Flags().String("out", "", "write what the authority has to attest, where it does so by hand, to `FILE`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			own, err := c.Rekey(ctx, args[0], client.RekeyOptions{Peers: *via})
			if errors.Is(err, client.ErrNotAttested) && *out != "" {
				return writeDraft(ctx, c, args[0], *out)
			}
			if errors.Is(err, client.ErrNotAttested) {
				return fmt.Errorf("%w: write what its authority attests by hand with --out FILE", err)
			}
			if err != nil {
				return err
			}
			if own.Published.IsZero() {
				fmt.Fprintln(os.Stderr, "The new key is not in the overlay yet: only the namespace's own nodes know it. 'communicator receive' tries again.")
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), rekeyedLine(own.Name, own.Undo))
			return err
		})
	}
	return cmd
}

// rekeyedLine says that a name of ours has a new key.
func rekeyedLine(name string, undo time.Time) string {
	return fmt.Sprintf("%s is under a new key. The old one may take that back until %s: 'communicator object %s'.",
		name, undo.Local().Format(time.DateTime), name)
}
