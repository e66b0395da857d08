package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"communicator/client"
)

func objectCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "object NAME@NAMESPACE", Short: "Take back what was said against a name of yours, or your own 'rekey', while it is not settled", GroupID: "names",
		Args: usageArgs(cobra.ExactArgs(1))}
	profile := addProfileFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			o, err := c.Object(ctx, args[0])
			if err != nil {
				return err
			}
			overlay, told := "not in the overlay yet", "nobody"
			if o.InOverlay {
				overlay = "in the overlay"
			}
			if len(o.Told) > 0 {
				told = strings.Join(o.Told, ", ")
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "you object to version %d, a %s: nobody who asks is to believe it (directories that have it: %d; %s; told: %s)\n",
				o.Version, o.Change, o.Sent, overlay, printable(told))
			return err
		})
	}
	return cmd
}
