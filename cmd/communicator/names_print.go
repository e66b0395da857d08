package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"communicator/client/lookup"
	"communicator/directory/proof"
)

type resultJSON struct {
	Name      string     `json:"name"`
	Namespace string     `json:"namespace"`
	Version   uint32     `json:"version"`
	Identity  string     `json:"identity_key,omitempty"` // Ed25519, base64
	Delegate  string     `json:"delegate,omitempty"`
	Statement string     `json:"statement"`
	LoggedAt  time.Time  `json:"logged_not_checked_for_revocation_since"`
	Held      *time.Time `json:"in_force_from,omitempty"`
	Checks    []string   `json:"checks"`
	Warnings  []string   `json:"warnings"`
	// Relations are what the identity has signed of itself and others, where it was asked for.
	Relations []relationJSON `json:"relations,omitempty"`
	Overlay   bool           `json:"from_overlay"`
	Hops      int            `json:"hops"`
}

func printResult(w io.Writer, res lookup.Result, asJSON bool) error {
	hash := res.Statement.Hash()
	j := resultJSON{Name: res.Full, Namespace: res.Namespace.String(), Version: res.Statement.Version,
		Statement: base64.StdEncoding.EncodeToString(hash[:]), LoggedAt: res.LoggedAt,
		Checks: append([]string{}, res.Checks...), Warnings: append([]string{}, res.Warnings...), Overlay: res.FromOverlay, Hops: res.Hops,
		Relations: relationsToJSON(res.Relations)}
	if res.IdDoc != (proof.IdDoc{}) {
		key := res.IdDoc.Key()
		j.Identity = base64.StdEncoding.EncodeToString(key[:])
	}
	if res.Statement.Delegate != (proof.NSID{}) {
		j.Delegate = res.Statement.Delegate.String()
	}
	if res.Held {
		j.Held = &res.Settles
	}
	if asJSON {
		return printJSON(w, j)
	}
	fmt.Fprintln(w, printable(j.Name))
	for _, c := range j.Checks {
		fmt.Fprintf(w, "  ✓ %s\n", printable(c))
	}
	for _, c := range j.Warnings {
		fmt.Fprintf(w, "  ! %s\n", printable(c))
	}
	not, until := "", ""
	if res.Held {
		not, until = "NOT YET the ", ", in force from "+res.Settles.Local().Format(time.DateTime)
	}
	if j.Identity != "" {
		fmt.Fprintf(w, "  %skey %s%s\n", not, j.Identity, until)
	}
	if j.Delegate != "" {
		fmt.Fprintf(w, "  %sdelegated to %s%s\n", strings.Replace(not, "the ", "", 1), j.Delegate, until)
	}
	if j.Identity == "" && j.Delegate == "" && res.Held {
		fmt.Fprintf(w, "  NOT YET free%s\n", until)
	}
	printRelations(w, res)
	_, err := fmt.Fprintf(w, "  logged; not checked for revocation since %s\n", res.LoggedAt.Local().Format(time.DateTime))
	return err
}

func printWatched(w io.Writer, seen lookup.Watched) error {
	at := time.Now().Format(time.DateTime)
	for _, warning := range seen.Warnings {
		fmt.Fprintf(w, "%s ! %s\n", at, printable(warning))
	}
	if !seen.Changed {
		_, err := fmt.Fprintf(w, "%s %s: version %d, nothing new in %d entries\n", at, printable(seen.Full), seen.Known, seen.Size)
		return err
	}
	fmt.Fprintf(w, "%s %s: new in the log: version %v\n", at, printable(seen.Full), seen.Logged)
	if seen.Result.Full == "" {
		return nil
	}
	return printResult(w, seen.Result, false)
}
