package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"communicator/client"
	"communicator/client/invite"
	"communicator/particle"
)

// verifyFlags are the ways to verify; at most one of the last three.
type verifyFlags struct {
	qr, light     bool
	scan          string
	mark, matches bool
	differs       bool
}

// verifyCommand shows the safety number, or compares and records it. Both people see the
// same one unless somebody is between them.
func verifyCommand() *cobra.Command {
	cmd, profile := personCommand("verify NAME", "Compare safety numbers with somebody, in person or over another medium", cobra.ExactArgs(1))
	var f verifyFlags
	flags := cmd.Flags()
	flags.BoolVar(&f.qr, "qr", false, "draw this side's code for the other side to scan")
	flags.BoolVar(&f.light, "light", false, "draw the code for a light background")
	flags.StringVar(&f.scan, "scan", "", "compare with the `TEXT` of the other side's code, or with the 60 digits that it shows, and record the result")
	flags.BoolVar(&f.mark, "mark", false, "note that the numbers were compared and are the same")
	flags.BoolVar(&f.matches, "matches", false, "the same as --mark")
	flags.BoolVar(&f.differs, "differs", false, "take back that they are the same")
	_ = flags.MarkHidden("matches")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f.mark = f.mark || f.matches
		scan := flags.Changed("scan")
		if scan && f.mark || scan && f.differs || f.mark && f.differs {
			return usagef("--scan, --mark and --differs exclude each other")
		}
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			switch {
			case f.mark, f.differs:
				return c.SetVerified(ctx, args[0], f.mark)
			case scan:
				return verifyScanned(ctx, cmd, c, args[0], f.scan)
			}
			return showSafety(ctx, cmd, c, args[0], f)
		})
	}
	return cmd
}

func verifyScanned(ctx context.Context, cmd *cobra.Command, c *client.Client, name, text string) error {
	err := c.CompareSafety(ctx, name, text)
	if errors.Is(err, particle.ErrSafetyDiffers) {
		return fmt.Errorf("DIFFERENT: somebody may be between you and %s, or this is not their code; do not trust what was said: %w",
			printable(name), err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "the same: %s is verified\n", printable(name))
	return err
}

func showSafety(ctx context.Context, cmd *cobra.Command, c *client.Client, name string, f verifyFlags) error {
	if f.qr {
		code, err := c.SafetyCode(ctx, name)
		if err != nil {
			return err
		}
		picture, err := invite.QR(code, f.light)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s%s\n", picture, code)
	}
	number, err := c.SafetyNumber(ctx, name)
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), number)
	contact, err := c.Contact(ctx, name)
	for _, line := range contact.Kin.Lines() {
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", printable(contact.Name), printable(line))
	}
	return err
}
