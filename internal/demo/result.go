package demo

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Result is what the demonstration found; its JSON is what `demo --json` prints.
type Result struct {
	Sent         int          `json:"sent"`
	Delivered    int          `json:"delivered"`
	Lost         int          `json:"lost"`
	Duplicated   int          `json:"duplicated"`
	Rotations    int          `json:"rotations"` // of address sets, all sides
	Agents       int          `json:"agents"`    // nodes that were started
	Killed       int          `json:"killed"`    // agents killed with SIGKILL and brought back
	Leaks        int          `json:"leaks"`     // secrets found in nodes' files
	Alarms       int          `json:"alarms"`    // raised by any client
	Names        Names        `json:"names"`
	Broker       Broker       `json:"broker"`
	Introduction Introduction `json:"introduction"`
	Fork         Fork         `json:"fork"`
	Seconds      float64      `json:"seconds"`      // from the first process to the last check
	Seen         []Seen       `json:"who_saw_what"` // one row for each party
	Found        []string     `json:"found,omitempty"`
}

// Names is what came of registering a name and looking it up.
type Names struct {
	Registered       int  `json:"registered"`
	OverlayNodes     int  `json:"overlay_nodes"` // that met
	LookupBeforeLoss bool `json:"lookup_before_loss"`
	Killed           int  `json:"killed"` // nodes of the overlay, for good
	LookupAfterLoss  bool `json:"lookup_after_loss"`
	Hops             int  `json:"hops"`        // of the second lookup, one after another
	ProofBytes       int  `json:"proof_bytes"` // that were verified alone
}

func (n Names) held() bool {
	return n.Registered > 0 && n.LookupBeforeLoss && n.Killed*3 >= n.OverlayNodes && n.OverlayNodes > 0 && n.LookupAfterLoss && n.ProofBytes > 0
}

// Broker is what came of writing to a name.
type Broker struct {
	Contacts int  `json:"contacts"`
	Attested bool `json:"attested"` // the contact is shown as who the name is
	Messages int  `json:"messages"`
}

func (b Broker) held() bool { return b.Contacts > 0 && b.Attested && b.Messages > 0 }

// Introduction is what came of introducing two people.
type Introduction struct {
	Made     bool `json:"made"`
	Consents int  `json:"consents"`
	Messages int  `json:"messages"`
}

func (i Introduction) held() bool { return i.Made && i.Consents == 2 && i.Messages > 0 }

// Fork is what came of a log with two faces.
type Fork struct {
	Lied       bool `json:"lied"` // somebody was shown another key, with a proof
	Caught     bool `json:"caught"`
	ProofBytes int  `json:"proof_bytes"` // that were verified alone
}

func (f Fork) held() bool { return f.Lied && f.Caught && f.ProofBytes > 0 }

// Seen is one row of the table of who saw what.
type Seen struct {
	Party string `json:"party"`
	Knows string `json:"knows"`
	Lacks string `json:"does_not_know"`
}

// count adds one message that came so many times.
func (r *Result) count(times int) {
	if times == 0 {
		r.Lost++
		return
	}
	r.Delivered++
	r.Duplicated += times - 1
}

// OK says whether everything held.
func (r Result) OK() bool {
	return r.Lost == 0 && r.Duplicated == 0 && r.Leaks == 0 && r.Alarms == 0 && r.Delivered == r.Sent && r.Sent > 0 &&
		r.Names.held() && r.Broker.held() && r.Introduction.held() && r.Fork.held()
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
	if r.Alarms > 0 {
		fmt.Fprintf(w, "ALARMS: %d\n", r.Alarms)
	}
	_, err := fmt.Fprintf(w, "\n%d messages sent, %d delivered, %d lost, %d doubled; addresses replaced %d times;\n"+
		"%d leaks in the files of %d nodes. %.1f s.\n",
		r.Sent, r.Delivered, r.Lost, r.Duplicated, r.Rotations, r.Leaks, r.Agents, r.Seconds)
	return err
}

func seen() []Seen {
	return []Seen{
		{"a sending agent", "its person's connection, which receiving agent, size, time", "the other's address, text, what became of it"},
		{"receiving agents", "mailboxes, which sending agent, size, time", "who sent, who it is for, text"},
		{"the club's directory", "names and their history, which name was asked for", "who asked, who wrote to whom, text"},
		{"nodes of the overlay", "a sealed record, who asked for it", "the name, the namespace, whose key it is"},
		{"Alex, Blair, Carol", "text, each other's receiving agents and addresses", "each other's sending agents and IP addresses"},
		{"Alex, who introduced", "that both agreed, where their first mailboxes are", "what they write, once they have verified each other"},
	}
}
