package main

import (
	"errors"
	"testing"

	"communicator/client"
)

func TestTroubleWithAnAgentInALine(t *testing.T) {
	down := errors.New("connection failed")
	for want, e := range map[string]client.AgentTrouble{
		"agent /dns4/a: connection failed":            {URI: "/dns4/a", Err: down},
		"agent /dns4/a: mailboxes: connection failed": {URI: "/dns4/a", Step: "mailboxes", Err: down},
		"agent /dns4/a works again":                   {URI: "/dns4/a"},
	} {
		if got := eventLine(e); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
