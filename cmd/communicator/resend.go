package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"communicator/client"
)

// resendCommand sends anew what could not be delivered: 'status' shows how many those
// are, 'history --json' their ids.
func resendCommand() *cobra.Command {
	cmd, profile := personCommand("resend NAME [ID…]", "Send again what expired or found every address closed", cobra.MinimumNArgs(1))
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ids := make([]client.MessageID, 0, len(args)-1)
		for _, s := range args[1:] {
			id, err := client.ParseMessageID(s)
			if err != nil {
				return usage(err)
			}
			ids = append(ids, id)
		}
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			sent, err := c.Resend(ctx, args[0], client.SendOptions{}, ids...)
			if err != nil {
				return err
			}
			if *asJSON {
				names := make([]string, len(sent))
				for i, id := range sent {
					names[i] = id.String()
				}
				if err := printJSON(cmd.OutOrStdout(), map[string][]string{"ids": names}); err != nil {
					return err
				}
			}
			if len(sent) == 0 {
				fmt.Fprintln(os.Stderr, "nothing expired or found every address closed")
				return nil
			}
			events, err := c.Receive(ctx) // carries what was queued
			for _, e := range events {
				printEvent(os.Stderr, e, false)
			}
			return err
		})
	}
	return cmd
}
