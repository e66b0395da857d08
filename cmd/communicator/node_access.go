package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"communicator/node/access"
	"communicator/node/admin"
	"communicator/wire/agenturi"
)

func nodeTokenCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Give people permission to use the node", Args: usageArgs(cobra.NoArgs)}
	var uses int
	make := adminCommand("new", "Make a token and print the URI to hand out", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string, s admin.Service) error {
			if err := checkUses(uses); err != nil {
				return err
			}
			uri, err := s.NewToken(cmd.Context(), uses)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), uri)
			return err
		})
	make.Flags().IntVar(&uses, "uses", 1, "how many profiles the token admits")
	list := adminList("list", "List the tokens that still admit profiles", admin.Service.Tokens, "id\tprofiles it still admits",
		func(w io.Writer, t admin.Token) { fmt.Fprintf(w, "%s\t%d\n", t.ID, t.Uses) })
	revoke := adminCommand("revoke ID|URI", "Let a token admit no more profiles; those that it admitted stay", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string, s admin.Service) error {
			return idError(s.RevokeToken(cmd.Context(), tokenID(args[0])), "token", args[0])
		})
	cmd.AddCommand(make, list, revoke)
	return cmd
}

func checkUses(uses int) error {
	if uses < 1 || uses > access.MaxTokenUses {
		return usagef("--uses takes 1 to %d", access.MaxTokenUses)
	}
	return nil
}

// tokenID is the id of a token that is given by its id or within the URI that was handed
// out.
func tokenID(arg string) string {
	uri, err := agenturi.Parse(arg)
	if err != nil || uri.Token == nil {
		return arg
	}
	hash := uri.Token.Hash()
	return hex.EncodeToString(hash[:])
}

func nodeAccountCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "account", Short: "See and remove the accounts that tokens opened", Args: usageArgs(cobra.NoArgs)}
	list := adminList("list", "List accounts and what they use", admin.Service.Accounts, "id\tmailboxes",
		func(w io.Writer, a admin.Account) {
			fmt.Fprintf(w, "%s\t%d of %d\n", a.ID, a.Mailboxes, a.MailboxQuota)
		})
	remove := adminCommand("remove ID", "Serve an account no more; what is stored for it can still be collected", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string, s admin.Service) error {
			return idError(s.RemoveAccount(cmd.Context(), args[0]), "account", args[0])
		})
	cmd.AddCommand(list, remove)
	return cmd
}

// adminList makes a command that prints a table, or with --json one object a line.
func adminList[T any](use, short string, get adminGet[[]T], header string, print func(io.Writer, T)) *cobra.Command {
	var asJSON *bool
	cmd := adminCommand(use, short, cobra.NoArgs, func(cmd *cobra.Command, _ []string, s admin.Service) error {
		list, err := get(s, cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			for _, v := range list {
				if err := printJSON(cmd.OutOrStdout(), v); err != nil {
					return err
				}
			}
			return nil
		}
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, header)
		for _, v := range list {
			print(t, v)
		}
		return t.Flush()
	})
	asJSON = jsonFlag(cmd)
	return cmd
}

// idError says which id was not found, and with which exit status.
func idError(err error, what, id string) error {
	switch {
	case errors.Is(err, access.ErrNotFound):
		return &exitError{exitNotFound, fmt.Errorf("no %s has the id %q: see \"communicator node %s list\"", what, id, what)}
	case errors.Is(err, access.ErrAmbiguous):
		return usagef("several %ss have an id that begins with %q: give more of it", what, id)
	}
	return err
}
