package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"communicator/client/lookup"
)

// namespaceForget is the way out for a person who knows why a namespace was frozen.
func namespaceForget() *cobra.Command {
	cmd := &cobra.Command{Use: "forget PETNAME|ID", Short: "Forget what was seen of a namespace's log and names, and believe it again if it was frozen", Args: usageArgs(cobra.ExactArgs(1))}
	names := addNamesFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return names.with(cmd, func(ctx context.Context, r *lookup.Resolver) error {
			n, err := r.Namespace(ctx, args[0])
			if err != nil {
				return err
			}
			if err := r.Forget(ctx, n.ID); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "forgot what %s has shown\n", printable(nameOr(n.Petname, n.ID.String())))
			return err
		})
	}
	return cmd
}
