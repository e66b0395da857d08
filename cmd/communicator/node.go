package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"communicator/node"
	"communicator/node/config"
)

// nodeFlags override what the configuration says.
type nodeFlags struct {
	listen, announce, roles []string
	allowPrivate            bool
	admin                   string
}

func addNodeFlags(cmd *cobra.Command) *nodeFlags {
	var f nodeFlags
	flags := cmd.Flags()
	flags.StringArrayVar(&f.listen, "listen", nil, "listen at `MULTIADDR` (repeat for more)")
	flags.StringArrayVar(&f.announce, "announce", nil, "tell others to reach the node at `MULTIADDR` (repeat for more)")
	flags.StringSliceVar(&f.roles, "roles", nil, "some of sending, receiving and directory, separated by commas")
	flags.BoolVar(&f.allowPrivate, "allow-private", false, "dial private and loopback addresses: for tests and private networks")
	flags.StringVar(&f.admin, "admin", "", "serve /metrics and /healthz at this loopback `HOST:PORT`; empty for nowhere")
	return &f
}

func (f *nodeFlags) apply(cmd *cobra.Command) func(*config.Config) {
	changed := cmd.Flags().Changed
	return func(c *config.Config) {
		if changed("listen") {
			c.Listen = f.listen
		}
		if changed("announce") {
			c.Announce = f.announce
		}
		if changed("roles") {
			c.Roles = f.roles
		}
		if changed("allow-private") {
			c.AllowPrivate = f.allowPrivate
		}
		if changed("admin") {
			c.Admin.Listen = f.admin
		}
	}
}

// dataFlag adds --data.
func dataFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("data", "", "the node's `DIR`")
}

func needData(dir string) error {
	if dir == "" {
		return usagef("--data DIR is needed: the node's directory")
	}
	return nil
}

func nodeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "node", Short: "Run a node: a sending agent, a receiving agent, a directory, or all of them", GroupID: "operator",
		Args: usageArgs(cobra.NoArgs)}
	dir, flags := dataFlag(cmd), addNodeFlags(cmd)
	file := cmd.Flags().String("config", "", "read the configuration from `FILE`, not from DIR/config.toml")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := needData(*dir); err != nil {
			return err
		}
		return runNode(cmd.Context(), *dir, *file, flags.apply(cmd), cmd.OutOrStdout())
	}
	cmd.AddCommand(nodeInitCommand(), nodeTokenCommand(), nodeAccountCommand(), nodeStatusCommand(), nodeDrainCommand(),
		nodeBackupCommand(), nodeRestoreCommand(), nodeConfirmClockCommand())
	return cmd
}

// runNode serves until it is asked to stop.
func runNode(ctx context.Context, dir, file string, overrides func(*config.Config), out io.Writer) error {
	c := node.Config{Dir: dir, ConfigFile: file, Overrides: overrides}
	return serve(ctx, c, func(n *node.Node) (string, error) { return n.URI(), nil }, out)
}

// serve prints where the node is reached once it serves, and returns when it is asked to
// stop and has.
func serve(ctx context.Context, c node.Config, uriOf func(*node.Node) (string, error), out io.Writer) error {
	logger, overrides := &lateLogger{}, c.Overrides
	c.Version, c.Logger = version().Version, slog.New(logger)
	c.Overrides = func(settings *config.Config) {
		overrides(settings)
		logger.set(settings.Log)
	}
	n, err := node.Open(ctx, c)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // asked to stop before it was ready
	}
	if err != nil {
		return nodeError(err)
	}
	uri, err := uriOf(n)
	if err == nil {
		_, err = fmt.Fprintf(out, "ready %s\n", uri)
	}
	if err != nil {
		return errors.Join(err, n.Close())
	}
	err = n.Run(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // SIGTERM and interrupt are how a node ends
	}
	return errors.Join(err, n.Close())
}

// nodeError gives a node's refusal to start its exit status.
func nodeError(err error) error {
	var fault *config.Error
	switch {
	case errors.As(err, &fault):
		return usage(err)
	case errors.Is(err, node.ErrNoIdentity):
		return &exitError{exitNotFound, err}
	}
	return err
}

func nodeInitCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "init", Short: "Make a node's directory, with a commented config.toml, and print its URI with a first token",
		Args: usageArgs(cobra.NoArgs)}
	dir, flags := dataFlag(cmd), addNodeFlags(cmd)
	uses := cmd.Flags().Int("uses", 1, "how many profiles the first token admits")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := needData(*dir); err != nil {
			return err
		}
		if err := checkUses(*uses); err != nil {
			return err
		}
		c := config.Default()
		flags.apply(cmd)(&c)
		uri, err := node.Init(cmd.Context(), *dir, c, *uses)
		if err != nil {
			return nodeError(err)
		}
		fmt.Fprintf(os.Stderr, "Made %s. Look through %s/%s, then run: communicator node --data %s\n",
			*dir, strings.TrimSuffix(*dir, "/"), config.FileName, *dir)
		_, err = fmt.Fprintln(cmd.OutOrStdout(), uri)
		return err
	}
	return cmd
}
