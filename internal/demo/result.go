package demo

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Result is what the demonstration found; its JSON is what `demo --json` prints.
type Result struct {
	Sent       int      `json:"sent"`
	Delivered  int      `json:"delivered"`
	Lost       int      `json:"lost"`
	Duplicated int      `json:"duplicated"`
	Rotations  int      `json:"rotations"` // of address sets, both sides
	Agents     int      `json:"agents"`
	Killed     int      `json:"killed"`       // agents killed with SIGKILL and brought back
	Leaks      int      `json:"leaks"`        // secrets found in agents' files
	Alarms     int      `json:"alarms"`       // raised by either client
	Seconds    float64  `json:"seconds"`      // from the first process to the last check
	Seen       []Seen   `json:"who_saw_what"` // one row for each party
	Found      []string `json:"found,omitempty"`
}

// Seen is one row of the table of who saw what.
type Seen struct {
	Party string `json:"party"`
	Knows string `json:"knows"`
	Lacks string `json:"does_not_know"`
}

// OK says whether everything held.
func (r Result) OK() bool {
	return r.Lost == 0 && r.Duplicated == 0 && r.Leaks == 0 && r.Alarms == 0 && r.Delivered == r.Sent && r.Sent > 0
}

// Print writes the result for people.
func (r Result) Print(w io.Writer) error {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "WHO\tSAW\tNEVER SAW\n")
	for _, s := range r.Seen {
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Party, s.Knows, s.Lacks)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range r.Found {
		fmt.Fprintf(w, "LEAK: %s\n", f)
	}
	_, err := fmt.Fprintf(w, "\n%d messages sent, %d delivered, %d lost, %d doubled; addresses replaced %d times;\n"+
		"%d agent killed half-way and brought back; %d leaks in %d agents' files. %.1f s.\n",
		r.Sent, r.Delivered, r.Lost, r.Duplicated, r.Rotations, r.Killed, r.Leaks, r.Agents, r.Seconds)
	return err
}

func seen() []Seen {
	return []Seen{
		{"Alex's sending agent", "Alex's connection, which receiving agent, size, time", "Blair's address, text, what became of it"},
		{"Blair's sending agent", "Blair's connection, which receiving agent, size, time", "Alex's address, text, what became of it"},
		{"receiving agents", "mailboxes, which sending agent, size, time", "who sent, who it is for, text"},
		{"Alex, Blair", "text, each other's receiving agents and addresses", "each other's sending agents and IP addresses"},
	}
}
