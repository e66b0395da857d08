package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"communicator/client"
	"communicator/client/lookup"
	"communicator/client/transport"
	"communicator/dht"
	"communicator/directory/proof"
	"communicator/directory/vend"
)

// namesFlags say how names are looked up: with a profile, which remembers, or without.
type namesFlags struct {
	profile *profileFlags
	memory  string
	via     []string
}

// envLookup names the folder where lookups without a profile remember.
const envLookup = "COMMUNICATOR_LOOKUP"

func addNamesFlags(cmd *cobra.Command) *namesFlags {
	f := &namesFlags{profile: addProfileFlags(cmd)}
	cmd.Flags().StringVar(&f.memory, "memory", "", "without --profile: remember namespaces and what was seen in `DIR` (default $"+envLookup+", else ~/.communicator-lookup)")
	cmd.Flags().StringArrayVar(&f.via, "via", nil, "ask the node or directory at `URI` (repeat for more)")
	return f
}

// with runs fn with a resolver: the profile's if one was named, or one that needs no
// account.
func (f *namesFlags) with(cmd *cobra.Command, fn func(ctx context.Context, r *lookup.Resolver) error) error {
	if f.profile.dir != "" {
		return f.profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			r, err := c.Names(ctx, f.via...)
			if err != nil {
				return err
			}
			return fn(ctx, r)
		})
	}
	memory, err := f.openMemory()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	known, err := lookup.New(lookup.Options{Memory: memory}).Namespaces(ctx)
	if err != nil {
		return err
	}
	var remembered []string
	for _, n := range known {
		if n.Petname != "" { // others were only looked at, and anybody can make one
			remembered = append(remembered, n.Peers...)
		}
	}
	j, err := f.join(ctx, remembered)
	if err != nil {
		return err
	}
	o := lookup.Options{Memory: memory, Dial: j.Dial}
	if j.Overlay().Stats().Peers > 0 {
		o.Overlay = j.Overlay()
	}
	err = fn(ctx, lookup.New(o))
	settle, cancel := context.WithTimeout(ctx, 2*time.Second) // repairs that the lookups began
	defer cancel()
	_ = j.Overlay().Settle(settle)
	return errors.Join(err, j.Close())
}

// join enters the overlay, through --via first; that none of the nodes can be reached shows in the lookups.
func (f *namesFlags) join(ctx context.Context, remembered []string) (*lookup.Joined, error) {
	host, err := transport.NewHost(f.profile.proxy)
	if err != nil {
		return nil, err
	}
	j, err := lookup.Join(ctx, lookup.HostFunc(host), dht.Config{Refresh: -1}, f.via, remembered)
	if j == nil {
		return nil, usage(err)
	}
	if ctx.Err() != nil {
		return nil, errors.Join(context.Cause(ctx), j.Close())
	}
	return j, nil
}

func (f *namesFlags) openMemory() (lookup.Dir, error) {
	dir := f.memory
	if dir == "" {
		dir = os.Getenv(envLookup)
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return lookup.Dir{}, usagef("no --memory was given, and there is no home directory")
		}
		dir = filepath.Join(home, ".communicator-lookup")
	}
	return lookup.OpenDir(dir)
}

func nameCommands() []*cobra.Command {
	return []*cobra.Command{lookupCommand(), attestationCommand(), watchCommand(), registerCommand(), rekeyCommand(), objectCommand(), ruleCommand(), tokenCommand(), contactCommand()}
}

func lookupCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "lookup NAME@NAMESPACE", Short: "Find and prove whose key a name is; needs no account", GroupID: "names",
		Args: usageArgs(cobra.MaximumNArgs(1))}
	names := addNamesFlags(cmd)
	out := cmd.Flags().String("out", "", "write the proof to `FILE`, for 'attestation verify'")
	batch := cmd.Flags().Bool("batch", false, "look up each line of standard input")
	relations := cmd.Flags().Bool("relations", false, "ask directories whom the key follows, who follows it, and who is the same person; they learn whose key is meant")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *batch == (len(args) == 1) || *batch && *out != "" {
			return usagef("name one NAME@NAMESPACE, or use --batch without --out")
		}
		return names.with(cmd, func(ctx context.Context, r *lookup.Resolver) error {
			if *batch {
				return lookupBatch(ctx, r, cmd.InOrStdin(), cmd.OutOrStdout(), names.via, *asJSON)
			}
			res, err := r.Lookup(ctx, args[0], names.via...)
			if err != nil {
				return err
			}
			if *relations {
				if res, err = r.Relations(ctx, res, names.via...); err != nil {
					return err
				}
			}
			if *out != "" {
				if err := writeWhole(*out, func(w io.Writer) error { _, err := w.Write(res.Proof); return err }); err != nil {
					return err
				}
			}
			return printResult(cmd.OutOrStdout(), res, *asJSON)
		})
	}
	return cmd
}

// lookupBatch looks up a name a line and goes on after one that fails.
func lookupBatch(ctx context.Context, r *lookup.Resolver, in io.Reader, out io.Writer, via []string, asJSON bool) error {
	lines := bufio.NewScanner(in)
	failed := 0
	for lines.Scan() {
		name := strings.TrimSpace(lines.Text())
		if name == "" {
			continue
		}
		res, err := r.Lookup(ctx, name, via...)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch {
		case err == nil:
			err = printResult(out, res, asJSON)
		case asJSON:
			failed++
			err = printJSON(out, map[string]string{"name": name, "error": err.Error()})
		default:
			failed++
			_, err = fmt.Fprintf(out, "%s\n  ✗ %v\n", printable(name), err)
		}
		if err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d could not be proved", failed)
	}
	return lines.Err()
}

func attestationCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "attestation", Short: "Check what a lookup has proved", GroupID: "check", Args: usageArgs(cobra.NoArgs)}
	verify := &cobra.Command{Use: "verify PROOF", Short: "Check a file from 'lookup --out', offline; exit status 5 if it proves nothing",
		Args: usageArgs(cobra.ExactArgs(1))}
	asJSON := jsonFlag(verify)
	verify.RunE = func(cmd *cobra.Command, args []string) error {
		b, err := readFile(args[0], maxProofFile)
		if err != nil {
			return err
		}
		res, err := lookup.VerifyFile(b, time.Now())
		if err != nil {
			return invalid(fmt.Errorf("%s proves nothing: %w", args[0], err))
		}
		return printResult(cmd.OutOrStdout(), res, *asJSON)
	}
	cmd.AddCommand(verify)
	return cmd
}

// maxProofFile bounds what is read of a proof, in bytes.
const maxProofFile = 1 << 20

// readFile reads a file of at most max bytes.
func readFile(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &exitError{exitNotFound, err}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(b)) > max {
		err = invalid(fmt.Errorf("%s has more than %d bytes", path, max))
	}
	return b, err
}

func watchCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "watch NAME@NAMESPACE", Short: "Tell when the log has something new about a name", GroupID: "names",
		Args: usageArgs(cobra.ExactArgs(1))}
	names := addNamesFlags(cmd)
	every := cmd.Flags().Duration("every", 10*time.Minute, "how often to look")
	once := cmd.Flags().Bool("once", false, "look once; exit status 3 if there is something new")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *every < time.Second {
			return usagef("--every is at least a second")
		}
		return names.with(cmd, func(ctx context.Context, r *lookup.Resolver) error {
			for {
				w, err := r.Watch(ctx, args[0], names.via...)
				if err == nil {
					err = printWatched(cmd.OutOrStdout(), w)
				}
				switch {
				case ctx.Err() != nil:
					return nil
				case *once && err == nil && w.Changed && w.Known > 0:
					return unhealthy(fmt.Errorf("%s has changed", args[0]))
				case *once, errors.Is(err, lookup.ErrFrozen), errors.Is(err, proof.ErrName), errors.Is(err, lookup.ErrUnknownNamespace):
					return err
				case err != nil:
					fmt.Fprintf(os.Stderr, "not looked: %v; trying again\n", err)
				}
				if !sleep(ctx, *every) {
					return nil
				}
			}
		})
	}
	return cmd
}

// sleep waits, and says whether ctx still runs.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func registerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "register NAME@NAMESPACE", Short: "Take a name in a namespace", GroupID: "names",
		Args: usageArgs(cobra.ExactArgs(1))}
	profile := addProfileFlags(cmd)
	token := cmd.Flags().String("token", "", "the `TOKEN` that the namespace's authority gave you")
	via := cmd.Flags().StringArray("via", nil, "ask the directory at `URI` (repeat for more)")
	out := cmd.Flags().String("out", "", "without a token: write what the authority has to attest to `FILE`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o := client.RegisterOptions{Peers: *via}
		if *token != "" {
			t, err := parseToken(*token)
			if err != nil {
				return err
			}
			o.Token = &t
		}
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			own, err := c.Register(ctx, args[0], o)
			if errors.Is(err, client.ErrNotAttested) && *out != "" {
				return writeDraft(ctx, c, args[0], *out)
			}
			if errors.Is(err, client.ErrNotAttested) {
				return fmt.Errorf("%w: give --token, or write what its authority attests by hand with --out FILE", err)
			}
			if err != nil {
				return err
			}
			if own.Published.IsZero() {
				fmt.Fprintln(os.Stderr, "It is attested, and not in the overlay yet: only the namespace's own nodes know it. 'communicator receive' tries again.")
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is yours. 'communicator rule %s open' lets people write to you; until then nobody may.\n", own.Name, own.Name)
			return err
		})
	}
	return cmd
}

func writeDraft(ctx context.Context, c *client.Client, name, path string) error {
	d, err := c.Draft(ctx, name)
	if err != nil {
		return err
	}
	if err := writeWhole(path, func(w io.Writer) error { return printJSON(w, d) }); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Give %s to the namespace's authority within some minutes; then run this again.\n", path)
	return nil
}

// parseToken reads what 'namespace token' prints.
func parseToken(s string) (t vend.Token, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(t) {
		return t, usagef("%q is not a token", s)
	}
	return vend.Token(b), nil
}

var rules = map[string]vend.Rule{
	"default": vend.Default, "closed": vend.Closed, "invited": vend.Invited, "members": vend.Members,
	"approved": vend.Approved, "open": vend.Open,
}

func parseRule(s string, perHour uint32) (vend.Policy, error) {
	rule, ok := rules[s]
	if !ok {
		return vend.Policy{}, usagef("%q is none of closed, invited, members, approved, open and default", s)
	}
	p := vend.Policy{Rule: rule, PerHour: perHour}
	if rule == vend.Closed || rule == vend.Default {
		p.PerHour = 0
	}
	return p, nil
}

func ruleCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "rule NAME@NAMESPACE RULE", Short: "Say who may begin a conversation under a name of yours", GroupID: "names",
		Long: "RULE is closed (nobody), invited (holders of a token of yours), members (of the namespace),\n" +
			"approved (you decide: 'communicator requests'), open (everybody, against a proof of work),\n" +
			"or default (the namespace's).",
		Args: usageArgs(cobra.ExactArgs(2))}
	profile := addProfileFlags(cmd)
	perHour := cmd.Flags().Uint32("per-hour", 10, "how many an hour at most")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := parseRule(args[1], *perHour)
		if err != nil {
			return err
		}
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error { return c.SetRule(ctx, args[0], p) })
	}
	return cmd
}

func contactCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "contact NAME@NAMESPACE", Short: "Ask for permission to write to a name, and begin the conversation", GroupID: "names",
		Args: usageArgs(cobra.ExactArgs(1))}
	profile := addProfileFlags(cmd)
	var o client.AskOptions
	cmd.Flags().StringVar(&o.As, "name", "", "what to call them (default: the name asked for)")
	cmd.Flags().StringVar(&o.Claim, "claim", "", "prove in the conversation that `NAME@NAMESPACE` is yours")
	cmd.Flags().StringVar(&o.Note, "note", "", "a line to them, if they decide who may write")
	cmd.Flags().StringArrayVar(&o.Peers, "via", nil, "ask the directory at `URI` (repeat for more)")
	token := cmd.Flags().String("token", "", "the `TOKEN` of an invitation, or a member's")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *token != "" {
			t, err := parseToken(*token)
			if err != nil {
				return err
			}
			o.Token = &t
		}
		return profile.with(cmd, func(ctx context.Context, c *client.Client) error {
			contact, err := c.Ask(ctx, args[0], o)
			if errors.Is(err, client.ErrNotGranted) {
				return fmt.Errorf("%w; 'communicator receive' asks again, from a minute on, or the same command at once", err)
			}
			if err != nil && !errors.Is(err, client.ErrNoRoute) {
				return err
			}
			_, perr := fmt.Fprintf(cmd.OutOrStdout(), "you can write to %s: communicator send %q TEXT\n", printable(contact.Name), contact.Name)
			return errors.Join(err, perr)
		})
	}
	return cmd
}
