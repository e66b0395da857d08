package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

const (
	exitFailed    = 1
	exitUsage     = 2
	exitUnhealthy = 3
	exitNotFound  = 4
	exitInvalid   = 5
)

// errSilent ends a command that has already said what is wrong.
var errSilent = errors.New("failed")

// exitError carries the exit status of its error.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usage(err error) error     { return &exitError{exitUsage, err} }
func unhealthy(err error) error { return &exitError{exitUnhealthy, err} }
func invalid(err error) error   { return &exitError{exitInvalid, err} }

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// usageArgs makes a wrong number of arguments a usage error that shows the form.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil {
			return nil
		}
		if !cmd.HasParent() || cmd.HasSubCommands() {
			return usagef("there is no command %q", args[0])
		}
		return usagef("%w; usage: %s", err, cmd.UseLine())
	}
}

func statusOf(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.status
	case errors.Is(err, context.Canceled):
		return exitFailed
	}
	return statusOfClient(err)
}
