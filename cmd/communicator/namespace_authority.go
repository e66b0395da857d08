package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"communicator/client/directory"
	"communicator/client/registrar"
	"communicator/directory/authority"
	"communicator/directory/proof"
	"communicator/directory/vend"
	"communicator/wire"
)

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
	cmd := &cobra.Command{Use: "attest DIR DRAFT", Short: "Attest what somebody's 'register --out' or 'rekey --out' wrote", Args: usageArgs(cobra.ExactArgs(2))}
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
