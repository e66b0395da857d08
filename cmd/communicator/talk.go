package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"communicator/client"
	"communicator/particle"
)

func sendCommand() *cobra.Command {
	cmd, profile := personCommand("send NAME [TEXT|-]", "Send a message; '-' or no text reads it from standard input", cobra.RangeArgs(1, 2))
	wait := cmd.Flags().Bool("wait", false, "return when a receiving agent has stored it, not when a sending agent has taken it")
	file := cmd.Flags().String("receipt", "", "write the receipt to `FILE`")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := textOf(args[1:], cmd.InOrStdin())
		if err != nil {
			return err
		}
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			limited, stop := ctx, context.CancelFunc(nil)
			if *wait {
				stop = noteWaiting(os.Stderr)
			} else {
				limited, stop = context.WithTimeout(ctx, sendPatience)
			}
			sent, err := c.Send(limited, args[0], text, sendOptions(*wait, *file != ""))
			stop()
			if kept(sent) && errors.Is(err, context.DeadlineExceeded) {
				err = nil // saved; whatever collects next tries again
			}
			if kept(sent) && errors.Is(err, client.ErrNoRoute) {
				err = fmt.Errorf("not delivered: %s", refusedHelp)
			}
			if err != nil {
				if kept(sent) && ctx.Err() != nil {
					fmt.Fprintln(os.Stderr, "the message is kept and will be tried again: do not send it twice")
				}
				return err
			}
			if *file != "" {
				if err := writeReceipt(*file, sent); err != nil {
					return err
				}
			}
			if *asJSON {
				return printJSON(cmd.OutOrStdout(), map[string]string{"id": sent.ID.String(), "state": sent.State.String()})
			}
			if sent.State == client.Pending {
				fmt.Fprintln(os.Stderr, "kept here: no sending agent could be reached; 'communicator receive' tries again")
			}
			return nil
		})
	}
	return cmd
}

const (
	// sendPatience is how long send waits for a sending agent.
	sendPatience = 30 * time.Second
	// waitQuiet is how long send --wait says nothing.
	waitQuiet = 10 * time.Second
)

// noteWaiting says after a while why nothing happens, unless it is stopped before.
func noteWaiting(w io.Writer) (stop context.CancelFunc) {
	timer := time.AfterFunc(waitQuiet, func() {
		fmt.Fprintln(w, "still waiting: none of the contact's receiving agents has taken it yet. "+
			"Interrupt whenever you like: the message is kept and goes on being tried; 'communicator status' shows what is away")
	})
	return func() { timer.Stop() }
}

// kept says whether a message was saved before its Send ended.
func kept(s client.Sent) bool { return s.ID != client.MessageID{} }

// textOf takes the text from the command line or, up to one byte over the limit, from in.
func textOf(args []string, in io.Reader) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return args[0], nil
	}
	b, err := io.ReadAll(io.LimitReader(in, particle.MaxText+1))
	if err != nil {
		return "", err
	}
	if len(b) > particle.MaxText {
		return "", usagef("the text is longer than the limit of %d bytes", particle.MaxText)
	}
	return strings.TrimSuffix(string(b), "\n"), nil
}

func writeReceipt(path string, sent client.Sent) error {
	if sent.ReceiptFile == nil {
		return errors.New("there is no receipt yet: no agent has taken the message")
	}
	return writeWhole(path, func(w io.Writer) error {
		_, err := w.Write(sent.ReceiptFile)
		return err
	})
}

func receiveCommand() *cobra.Command {
	cmd, profile := personCommand("receive", "Collect messages, and send what is waiting", cobra.NoArgs)
	follow := cmd.Flags().Bool("follow", false, "stay, and print what comes until interrupted")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		show := func(e client.Event) { printEvent(cmd.OutOrStdout(), e, *asJSON) }
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			if *follow {
				return untilInterrupted(c.Follow(ctx, show))
			}
			events, err := c.Receive(ctx)
			for _, e := range events {
				show(e)
			}
			return err
		})
	}
	return cmd
}

// untilInterrupted makes an interrupt the ordinary end of a command that follows.
func untilInterrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func historyCommand() *cobra.Command {
	cmd, profile := personCommand("history NAME", "Print the conversation with somebody", cobra.ExactArgs(1))
	last := cmd.Flags().Int("last", 50, "how many messages to print, newest last (0: all)")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			messages, err := c.History(ctx, args[0], 0, *last)
			if err != nil {
				return err
			}
			for _, m := range messages {
				if *asJSON {
					err = printJSON(cmd.OutOrStdout(), messageToJSON(m))
				} else {
					err = printMessage(cmd.OutOrStdout(), m)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return cmd
}

// chatCommand reads lines and sends each, while what arrives is printed.
func chatCommand() *cobra.Command {
	cmd, profile := personCommand("chat NAME", "Talk line by line; end with Ctrl-D", cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			return chat(ctx, c, args[0], cmd.InOrStdin(), cmd.OutOrStdout())
		})
	}
	return cmd
}

// chatLast is how much of the conversation chat shows first.
const chatLast = 10

func chat(ctx context.Context, c *client.Client, name string, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	met, err := chatOpening(ctx, c, name, out)
	if err != nil {
		return err
	}
	joined := make(chan struct{}) // closed when somebody invited has accepted
	followed := make(chan error, 1)
	go func() {
		followed <- untilInterrupted(c.Follow(ctx, func(e client.Event) {
			printEvent(out, e, false)
			if added, ok := e.(client.ContactAdded); ok && !met && added.Contact.Name == name {
				met = true
				close(joined)
			}
		}))
	}()
	// The reader of standard input cannot be interrupted; it ends with the process.
	lines, ended := make(chan string), make(chan error, 1)
	read := func() { go readLines(ctx, in, lines, ended) }
	if met {
		read()
	}
	for {
		select {
		case <-joined:
			joined = nil
			read()
		case line := <-lines:
			switch sent, err := c.Send(ctx, name, line, client.SendOptions{}); {
			case errors.Is(err, client.ErrNoRoute): // the event says so
			case err != nil && kept(sent):
				fmt.Fprintf(os.Stderr, "kept, and tried again: %v\n", err)
			case err != nil:
				fmt.Fprintf(os.Stderr, "not sent: %v\n", err)
			}
		case err := <-ended:
			cancel()
			return errors.Join(err, <-followed)
		case err := <-followed:
			return err
		}
	}
}

// chatOpening shows the end of the conversation. Met is false if the other side was
// invited under that name and has not accepted yet.
func chatOpening(ctx context.Context, c *client.Client, name string, out io.Writer) (met bool, err error) {
	messages, err := c.History(ctx, name, 0, chatLast)
	if errors.Is(err, client.ErrNoSuchContact) {
		status, serr := c.Status(ctx)
		if serr != nil {
			return false, serr
		}
		for _, inv := range status.Invitations {
			if inv.Name == name {
				_, err := fmt.Fprintf(out, "* waiting for %s to accept the invitation\n", printable(name))
				return false, err
			}
		}
	}
	if err != nil {
		return false, err
	}
	for _, m := range messages {
		if err := printMessage(out, m); err != nil {
			return true, err
		}
	}
	return true, nil
}

func readLines(ctx context.Context, in io.Reader, lines chan<- string, ended chan<- error) {
	for r := bufio.NewReader(in); ; {
		line, err := readLine(r)
		if line != "" {
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
		if errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			continue
		}
		ended <- err
		return
	}
}

// readLine returns the next line, of one that is too long what shows that it is.
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, more, err := r.ReadLine()
		line = append(line, part[:min(len(part), particle.MaxText+1-len(line))]...)
		if !more || err != nil {
			return string(line), err
		}
	}
}

func statusCommand() *cobra.Command {
	cmd, profile := personCommand("status", "Show agents, contacts, and what is queued, delivered or expired", cobra.NoArgs)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			s, err := c.Status(ctx)
			if err != nil {
				return err
			}
			if *asJSON {
				return printJSON(cmd.OutOrStdout(), statusToJSON(s))
			}
			return printStatus(cmd.OutOrStdout(), s)
		})
	}
	return cmd
}

func printStatus(w io.Writer, s client.Status) error {
	if err := printAgents(w, s.Agents, false); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, c := range s.Contacts {
		fmt.Fprintf(w, "%s: %s, %d of your receiving agents, lifeline %s, %d queued, %d delivered\n",
			printable(c.Name), c.State, c.Receiving, yesNo(c.Lifeline), c.Queued, c.Delivered)
		if c.Refused > 0 {
			fmt.Fprintf(w, "  %d refused by every agent that they could go by: add another sending agent and they go\n", c.Refused)
		}
		if c.Lost > 0 {
			fmt.Fprintf(w, "  %d expired or found every address closed: 'communicator resend %s' sends them again\n", c.Lost, printable(c.Name))
		}
		if c.Problem != "" {
			fmt.Fprintf(w, "  degraded: %s\n", c.Problem)
		}
	}
	for _, inv := range s.Invitations {
		fmt.Fprintf(w, "invitation for %s until %s: %s\n", nameOr(inv.Name, "somebody"),
			inv.Expires.Local().Format(time.DateTime), inv.Link)
	}
	fmt.Fprintf(w, "%d queued here, %d at a sending agent, %d could not be decrypted\n", s.Queued, s.Submitted, s.Quarantined)
	for _, d := range s.Degraded {
		fmt.Fprintf(w, "degraded: %s\n", d)
	}
	if !s.Imported.IsZero() {
		fmt.Fprintf(w, "imported on %s: conversations are re-established, verify them again\n", s.Imported.Local().Format(time.DateTime))
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func nameOr(name, or string) string {
	if name == "" {
		return or
	}
	return printable(name)
}

type statusJSON struct {
	Agents      []agentJSON         `json:"agents"`
	Contacts    []contactStatusJSON `json:"contacts"`
	Invitations []invitationJSON    `json:"invitations"`
	Queued      int                 `json:"queued"`
	Submitted   int                 `json:"submitted"`
	Quarantined int                 `json:"quarantined"`
	Degraded    []string            `json:"degraded"`
	Imported    *time.Time          `json:"imported,omitempty"`
}

type contactStatusJSON struct {
	contactJSON
	Receiving int    `json:"receiving_agents"`
	Lifeline  bool   `json:"lifeline"`
	Queued    int    `json:"queued"`
	Refused   int    `json:"refused"` // of the queued ones
	Delivered int    `json:"delivered"`
	Lost      int    `json:"expired"` // or refused
	Problem   string `json:"problem,omitempty"`
}

func statusToJSON(s client.Status) statusJSON {
	j := statusJSON{Agents: []agentJSON{}, Contacts: []contactStatusJSON{}, Invitations: []invitationJSON{},
		Queued: s.Queued, Submitted: s.Submitted, Quarantined: s.Quarantined, Degraded: append([]string{}, s.Degraded...)}
	for _, a := range s.Agents {
		j.Agents = append(j.Agents, agentJSON{a.URI, roleNames(a.Roles), agentStates[a.State], a.Added})
	}
	for _, c := range s.Contacts {
		j.Contacts = append(j.Contacts, contactStatusJSON{contactToJSON(c.Contact), c.Receiving, c.Lifeline, c.Queued, c.Refused, c.Delivered, c.Lost, c.Problem})
	}
	for _, i := range s.Invitations {
		j.Invitations = append(j.Invitations, invitationJSON{i.Link, i.Name, i.Expires})
	}
	if !s.Imported.IsZero() {
		j.Imported = &s.Imported
	}
	return j
}

// sendOptions waits for the sending agent's receipt, or with wait for the outcome.
func sendOptions(wait, file bool) client.SendOptions {
	o := client.SendOptions{Wait: client.UntilSubmitted, ReceiptFile: file}
	if wait {
		o.Wait = client.UntilStored
	}
	return o
}
