package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"communicator/client"
)

type invitationJSON struct {
	Link    string    `json:"link"`
	Name    string    `json:"name,omitempty"`
	Expires time.Time `json:"expires"`
}

type agentJSON struct {
	URI   string    `json:"uri"`
	Roles []string  `json:"roles"`
	State string    `json:"state"`
	Added time.Time `json:"added"`
}

var agentStates = map[client.AgentState]string{
	client.AgentActive: "active", client.AgentDraining: "draining", client.AgentDead: "dead",
}

func printAgents(w io.Writer, agents []client.Agent, asJSON bool) error {
	if asJSON {
		for _, a := range agents {
			if err := printJSON(w, agentJSON{a.URI, roleNames(a.Roles), agentStates[a.State], a.Added}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(agents) == 0 {
		_, err := fmt.Fprintln(w, "no agents; add one with: communicator agents add URI")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, a := range agents {
		fmt.Fprintf(t, "%s\t%s\t%s\n", agentStates[a.State], roleWords(a.Roles), a.URI)
	}
	return t.Flush()
}

func roleNames(r client.Roles) []string {
	names := []string{}
	if r&client.RoleSending != 0 {
		names = append(names, "sending")
	}
	if r&client.RoleReceiving != 0 {
		names = append(names, "receiving")
	}
	return names
}

func roleWords(r client.Roles) string { return strings.Join(roleNames(r), "+") }

type contactJSON struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`
	Degraded bool      `json:"degraded"`
	Verified bool      `json:"verified"`
	Created  time.Time `json:"created"`
	Trust    string    `json:"trust"`
	Shown    string    `json:"trust_words"`
	Via      string    `json:"introduced_by,omitempty"`
	Names    []string  `json:"attested_names,omitempty"`
	Since    time.Time `json:"logged_not_checked_for_revocation_since,omitzero"`
	// What successions and equivalences say.
	Follows        []string `json:"follows,omitempty"`
	FollowedBy     []string `json:"followed_by,omitempty"`
	Same           []string `json:"same_person_as,omitempty"`
	Contradictions []string `json:"contradictions,omitempty"`
	Inherited      string   `json:"inherited_trust,omitempty"`
	From           string   `json:"inherited_from,omitempty"`
}

func contactToJSON(c client.Contact) contactJSON {
	j := contactJSON{Name: c.Name, State: c.State.String(), Degraded: c.Degraded, Verified: c.Verified, Created: c.Created,
		Trust: c.Trust.String(), Shown: c.TrustWords(), Via: c.Via, Names: c.Names, Since: c.Since,
		Follows: c.Kin.Follows, FollowedBy: c.Kin.FollowedBy, Same: c.Kin.Same, Contradictions: c.Kin.Contradictions}
	if c.Kin.From != "" {
		j.Inherited, j.From = c.Kin.Trust.String(), c.Kin.From
	}
	return j
}

func printContacts(w io.Writer, contacts []client.Contact, asJSON bool) error {
	if asJSON {
		for _, c := range contacts {
			if err := printJSON(w, contactToJSON(c)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(contacts) == 0 {
		_, err := fmt.Fprintln(w, "nobody yet; start with: communicator invite")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range contacts {
		notes := c.Kin.Lines()
		if c.Degraded {
			notes = append(notes, "degraded")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", printable(c.Name), c.State, printable(c.TrustWords()), printable(strings.Join(notes, "; ")))
	}
	return t.Flush()
}

type messageJSON struct {
	ID       string     `json:"id"`
	Contact  string     `json:"contact"`
	Incoming bool       `json:"incoming"`
	Sent     time.Time  `json:"sent"`
	Received *time.Time `json:"received,omitempty"`
	State    string     `json:"state"`
	Text     string     `json:"text"`
}

func messageToJSON(m client.Message) messageJSON {
	j := messageJSON{ID: m.ID.String(), Contact: m.Contact, Incoming: m.Incoming, Sent: m.Sent,
		State: m.State.String(), Text: m.Text}
	if !m.Received.IsZero() {
		j.Received = &m.Received
	}
	return j
}

// printMessage writes a message as a person reads it. Further lines are indented, so
// that a text cannot pass for messages of somebody else.
func printMessage(w io.Writer, m client.Message) error {
	who, mark := "you", " ["+m.State.String()+"]"
	if m.Incoming {
		who, mark = printable(m.Contact), ""
	}
	_, err := fmt.Fprintf(w, "%s  %s%s: %s\n", m.Sent.Local().Format(time.DateTime), who, mark,
		strings.ReplaceAll(printable(m.Text), "\n", "\n    "))
	return err
}
