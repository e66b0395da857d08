package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"communicator/client"
	"communicator/client/invite"
	"communicator/wire/agenturi"
)

// personCommands are the commands of somebody who talks.
func personCommands() []*cobra.Command {
	return []*cobra.Command{
		initCommand(), agentsCommand(), inviteCommand(), acceptCommand(), contactsCommand(),
		sendCommand(), receiveCommand(), chatCommand(), historyCommand(), statusCommand(), resendCommand(),
		verifyCommand(), nearbyCommand(), introduceCommand(), followCommand(), equivalentCommand(), requestsCommand(), approveCommand(), declineCommand(),
		revokeCommand(), profileCommand(),
	}
}

// personCommand makes a command that works on a profile.
func personCommand(use, short string, args cobra.PositionalArgs) (*cobra.Command, *profileFlags) {
	cmd := &cobra.Command{Use: use, Short: short, GroupID: "person", Args: usageArgs(args)}
	return cmd, addProfileFlags(cmd)
}

// personSubcommand is the same below another command.
func personSubcommand(use, short string, args cobra.PositionalArgs) (*cobra.Command, *profileFlags) {
	cmd, flags := personCommand(use, short, args)
	cmd.GroupID = ""
	return cmd, flags
}

func initCommand() *cobra.Command {
	cmd, profile := personCommand("init", "Make a profile, encrypted with a passphrase", cobra.NoArgs)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, err := profile.path(true)
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("there is a profile in %s already", filepath.Dir(path))
		}
		passphrase, err := profile.passphrase("New passphrase: ", true)
		if err != nil {
			return err
		}
		c, err := client.Create(cmd.Context(), path, passphrase, profile.options())
		if err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "Profile made in %s. Next: communicator agents add URI\n", filepath.Dir(path))
		return err
	}
	return cmd
}

func agentsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "agents", Short: "Add, list or remove the agents that send and receive for you",
		GroupID: "person", Args: usageArgs(cobra.NoArgs)}
	add, profile := personSubcommand("add URI", "Add an agent by the URI that its operator gave you", cobra.ExactArgs(1))
	add.RunE = func(cmd *cobra.Command, args []string) error {
		if err := needURI(args[0]); err != nil {
			return err
		}
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			agent, err := c.AddAgent(ctx, args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "added %s (%s)\n", agent.URI, roleWords(agent.Roles))
			return err
		})
	}
	list, listProfile := personSubcommand("list", "List the agents", cobra.NoArgs)
	asJSON := jsonFlag(list)
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		return listProfile.with(cmd, func(ctx context.Context, c *client.Client) error {
			agents, err := c.Agents(ctx)
			if err != nil {
				return err
			}
			return printAgents(cmd.OutOrStdout(), agents, *asJSON)
		})
	}
	remove, removeProfile := personSubcommand("remove URI", "Leave an agent; what still needs it runs out first", cobra.ExactArgs(1))
	remove.RunE = func(cmd *cobra.Command, args []string) error {
		if err := needURI(args[0]); err != nil {
			return err
		}
		return removeProfile.with(cmd, func(ctx context.Context, c *client.Client) error {
			return c.RemoveAgent(ctx, args[0])
		})
	}
	cmd.AddCommand(add, list, remove)
	return cmd
}

// needURI refuses what cannot be an agent's URI, and says where one comes from. It does
// not repeat what was given, which may hold a token.
func needURI(text string) error {
	if _, err := agenturi.Parse(text); err != nil {
		return usagef("%w; take the whole line that 'communicator node init' or 'node token new' printed: /…/p2p/…?token=…", err)
	}
	return nil
}

func inviteCommand() *cobra.Command {
	cmd, profile := personCommand("invite", "Make an invitation link for one person", cobra.NoArgs)
	name := cmd.Flags().String("name", "", "what to call the person who accepts it")
	qr := cmd.Flags().Bool("qr", false, "draw the link as a QR code too")
	light := cmd.Flags().Bool("light", false, "draw the QR code for a light background")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			inv, err := c.Invite(ctx, *name)
			if err != nil {
				return err
			}
			if *asJSON {
				return printJSON(cmd.OutOrStdout(), invitationJSON{inv.Link, inv.Name, inv.Expires})
			}
			if *qr {
				picture, err := invite.QR(inv.Link, *light)
				if err != nil {
					return err
				}
				fmt.Fprint(cmd.OutOrStdout(), picture)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", inv.Link)
			fmt.Fprintf(os.Stderr, "For one person, until %s. Run 'communicator receive' to see it accepted.\n",
				inv.Expires.Local().Format(time.DateTime))
			return err
		})
	}
	return cmd
}

func acceptCommand() *cobra.Command {
	cmd, profile := personCommand("accept LINK", "Accept somebody's invitation", cobra.ExactArgs(1))
	name := cmd.Flags().String("name", "", "what to call that person")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			contact, err := c.Accept(ctx, args[0], *name)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "accepted; write with: communicator send %s TEXT\n", printable(contact.Name))
			return err
		})
	}
	return cmd
}

func contactsCommand() *cobra.Command {
	cmd, profile := personCommand("contacts", "List the people you talk to", cobra.NoArgs)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			contacts, err := c.Contacts(ctx)
			if err != nil {
				return err
			}
			return printContacts(cmd.OutOrStdout(), contacts, *asJSON)
		})
	}
	rename, renameProfile := personSubcommand("rename NAME NEW", "Call somebody by another name", cobra.ExactArgs(2))
	rename.RunE = func(cmd *cobra.Command, args []string) error {
		return renameProfile.with(cmd, func(ctx context.Context, c *client.Client) error {
			return c.Rename(ctx, args[0], args[1])
		})
	}
	remove, removeProfile := personSubcommand("remove NAME", "End the relationship and forget its history", cobra.ExactArgs(1))
	remove.RunE = func(cmd *cobra.Command, args []string) error {
		return removeProfile.with(cmd, func(ctx context.Context, c *client.Client) error {
			return c.Remove(ctx, args[0])
		})
	}
	renew, renewProfile := personSubcommand("renew NAME", "Give somebody new addresses of yours now, because the old ones may be in wrong hands", cobra.ExactArgs(1))
	renew.RunE = func(cmd *cobra.Command, args []string) error {
		return renewProfile.with(cmd, func(ctx context.Context, c *client.Client) error {
			return c.Renew(ctx, args[0])
		})
	}
	cmd.AddCommand(rename, renew, remove)
	return cmd
}

func revokeCommand() *cobra.Command {
	cmd, profile := personCommand("revoke NAME", "Take back every address that somebody has of you", cobra.ExactArgs(1))
	silent := cmd.Flags().Bool("silent", false, "let them believe that their messages still arrive")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			return c.Revoke(ctx, args[0], *silent)
		})
	}
	return cmd
}

func profileCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "profile", Short: "Export or import a profile", GroupID: "person", Args: usageArgs(cobra.NoArgs)}
	export, profile := personSubcommand("export FILE", "Write the profile to a file, encrypted with the passphrase", cobra.ExactArgs(1))
	export.RunE = func(cmd *cobra.Command, args []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			return exportProfile(ctx, c, profile, args[0])
		})
	}
	imp, importProfile := personSubcommand("import FILE", "Make a profile from an export; its conversations are re-established", cobra.ExactArgs(1))
	imp.RunE = func(cmd *cobra.Command, args []string) error {
		path, err := importProfile.path(true)
		if err != nil {
			return err
		}
		passphrase, err := importProfile.passphrase("Passphrase of the export: ", false)
		if err != nil {
			return err
		}
		f, err := os.Open(args[0])
		if err != nil {
			return usage(err)
		}
		c, err := client.Import(cmd.Context(), path, f, passphrase, passphrase, importProfile.options())
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, "Imported. Do not use the old profile any more: conversations will be re-established, and have to be verified again.")
		return c.Close()
	}
	cmd.AddCommand(export, imp)
	return cmd
}

func exportProfile(ctx context.Context, c *client.Client, flags *profileFlags, path string) error {
	passphrase, err := flags.passphrase("Passphrase for the export: ", true)
	if err != nil {
		return err
	}
	return writeWhole(path, func(w io.Writer) error { return c.Export(ctx, w, passphrase) })
}
