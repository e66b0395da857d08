package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"communicator/client"
	"communicator/client/lookup"
	"communicator/directory/proof"
)

func followCommand() *cobra.Command {
	return relateCommand(proof.Succession, "follow OLD NEW", "Say that one identity of yours takes the place of another",
		"%s takes the place of %s; told: %s")
}

func equivalentCommand() *cobra.Command {
	return relateCommand(proof.Equivalence, "equivalent ONE OTHER", "Say that two identities of yours are the same person",
		"%s and %s are the same person; told: %s")
}

// relateCommand has both keys sign what two identities are to each other.
func relateCommand(kind proof.RelationKind, use, short, done string) *cobra.Command {
	cmd, profile := personCommand(use, short, cobra.ExactArgs(2))
	cmd.Long = short + ".\n\nAn identity is a name of yours (NAME@NAMESPACE), or who you are towards a contact (the\n" +
		"contact's name). Both keys sign it, and it cannot be taken back. Who is told learns that the\n" +
		"two belong together: contacts who know one of them, those named with --to, and, of two\n" +
		"names, everybody who looks one of them up."
	var o client.RelateOptions
	cmd.Flags().StringArrayVar(&o.To, "to", nil, "tell the contact `NAME` too (repeat for more)")
	cmd.Flags().BoolVar(&o.Private, "private", false, "of two names: tell contacts alone, and no directory")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			r, err := c.Relate(ctx, kind, args[0], args[1], o)
			if err != nil {
				return err
			}
			told := "nobody"
			if len(r.Told) > 0 {
				told = strings.Join(r.Told, ", ")
			}
			if r.Sent > 0 {
				told += fmt.Sprintf(" (directories that have it: %d)", r.Sent)
			}
			one, other := args[0], args[1]
			if kind == proof.Succession {
				one, other = other, one
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), done+"\n", printable(one), printable(other), printable(told))
			return err
		})
	}
	return cmd
}

type relationJSON struct {
	Kind   string    `json:"kind"` // succession: b follows a; equivalence
	A      string    `json:"a"`    // Ed25519, base64
	B      string    `json:"b"`
	Issued time.Time `json:"issued"`
}

func relationsToJSON(list []proof.Relation) (out []relationJSON) {
	for _, r := range list {
		kind := "succession"
		if r.Kind == proof.Equivalence {
			kind = "equivalence"
		}
		out = append(out, relationJSON{kind, base64.StdEncoding.EncodeToString(r.A.Key[:]),
			base64.StdEncoding.EncodeToString(r.B.Key[:]), r.Issued})
	}
	return out
}

// printRelations says what the name's identity has signed of itself and others.
func printRelations(w io.Writer, res lookup.Result) {
	if res.IdDoc == (proof.IdDoc{}) {
		return
	}
	own := proof.PartyOf(res.IdDoc)
	for _, r := range res.Relations {
		words, other := "", r.B
		switch {
		case r.Kind == proof.Equivalence && r.A == own, r.Kind == proof.Equivalence && r.B == own:
			words = "the same person as the key"
			if r.B == own {
				other = r.A
			}
		case r.B == own:
			words, other = "follows the key", r.A
		case r.A == own:
			words = "IS FOLLOWED by the key"
		default:
			continue
		}
		fmt.Fprintf(w, "  %s %s, both keys have signed it, %s\n", words,
			base64.StdEncoding.EncodeToString(other.Key[:]), r.Issued.Local().Format(time.DateTime))
	}
}
