package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"communicator/client/lookup"
	"communicator/client/registrar"
	"communicator/directory/authority"
	"communicator/directory/proof"
	"communicator/node"
	"communicator/node/config"
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
