package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"communicator/node"
	"communicator/node/admin"
)

// adminCommand makes a command that talks to the node of --data, running or not.
func adminCommand(use, short string, args cobra.PositionalArgs,
	do func(cmd *cobra.Command, args []string, s admin.Service) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: usageArgs(args)}
	dir := dataFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := needData(*dir); err != nil {
			return err
		}
		s, err := node.Administer(cmd.Context(), *dir)
		if err != nil {
			return nodeError(err)
		}
		err = do(cmd, args, s)
		if c, ok := s.(io.Closer); ok {
			err = errors.Join(err, c.Close())
		}
		return err
	}
	return cmd
}

// adminGet is a question to a node.
type adminGet[T any] func(admin.Service, context.Context) (T, error)

// adminReport makes a command that prints what a node answers, and ends with exit status
// 3 if that is not healthy.
func adminReport[T any](use, short string, get adminGet[T],
	print func(io.Writer, T) error, healthy func(T) bool) *cobra.Command {
	var asJSON *bool
	cmd := adminCommand(use, short, cobra.NoArgs, func(cmd *cobra.Command, _ []string, s admin.Service) error {
		report, err := get(s, cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), report)
		} else {
			err = print(cmd.OutOrStdout(), report)
		}
		if err == nil && !healthy(report) {
			return unhealthy(errSilent)
		}
		return err
	})
	asJSON = jsonFlag(cmd)
	return cmd
}

func nodeStatusCommand() *cobra.Command {
	return adminReport("status", "Show the node's condition; exit status 3 if something is wrong",
		admin.Service.Status, printNodeStatus, func(s admin.Status) bool { return len(s.Problems) == 0 })
}

func printNodeStatus(w io.Writer, s admin.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	running := "no"
	if s.Running {
		running = "since " + s.Started.Local().Format(time.DateTime)
	}
	fmt.Fprintf(t, "running\t%s\n", running)
	fmt.Fprintf(t, "uri\t%s\n", s.URI)
	fmt.Fprintf(t, "roles\t%v, access by %s\n", s.Roles, s.Policy)
	fmt.Fprintf(t, "log\t%s %s\n", s.Log.Health, s.Log.Reason)
	fmt.Fprintf(t, "accounts\t%d, and %d more by tokens\n", s.Accounts, s.TokenUses)
	fmt.Fprintf(t, "connections\t%d\n", s.Conns)
	if s.Drain.Draining {
		fmt.Fprintf(t, "draining\tsince %s, %d bodies left, done at the latest %s\n", s.Drain.Since.Local().Format(time.DateTime),
			s.Drain.Bodies, s.Drain.Until.Local().Format(time.DateTime))
	}
	for _, p := range s.Problems {
		fmt.Fprintf(t, "PROBLEM\t%s\n", p)
	}
	return t.Flush()
}

func nodeDrainCommand() *cobra.Command {
	var cancel, wait bool
	cmd := adminCommand("drain", "Leave: make no more mailboxes, and tell owners to move", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string, s admin.Service) error {
			d, err := s.Drain(cmd.Context(), !cancel)
			for err == nil && wait && !d.Done {
				select {
				case <-cmd.Context().Done():
					return cmd.Context().Err()
				case <-time.After(drainEvery):
				}
				d, err = s.Drain(cmd.Context(), !cancel)
			}
			if err != nil {
				return err
			}
			switch {
			case !d.Draining:
				fmt.Fprintln(cmd.OutOrStdout(), "not draining")
			case d.Done:
				fmt.Fprintln(cmd.OutOrStdout(), "drained: the node may be stopped for good")
			default:
				fmt.Fprintf(cmd.OutOrStdout(), "draining: %d bodies left, done at the latest %s\n", d.Bodies,
					d.Until.Local().Format(time.DateTime))
			}
			return nil
		})
	cmd.Flags().BoolVar(&cancel, "cancel", false, "take it back")
	cmd.Flags().BoolVar(&wait, "wait", false, "return when the node is empty")
	return cmd
}

// drainEvery is how often drain --wait asks.
const drainEvery = 5 * time.Second

func nodeBackupCommand() *cobra.Command {
	return adminCommand("backup FILE", "Write a consistent copy of what is stored, without keys", cobra.ExactArgs(1),
		func(cmd *cobra.Command, args []string, s admin.Service) error {
			return writeWhole(args[0], func(w io.Writer) error { return s.Backup(cmd.Context(), w) })
		})
}

// writeWhole writes beside the target, syncs and renames, so that an interrupted copy
// never passes for a whole one.
func writeWhole(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func nodeRestoreCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "restore FILE", Short: "Make a node's directory from a backup; older addresses are refused afterwards",
		Args: usageArgs(cobra.ExactArgs(1))}
	dir := dataFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := needData(*dir); err != nil {
			return err
		}
		f, err := os.Open(args[0])
		if err != nil {
			return usage(err)
		}
		restored, err := node.Restore(cmd.Context(), *dir, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), restored)
		return err
	}
	return cmd
}

func nodeConfirmClockCommand() *cobra.Command {
	return adminCommand("confirm-clock", "Trust the machine's clock after a jump", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string, s admin.Service) error {
			return confirmClock(cmd.Context(), s)
		})
}

func confirmClock(ctx context.Context, s admin.Service) error {
	return s.ConfirmClock(ctx, time.Time{})
}
