package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"communicator/client"
	"communicator/client/nearby"
)

// nearbyTime is how long the command searches and waits altogether.
const nearbyTime = 15 * time.Minute

type nearbyFlags struct {
	name, call, choose string
	asJSON             *bool
}

// nearbyCommand meets somebody on the same local network.
func nearbyCommand() *cobra.Command {
	cmd, profile := personCommand("nearby", "Meet somebody who is on the same local network, comparing four words", cobra.NoArgs)
	var f nearbyFlags
	cmd.Flags().StringVar(&f.name, "name", "", "announce this `NAME` to whoever is on the network (default: none)")
	cmd.Flags().StringVar(&f.call, "call", "", "what to call the other person (default: as they announce themselves, else ask)")
	cmd.Flags().StringVar(&f.choose, "choose", "", "choose the first one who announces this `NAME`, without asking")
	f.asJSON = jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			ctx, cancel := context.WithTimeout(ctx, nearbyTime)
			defer cancel()
			return meetNearby(ctx, c, f, newDialogue(ctx, cmd.InOrStdin(), cmd.OutOrStdout(), *f.asJSON))
		})
	}
	return cmd
}

// dialogue is what is shown and what the person answers, line by line.
type dialogue struct {
	out    io.Writer
	asJSON bool
	lines  chan string
	ended  chan error
}

func newDialogue(ctx context.Context, in io.Reader, out io.Writer, asJSON bool) *dialogue {
	d := &dialogue{out: out, asJSON: asJSON, lines: make(chan string), ended: make(chan error, 1)}
	// The reader of standard input cannot be interrupted; it ends with the process.
	go readLines(ctx, in, d.lines, d.ended)
	return d
}

// tell shows something: words to a person, or one JSON value.
func (d *dialogue) tell(text string, value map[string]any) {
	if d.asJSON {
		printJSON(d.out, value)
		return
	}
	fmt.Fprintln(d.out, text)
}

// line waits for an answer, or for changed.
func (d *dialogue) line(ctx context.Context, changed <-chan struct{}) (text string, answered bool, err error) {
	select {
	case text := <-d.lines:
		return strings.TrimSpace(text), true, nil
	case <-changed:
		return "", false, nil
	case err := <-d.ended:
		if err == nil {
			err = io.EOF
		}
		d.ended <- err
		return "", false, fmt.Errorf("no answer: %w", err)
	case <-ctx.Done():
		return "", false, context.Cause(ctx)
	}
}

// ask waits for an answer to a question.
func (d *dialogue) ask(ctx context.Context, question, event string) (string, error) {
	d.tell(question, map[string]any{"event": event})
	text, _, err := d.line(ctx, nil)
	return text, err
}

// meetNearby offers a package, exchanges it with whom the person chooses, and begins the
// relationship if both people found the words the same.
func meetNearby(ctx context.Context, c *client.Client, f nearbyFlags, d *dialogue) error {
	offer, err := c.OfferDirect(ctx)
	if errors.Is(err, client.ErrNoAgents) {
		return fmt.Errorf("%w: the other side has to reach you through one: communicator agents add URI", err)
	}
	if err != nil {
		return err
	}
	agreed, err := exchangeNearby(ctx, c, f, d, offer)
	if errors.Is(err, errNoVerdict) {
		return err // whether they agreed shows by itself
	}
	whole := context.WithoutCancel(ctx)
	q, ferr := c.FinishDirect(whole, offer, agreed)
	if err = errors.Join(err, ferr); err != nil {
		return err
	}
	if !agreed {
		return errors.New("the other side did not find the words the same: nothing was begun")
	}
	d.tell(fmt.Sprintf("%s is a contact, verified in person. 'communicator receive' completes it.", printable(q.Name)),
		map[string]any{"event": "done", "request": requestToJSON(q)})
	return nil
}

// errNoVerdict says that our person agreed, and the other side's answer did not come.
var errNoVerdict = errors.New("the other side's answer did not come: if they agreed the conversation begins by itself, " +
	"as 'communicator requests' shows; otherwise try again")

// errWords says that our person found the words different.
var errWords = errors.New("the words differ: somebody may be between you; nothing was begun. Try again on another network")

func exchangeNearby(ctx context.Context, c *client.Client, f nearbyFlags, d *dialogue, offer client.Direct) (agreed bool, err error) {
	s, err := nearby.Open(nearby.Options{Name: f.name, Package: offer.Package})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	peer, err := choosePeer(ctx, s, f, d)
	if err != nil {
		return false, err
	}
	d.tell("waiting for them to choose you …", map[string]any{"event": "waiting"})
	m, err := s.Exchange(ctx, peer)
	if err != nil {
		return false, err
	}
	d.tell("\n    "+m.Words.String()+"\n", map[string]any{"event": "words", "words": m.Words})
	answer, err := d.ask(ctx, "Does the other screen show the same four words? Read them aloud. [y/N]", "compare")
	if err != nil {
		return false, err
	}
	if !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes") {
		_, _ = m.Agree(ctx, false)
		return false, errWords
	}
	if err := confirmAs(ctx, c, f, d, offer, m); err != nil {
		_, _ = m.Agree(ctx, false)
		return false, err
	}
	agreed, err = m.Agree(ctx, true)
	if err != nil {
		return false, fmt.Errorf("%w (%w)", errNoVerdict, err)
	}
	return agreed, nil
}

// confirmAs records our person's yes under a name that is free.
func confirmAs(ctx context.Context, c *client.Client, f nearbyFlags, d *dialogue, offer client.Direct, m *nearby.Match) error {
	name := f.call
	if name == "" {
		name = m.Name
	}
	for {
		if name != "" {
			err := c.ConfirmDirect(ctx, offer, name, m.Package)
			if !errors.Is(err, client.ErrContactExists) && !errors.Is(err, client.ErrBadName) {
				return err
			}
			fmt.Fprintf(os.Stderr, "%v\n", err)
		}
		var err error
		if name, err = d.ask(ctx, "What do you want to call them?", "name"); err != nil {
			return err
		}
	}
}

// choosePeer shows who is near until the person has chosen one.
func choosePeer(ctx context.Context, s *nearby.Service, f nearbyFlags, d *dialogue) (string, error) {
	d.tell("searching the local network; run 'communicator nearby' on the other side too", map[string]any{"event": "searching"})
	for {
		peers, changed := s.Peers()
		for _, p := range peers {
			if f.choose != "" && p.Name == f.choose {
				return p.ID, nil
			}
		}
		showPeers(d, peers)
		if f.choose != "" {
			select {
			case <-changed:
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
			continue
		}
		text, answered, err := d.line(ctx, changed)
		if err != nil {
			return "", err
		}
		if id, ok := pickPeer(peers, text); answered && ok {
			return id, nil
		} else if answered {
			fmt.Fprintf(os.Stderr, "%q is not in the list\n", printable(text))
		}
	}
}

func showPeers(d *dialogue, peers []nearby.Peer) {
	type peerJSON struct {
		ID     string `json:"id"`
		Name   string `json:"name,omitempty"`
		Chosen bool   `json:"has_chosen_you"`
	}
	list := []peerJSON{}
	var text strings.Builder
	for i, p := range peers {
		list = append(list, peerJSON{p.ID, p.Name, p.Chosen})
		note := ""
		if p.Chosen {
			note = ", who has chosen you"
		}
		fmt.Fprintf(&text, "  %d  %s (%s)%s\n", i+1, nameOr(p.Name, "somebody"), p.ID, note)
	}
	if len(peers) == 0 && !d.asJSON {
		return
	}
	d.tell(text.String()+"Whom do you want to meet? Type a number.", map[string]any{"event": "near", "peers": list})
}

// pickPeer finds what the person typed: a number of the list, a name or an id.
func pickPeer(peers []nearby.Peer, text string) (string, bool) {
	if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(peers) {
		return peers[n-1].ID, true
	}
	found := ""
	for _, p := range peers {
		if p.ID == text {
			return p.ID, true
		}
		if text != "" && p.Name == text {
			if found != "" {
				return "", false // two of that name: by number
			}
			found = p.ID
		}
	}
	return found, found != ""
}
