package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"communicator/client"
)

// printEvent writes what happened: messages as a person reads them, the rest as a line
// that begins with a star.
//
// A write that fails is let go: what was received is in the history.
func printEvent(w io.Writer, e client.Event, asJSON bool) {
	if asJSON {
		printJSON(w, eventToJSON(e))
		return
	}
	if m, ok := e.(client.MessageReceived); ok {
		printMessage(w, m.Message)
		return
	}
	if line := eventLine(e); line != "" {
		fmt.Fprintf(w, "* %s\n", line)
	}
}

// refusedHelp is what to do about a message that was refused everywhere.
const refusedHelp = "every agent that it could go by has refused it. It is kept, do not send it twice: " +
	"add another sending agent ('communicator agents add URI') and it goes by itself"

func eventLine(e client.Event) string {
	switch e := e.(type) {
	case client.DeliveryChanged:
		if e.State == client.Refused {
			return fmt.Sprintf("a message to %s is not delivered: %s", printable(e.Contact), refusedHelp)
		}
		if e.State == client.Expired || e.State == client.Failed {
			return fmt.Sprintf("a message to %s could not be delivered: %s", printable(e.Contact), e.State)
		}
	case client.ContactAdded:
		return fmt.Sprintf("you and %s can talk now", printable(e.Contact.Name))
	case client.RequestChanged:
		return requestLine(e.Request)
	case client.ClaimChecked:
		if e.Holds {
			return fmt.Sprintf("%s is %s: the key is the one that the namespace attests", printable(e.Contact), printable(e.Name))
		}
		return fmt.Sprintf("%s claims to be %s, and is not", printable(e.Contact), printable(e.Name))
	case client.NameVetoed:
		return printable(fmt.Sprintf("ALARM, %s: the key of %s objects to what the namespace says of it (version %d): do not believe who it says that is",
			e.Contact, e.Name, e.Version))
	case client.NameWarning:
		return printable(fmt.Sprintf("WARNING, %s: %s was looked up again: %s", e.Contact, e.Name, e.Warning))
	case client.NameRekeyed:
		return printable(fmt.Sprintf("%s has a new key for %s, by the word of the one that you know; that one may take it back until %s",
			e.Contact, e.Name, e.Undo.Local().Format(time.DateTime)))
	case client.OwnNameRekeyed:
		return printable(rekeyedLine(e.Name, e.Undo))
	case client.IdentityRelated:
		return printable(e.Contact + " " + strings.Join(e.Kin.Lines(), "; "))
	case client.Alarm:
		return fmt.Sprintf("ALARM, %s: %s", nameOr(e.Contact, "no contact"), e.Kind)
	case client.DegradedChanged:
		if e.Degraded {
			return fmt.Sprintf("%s is degraded: %s", printable(e.Contact), e.Reason)
		}
		return fmt.Sprintf("%s is no longer degraded", printable(e.Contact))
	case client.NeedsReset:
		return fmt.Sprintf("the conversation with %s is being re-established", printable(e.Contact))
	case client.Undecryptable:
		if e.Partly {
			return fmt.Sprintf("the recovery package in a message from %s is not valid: %s; the rest was read", nameOr(e.Contact, "somebody"), e.Reason)
		}
		return fmt.Sprintf("a message from %s could not be decrypted: %s", nameOr(e.Contact, "somebody"), e.Reason)
	case client.AgentTrouble:
		if e.Err == nil {
			return fmt.Sprintf("agent %s works again", e.URI)
		}
		if e.Step == "" {
			return fmt.Sprintf("agent %s: %v", e.URI, e.Err)
		}
		return fmt.Sprintf("agent %s: %s: %v", e.URI, e.Step, e.Err)
	}
	return "" // rotations and intermediate delivery states are for programs
}

// eventToJSON names the kind in "event"; the other keys depend on it.
func eventToJSON(e client.Event) map[string]any {
	switch e := e.(type) {
	case client.MessageReceived:
		return map[string]any{"event": "message", "message": messageToJSON(e.Message)}
	case client.DeliveryChanged:
		return map[string]any{"event": "delivery", "contact": e.Contact, "id": e.ID.String(), "state": e.State.String()}
	case client.ContactAdded:
		return map[string]any{"event": "contact", "contact": contactToJSON(e.Contact)}
	case client.AddressesRotated:
		return map[string]any{"event": "rotated", "contact": e.Contact, "ours": e.Ours, "number": e.Number}
	case client.RequestChanged:
		return map[string]any{"event": "request", "request": requestToJSON(e.Request)}
	case client.ClaimChecked:
		return map[string]any{"event": "claim", "contact": e.Contact, "name": e.Name, "holds": e.Holds}
	case client.NameVetoed:
		return map[string]any{"event": "vetoed", "contact": e.Contact, "name": e.Name, "version": e.Version}
	case client.NameWarning:
		return map[string]any{"event": "name_warning", "contact": e.Contact, "name": e.Name, "warning": e.Warning}
	case client.NameRekeyed:
		return map[string]any{"event": "name_rekeyed", "contact": e.Contact, "name": e.Name, "undo_until": e.Undo}
	case client.OwnNameRekeyed:
		return map[string]any{"event": "own_name_rekeyed", "name": e.Name, "undo_until": e.Undo}
	case client.IdentityRelated:
		return map[string]any{"event": "related", "contact": e.Contact, "follows": e.Kin.Follows, "followed_by": e.Kin.FollowedBy,
			"same_person_as": e.Kin.Same, "contradictions": e.Kin.Contradictions}
	case client.Alarm:
		return map[string]any{"event": "alarm", "contact": e.Contact, "alarm": e.Kind.String()}
	case client.DegradedChanged:
		return map[string]any{"event": "degraded", "contact": e.Contact, "degraded": e.Degraded, "reason": e.Reason}
	case client.NeedsReset:
		return map[string]any{"event": "needs_reset", "contact": e.Contact}
	case client.Undecryptable:
		return map[string]any{"event": "undecryptable", "contact": e.Contact, "reason": e.Reason, "partly": e.Partly, "at": e.At}
	case client.AgentTrouble:
		message := ""
		if e.Err != nil {
			message = e.Err.Error()
		}
		return map[string]any{"event": "agent", "uri": e.URI, "step": e.Step, "error": message}
	}
	return map[string]any{"event": "unknown"}
}
