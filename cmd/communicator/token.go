package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"communicator/client"
)

// tokenCommand makes what the rule "invited" asks for.
func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "token NAME@NAMESPACE", Short: "Make a token that lets one person write to a name of yours, under the rule 'invited'",
		GroupID: "names", Args: usageArgs(cobra.ExactArgs(1))}
	profile := addProfileFlags(cmd)
	life := cmd.Flags().Duration("life", 7*24*time.Hour, "how long it is valid")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *life <= 0 {
			return usagef("--life is more than nothing")
		}
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			t, err := c.ContactToken(ctx, args[0], *life)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), base64.RawURLEncoding.EncodeToString(t[:]))
			return err
		})
	}
	return cmd
}
