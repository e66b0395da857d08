package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"communicator/client/directory"
	"communicator/client/lookup"
	"communicator/client/registrar"
	"communicator/directory/authority"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/node"
	"communicator/node/config"
	"communicator/wire"
)

func namespaceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "namespace", Short: "Run a namespace of names, or know those of others", GroupID: "names", Args: usageArgs(cobra.NoArgs)}
	cmd.AddCommand(namespaceInit(), namespaceShow(), namespaceAdd(), namespaceForget(), namespaceList(), namespaceToken(), namespaceRule(),
		namespaceAttest(), namespaceDelegate(), namespaceRevoke(), namespaceRotate(), namespacePeers(), namespaceLog(), namespaceServe())
	return cmd
}

func namespaceInit() *cobra.Command {
	cmd := &cobra.Command{Use: "init DIR", Short: "Make a namespace: keys and first manifest; prints its id", Args: usageArgs(cobra.ExactArgs(1))}
	o := authority.Options{}
	cmd.Flags().IntVar(&o.Roots, "roots", 1, "how many root keys, 1 to 5")
	cmd.Flags().IntVar(&o.Threshold, "threshold", 1, "how many of them change the namespace")
	cmd.Flags().DurationVar(&o.Hold, "hold", proof.DefaultHold, "how long a holder may object when a name is taken away")
	cmd.Flags().StringArrayVar(&o.Peers, "peer", nil, "the `URI` of a node that will serve it (repeat for more)")
	cmd.Flags().BoolVar(&o.Unlisted, "unlisted", false, "names are not meant to be guessed")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.Now = time.Now()
		a, err := authority.Init(args[0], o)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "Made %s. Move %s/keys/root-*.key to media of their own and keep copies: whoever has %d of them owns the namespace.\n"+
			"Next: communicator namespace serve %s --data NODE-DIR\n", args[0], args[0], o.Threshold, args[0])
		_, err = fmt.Fprintln(cmd.OutOrStdout(), a.ID())
		return err
	}
	return cmd
}

type namespaceJSON struct {
	ID       string   `json:"id"`
	Petname  string   `json:"petname,omitempty"`
	Manifest uint32   `json:"manifest"`
	Roots    int      `json:"roots"`
	Need     uint8    `json:"threshold"`
	Hold     string   `json:"hold"`
	Keys     int      `json:"attesting_keys"`
	Peers    []string `json:"peers"`
	Frozen   bool     `json:"frozen"`
}

func namespaceToJSON(id proof.NSID, petname string, m proof.Manifest, peers []string, frozen bool) namespaceJSON {
	return namespaceJSON{id.String(), petname, m.Number, len(m.Roots), m.Threshold, m.Hold.String(), len(m.Attesting), append([]string{}, peers...), frozen}
}

func printNamespace(w io.Writer, j namespaceJSON) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "id\t%s\n", j.ID)
	if j.Petname != "" {
		fmt.Fprintf(t, "petname\t%s\n", printable(j.Petname))
	}
	fmt.Fprintf(t, "manifest\t%d, %d of %d root keys change it\n", j.Manifest, j.Need, j.Roots)
	fmt.Fprintf(t, "hold\t%s\n", j.Hold)
	fmt.Fprintf(t, "attesting keys\t%d\n", j.Keys)
	for _, p := range j.Peers {
		fmt.Fprintf(t, "served by\t%s\n", printable(p))
	}
	if j.Frozen {
		fmt.Fprintf(t, "FROZEN\tits log was caught showing two faces: nothing of it is believed\n")
	}
	return t.Flush()
}

func namespaceShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show DIR|PETNAME|ID", Short: "Show a namespace: one of yours by its folder, or one that you know", Args: usageArgs(cobra.ExactArgs(1))}
	names := addNamesFlags(cmd)
	fork := cmd.Flags().String("fork", "", "of a frozen one: write the proof that its log has two faces to `FILE`")
	asJSON := jsonFlag(cmd)
	show := func(cmd *cobra.Command, j namespaceJSON) error {
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), j)
		}
		return printNamespace(cmd.OutOrStdout(), j)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
			a, err := openAuthority(args[0])
			if err != nil {
				return err
			}
			m := a.Chain().Current()
			return show(cmd, namespaceToJSON(a.ID(), "", m, m.Peers, false))
		}
		return names.with(cmd, func(ctx context.Context, r *lookup.Resolver) error {
			n, err := r.Namespace(ctx, args[0], names.via...)
			if err != nil {
				return err
			}
			if *fork != "" {
				if n.Fork == nil {
					return errors.New("there is no proof of a fork")
				}
				if err := writeWhole(*fork, func(w io.Writer) error { _, err := w.Write(n.Fork); return err }); err != nil {
					return err
				}
			}
			return show(cmd, namespaceToJSON(n.ID, n.Petname, n.Manifest, n.Peers, n.Frozen))
		})
	}
	return cmd
}

// openAuthority opens a namespace's folder.
func openAuthority(dir string) (*authority.Authority, error) {
	a, err := authority.Open(dir)
	if errors.Is(err, authority.ErrNone) {
		err = &exitError{exitNotFound, err}
	}
	return a, err
}

func namespaceAdd() *cobra.Command {
	cmd := &cobra.Command{Use: "add PETNAME ID", Short: "Call a namespace by a name of your own; --via is a node that serves it", Args: usageArgs(cobra.ExactArgs(2))}
	names := addNamesFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := proof.ParseNSID(args[1])
		if err != nil {
			return usage(err)
		}
		return names.with(cmd, func(ctx context.Context, r *lookup.Resolver) error {
			n, err := r.Add(ctx, id, args[0], names.via...)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is %s, manifest %d\n", n.Petname, n.ID, n.Manifest.Number)
			return err
		})
	}
	return cmd
}

func namespaceList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the namespaces that you know", Args: usageArgs(cobra.NoArgs)}
	names := addNamesFlags(cmd)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return names.with(cmd, func(ctx context.Context, r *lookup.Resolver) error {
			known, err := r.Namespaces(ctx)
			for _, n := range known {
				j := namespaceToJSON(n.ID, n.Petname, n.Manifest, n.Peers, n.Frozen)
				if *asJSON {
					err = errors.Join(err, printJSON(cmd.OutOrStdout(), j))
					continue
				}
				frozen := ""
				if n.Frozen {
					frozen = "  FROZEN"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s  %s%s\n", nameOr(n.Petname, "-"), n.ID, frozen)
			}
			return err
		})
	}
	return cmd
}

// registrarFlags are what a command of the authority takes to reach a directory.
type registrarFlags struct{ names *namesFlags }

func addRegistrarFlags(cmd *cobra.Command) registrarFlags {
	f := &namesFlags{profile: &profileFlags{}}
	cmd.Flags().StringArrayVar(&f.via, "via", nil, "the directory at `URI` (default: the manifest's peers)")
	cmd.Flags().StringVar(&f.profile.proxy, "proxy", "", "reach it through a SOCKS5 proxy at `HOST:PORT`")
	return registrarFlags{f}
}

// with runs fn for the namespace in a folder, at the first of its directories that can
// be reached.
func (f registrarFlags) with(cmd *cobra.Command, dir string, fn func(ctx context.Context, r *registrar.Registrar) error) error {
	a, err := openAuthority(dir)
	if err != nil {
		return err
	}
	through := slices.Concat(f.names.via, a.Chain().Current().Peers)
	if len(through) == 0 {
		return usagef("--via URI is needed: the manifest names no node that serves the namespace")
	}
	ctx := cmd.Context()
	j, err := f.names.join(ctx, a.Chain().Current().Peers)
	if err != nil {
		return err
	}
	defer j.Close()
	problems := errors.New("no directory of the namespace can be reached")
	for _, uri := range through {
		d, err := j.Directory(ctx, uri)
		if err == nil {
			return errors.Join(f.act(ctx, &registrar.Registrar{Authority: a, Directory: d}, fn), d.Close())
		}
		problems = errors.Join(problems, err)
	}
	return problems
}

// act brings the directory the manifests that it lacks, and then does what was asked for.
func (f registrarFlags) act(ctx context.Context, r *registrar.Registrar, fn func(ctx context.Context, r *registrar.Registrar) error) error {
	err := r.PutManifests(ctx)
	var refused *wire.StatusError
	if errors.As(err, &refused) && refused.Status == wire.StatusUnsupported {
		return errors.New("the node does not have the namespace's new log key: run 'communicator namespace serve' there again")
	}
	if err != nil {
		return err
	}
	return fn(ctx, r)
}

func namespaceToken() *cobra.Command {
	cmd := &cobra.Command{Use: "token DIR", Short: "Make a token that registers one name, or shows that somebody is a member", Args: usageArgs(cobra.ExactArgs(1))}
	flags := addRegistrarFlags(cmd)
	member := cmd.Flags().Bool("member", false, "a member's token, which can be used again and again")
	life := cmd.Flags().Duration("life", 7*24*time.Hour, "how long it is valid")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.with(cmd, args[0], func(ctx context.Context, r *registrar.Registrar) error {
			kind := vend.Registration
			if *member {
				kind = vend.Member
			}
			t, err := r.Token(ctx, kind, *life)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), base64.RawURLEncoding.EncodeToString(t[:]))
			return err
		})
	}
	return cmd
}

func namespaceRule() *cobra.Command {
	cmd := &cobra.Command{Use: "rule DIR RULE", Short: "Say who may write to names whose holders say nothing else", Args: usageArgs(cobra.ExactArgs(2))}
	flags := addRegistrarFlags(cmd)
	perHour := cmd.Flags().Uint32("per-hour", 10, "how many conversations an hour each name takes")
	bits := cmd.Flags().Uint8("work-bits", 20, "proof of work of a request, in leading zero bits")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := parseRule(args[1], *perHour)
		if err != nil {
			return err
		}
		if p.Rule == vend.Default {
			return usagef("a namespace needs a rule of its own")
		}
		return flags.with(cmd, args[0], func(ctx context.Context, r *registrar.Registrar) error {
			return r.SetSpace(ctx, vend.Space{Policy: p, WorkBits: *bits})
		})
	}
	return cmd
}

func namespaceAttest() *cobra.Command {
	cmd := &cobra.Command{Use: "attest DIR DRAFT", Short: "Attest what somebody's 'register --out' wrote", Args: usageArgs(cobra.ExactArgs(2))}
	flags := addRegistrarFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		b, err := readFile(args[1], maxProofFile)
		if err != nil {
			return err
		}
		d, err := directory.ParseDraft(b)
		if err != nil {
			return invalid(fmt.Errorf("%s: %w", args[1], err))
		}
		return flags.with(cmd, args[0], func(ctx context.Context, r *registrar.Registrar) error {
			name, err := r.Attest(ctx, d)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is attested\n", name)
			return err
		})
	}
	return cmd
}

func namespaceDelegate() *cobra.Command {
	cmd := &cobra.Command{Use: "delegate DIR NAME ID", Short: "Let a name stand for another namespace", Args: usageArgs(cobra.ExactArgs(3))}
	flags := addRegistrarFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, err := proof.ParseName(args[1])
		if err != nil {
			return usage(err)
		}
		to, err := proof.ParseNSID(args[2])
		if err != nil {
			return usage(err)
		}
		return flags.with(cmd, args[0], func(ctx context.Context, r *registrar.Registrar) error { return r.Delegate(ctx, name, to) })
	}
	return cmd
}

func namespaceRevoke() *cobra.Command {
	cmd := &cobra.Command{Use: "revoke DIR NAME", Short: "Take a name away, after the hold in which its holder may object", Args: usageArgs(cobra.ExactArgs(2))}
	flags := addRegistrarFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, err := proof.ParseName(args[1])
		if err != nil {
			return usage(err)
		}
		return flags.with(cmd, args[0], func(ctx context.Context, r *registrar.Registrar) error {
			from, err := r.Revoke(ctx, name)
			if errors.Is(err, registrar.ErrFree) {
				err = &exitError{exitNotFound, err}
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is free from %s, unless its holder objects\n", name, from.Local().Format(time.DateTime))
			return err
		})
	}
	return cmd
}

func namespaceRotate() *cobra.Command {
	cmd := &cobra.Command{Use: "rotate DIR zone|attesting|log", Short: "Replace a key; needs root keys. Then run 'namespace serve' again", Args: usageArgs(cobra.ExactArgs(2))}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		role := authority.Role(args[1])
		if role != authority.Zone && role != authority.Attesting && role != authority.Log {
			return usagef("%q is none of zone, attesting and log", args[1])
		}
		a, err := openAuthority(args[0])
		if err != nil {
			return err
		}
		if err := a.Rotate(role, time.Now()); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "manifest %d has a new %s key\n", a.Chain().Current().Number, role)
		return err
	}
	return cmd
}

func namespacePeers() *cobra.Command {
	cmd := &cobra.Command{Use: "peers DIR URI…", Short: "Say which nodes serve the namespace; needs root keys", Args: usageArgs(cobra.MinimumNArgs(1))}
	flags := addRegistrarFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := openAuthority(args[0])
		if err != nil {
			return err
		}
		if err := a.Amend(time.Now(), func(m *proof.Manifest) { m.Peers = args[1:] }); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "manifest %d\n", a.Chain().Current().Number)
		return flags.with(cmd, args[0], func(context.Context, *registrar.Registrar) error { return nil })
	}
	return cmd
}

func namespaceLog() *cobra.Command {
	cmd := &cobra.Command{Use: "log DIR [NAME]", Short: "Show the newest checkpoint of a namespace's log, or the history of a name", Args: usageArgs(cobra.RangeArgs(1, 2))}
	flags := addRegistrarFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.with(cmd, args[0], func(ctx context.Context, r *registrar.Registrar) error {
			w := cmd.OutOrStdout()
			if len(args) == 1 {
				note, _, err := r.Directory.Checkpoint(ctx, r.Authority.Chain())
				if err == nil {
					_, err = w.Write(note)
				}
				return err
			}
			name, err := proof.ParseName(args[1])
			if err != nil {
				return usage(err)
			}
			_, history, err := r.State(ctx, name)
			for _, s := range history {
				change, cerr := s.Change()
				err = errors.Join(err, cerr)
				fmt.Fprintf(w, "%d  %s  %s\n", s.Version, s.Issued.Local().Format(time.DateTime), change)
			}
			if err == nil && len(history) == 0 {
				err = &exitError{exitNotFound, fmt.Errorf("%s has no history", name)}
			}
			return err
		})
	}
	return cmd
}

func namespaceServe() *cobra.Command {
	cmd := &cobra.Command{Use: "serve DIR", Short: "Give a node what it needs to serve the namespace, and run it as a directory too",
		Long: "Copies manifests, log key and zone key, and with --attest the attesting key, from the\n" +
			"namespace's folder to the node's, never a root key; then runs the node. With --install it\n" +
			"stops after copying: add \"directory\" to the roles in the node's config.toml, and restart it.",
		Args: usageArgs(cobra.ExactArgs(1))}
	dir, flags := dataFlag(cmd), addNodeFlags(cmd)
	attests := cmd.Flags().Bool("attest", false, "let the node attest registrations that bring a token by itself")
	install := cmd.Flags().Bool("install", false, "only copy")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := needData(*dir); err != nil {
			return err
		}
		a, err := openAuthority(args[0])
		if err != nil {
			return err
		}
		if _, err := os.Stat(*dir); errors.Is(err, os.ErrNotExist) {
			return &exitError{exitNotFound, fmt.Errorf("there is no node in %s; make one with 'communicator node init --data %s'", *dir, *dir)}
		}
		if err := a.Install(node.SpacesDir(*dir), *attests); err != nil {
			return err
		}
		if *install {
			return nil
		}
		overrides := flags.apply(cmd)
		return runNode(cmd.Context(), *dir, "", func(c *config.Config) {
			overrides(c)
			if !slices.Contains(c.Roles, config.RoleDirectory) {
				c.Roles = append(c.Roles, config.RoleDirectory)
			}
		}, cmd.OutOrStdout())
	}
	return cmd
}
