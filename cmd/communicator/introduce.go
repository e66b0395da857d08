package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"communicator/client"
)

// introduceCommand offers two contacts to introduce them to each other.
func introduceCommand() *cobra.Command {
	cmd, profile := personCommand("introduce NAME NAME", "Introduce two people to each other, if both agree", cobra.ExactArgs(2))
	var o client.IntroduceOptions
	cmd.Flags().StringVar(&o.FirstAs, "first-as", "", "what the first one is called towards the second (default: your name for them)")
	cmd.Flags().StringVar(&o.SecondAs, "second-as", "", "what the second one is called towards the first")
	cmd.Flags().StringVar(&o.Note, "note", "", "a line to both")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			q, err := c.Introduce(ctx, args[0], args[1], o)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s asked both; 'communicator requests' shows what they answer\n", q.ID)
			return err
		})
	}
	return cmd
}

// requestsCommand lists what waits for somebody's consent.
func requestsCommand() *cobra.Command {
	cmd, profile := personCommand("requests", "List what waits for your consent, and introductions under way", cobra.NoArgs)
	all := cmd.Flags().Bool("all", false, "list what has ended too")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			requests, err := c.Requests(ctx, *all)
			if err != nil {
				return err
			}
			// A directory that cannot be asked does not keep the rest from being shown.
			knocks, asking := c.Knocks(ctx)
			if err := printKnocks(cmd.OutOrStdout(), knocks, *asJSON); err != nil {
				return err
			}
			if len(knocks) > 0 && len(requests) == 0 {
				return asking
			}
			return errors.Join(printRequests(cmd.OutOrStdout(), requests, *asJSON), asking)
		})
	}
	return cmd
}

func approveCommand() *cobra.Command {
	cmd, profile := personCommand("approve ID", "Agree to a request that 'communicator requests' lists", cobra.ExactArgs(1))
	name := cmd.Flags().String("name", "", "what to call the person (default: as who introduces you does)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			if knock, ok := strings.CutPrefix(args[0], knockPrefix); ok {
				return c.AnswerKnock(ctx, knock, true)
			}
			q, err := c.Approve(ctx, args[0], *name)
			if err != nil {
				return err
			}
			return printRequest(cmd.OutOrStdout(), q)
		})
	}
	return cmd
}

func declineCommand() *cobra.Command {
	cmd, profile := personCommand("decline ID", "Refuse a request, or take an introduction of yours back", cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			if knock, ok := strings.CutPrefix(args[0], knockPrefix); ok {
				return c.AnswerKnock(ctx, knock, false)
			}
			q, err := c.Decline(ctx, args[0])
			if err != nil {
				return err
			}
			return printRequest(cmd.OutOrStdout(), q)
		})
	}
	return cmd
}

// knockPrefix begins the ids of requests that wait at a directory.
const knockPrefix = "n"

func printKnocks(w io.Writer, knocks []client.Knock, asJSON bool) error {
	for _, k := range knocks {
		var err error
		if asJSON {
			err = printJSON(w, map[string]any{"id": knockPrefix + k.ID, "kind": "contact", "waiting": true, "name": k.Name, "note": k.Note})
		} else {
			_, err = fmt.Fprintf(w, "%s%s  somebody asks to write to %s: %q\n", knockPrefix, k.ID, printable(k.Name), printable(k.Note))
		}
		if err != nil {
			return err
		}
	}
	if len(knocks) > 0 && !asJSON {
		fmt.Fprintln(os.Stderr, "Answer with 'communicator approve ID' or 'communicator decline ID'.")
	}
	return nil
}

// requestLine says what a request is and where it stands.
func requestLine(q client.Request) string {
	return fmt.Sprintf("%s, %s: %s", q.ID, requestSubject(q), printable(q.Words()))
}

func requestSubject(q client.Request) string {
	switch {
	case len(q.Sides) == 2:
		return fmt.Sprintf("you introduce %s and %s", printable(q.Sides[0].Name), printable(q.Sides[1].Name))
	case q.Nearby:
		return "direct exchange with " + nameOr(q.Name, "somebody nearby")
	}
	return fmt.Sprintf("%s introduces you to %s", printable(q.From), printable(q.Name))
}

func printRequest(w io.Writer, q client.Request) error {
	_, err := fmt.Fprintln(w, requestLine(q))
	return err
}

func printRequests(w io.Writer, requests []client.Request, asJSON bool) error {
	if asJSON {
		for _, q := range requests {
			if err := printJSON(w, requestToJSON(q)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(requests) == 0 {
		_, err := fmt.Fprintln(w, "nothing waits")
		return err
	}
	waiting := false
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, q := range requests {
		waiting = waiting || q.Waiting
		fmt.Fprintf(t, "%s\t%s\t%s\tuntil %s\n", q.ID, requestSubject(q), printable(q.Words()),
			q.Expires.Local().Format(time.DateTime))
		if q.Note != "" {
			fmt.Fprintf(t, "\t  %q\t\t\n", printable(q.Note))
		}
	}
	if waiting {
		fmt.Fprintln(os.Stderr, "Answer with 'communicator approve ID' or 'communicator decline ID'.")
	}
	return t.Flush()
}

type requestJSON struct {
	ID      string            `json:"id"`
	Kind    string            `json:"kind"`
	Waiting bool              `json:"waiting"`
	State   string            `json:"state"`
	Words   string            `json:"words"`
	From    string            `json:"from,omitempty"`
	Name    string            `json:"name,omitempty"`
	Note    string            `json:"note,omitempty"`
	Contact string            `json:"contact,omitempty"`
	Sides   []requestSideJSON `json:"sides,omitempty"`
	Created time.Time         `json:"created"`
	Expires time.Time         `json:"expires"`
}

type requestSideJSON struct {
	Name  string `json:"name"`
	State string `json:"state"`
}

func requestToJSON(q client.Request) requestJSON {
	j := requestJSON{ID: q.ID, Kind: "introduction", Waiting: q.Waiting, State: q.State.String(), Words: q.Words(),
		From: q.From, Name: q.Name, Note: q.Note, Contact: q.Contact, Created: q.Created, Expires: q.Expires}
	if q.Nearby {
		j.Kind = "nearby"
	}
	for _, s := range q.Sides {
		j.Sides = append(j.Sides, requestSideJSON{s.Name, s.State.String()})
	}
	return j
}
