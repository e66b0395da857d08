package main

import (
	"errors"

	"communicator/client"
	"communicator/node"
)

// hints are what to do about errors of the libraries, which do not know of commands.
var hints = []struct {
	err  error
	step string
}{
	{client.ErrNoSuchContact, "'communicator contacts' lists them"},
	{client.ErrContactExists, "give another --name, or rename that one with 'communicator contacts rename'"},
	{client.ErrNoSuchAgent, "'communicator agents list' shows their URIs"},
	{client.ErrNoSuchRequest, "'communicator requests' lists them"},
	{client.ErrNoAgents, "'communicator agents add URI' does, with a URI and token from an agent's operator"},
	{client.ErrInvitationUsed, "ask for a new one"},
	{client.ErrProfileExists, "give another --profile"},
	{client.ErrNotEstablished, "'communicator receive' goes on with it once the other side answers"},
	{client.ErrNeedsReset, "'communicator receive' does"},
	{node.ErrNotEmpty, "give a --data that does not exist yet"},
	{node.ErrNotBackup, "take a file that 'communicator node backup' has written"},
}

// hinted adds to an error what to do about it, if that is known.
func hinted(err error) string {
	for _, h := range hints {
		if errors.Is(err, h.err) {
			return err.Error() + ": " + h.step
		}
	}
	return err.Error()
}
