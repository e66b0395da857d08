package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"communicator/client"
	"communicator/client/invite"
	"communicator/client/lookup"
	"communicator/client/nearby"
	"communicator/directory/proof"
	"communicator/particle"
)

const (
	envProfile    = "COMMUNICATOR_PROFILE"
	envPassphrase = "COMMUNICATOR_PASSPHRASE"

	// profileFile is the profile's one file within --profile DIR; SQLite puts its
	// write-ahead log beside it.
	profileFile = "profile.db"
	// maxPassphrase bounds what is read of a passphrase file, in bytes.
	maxPassphrase = 4096
)

// profileFlags are what every person's command takes.
type profileFlags struct {
	dir            string
	passphraseFile string
	proxy          string
}

func addProfileFlags(cmd *cobra.Command) *profileFlags {
	var f profileFlags
	flags := cmd.Flags()
	flags.StringVar(&f.dir, "profile", "", "the profile's `DIR` (default $"+envProfile+", else ~/.communicator)")
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", "read the passphrase from the first line of `FILE` (default $"+envPassphrase+", else ask)")
	flags.StringVar(&f.proxy, "proxy", "", "reach agents through a SOCKS5 proxy at `HOST:PORT`")
	return &f
}

// path returns the profile's file and makes its folder if create is set.
func (f *profileFlags) path(create bool) (string, error) {
	dir := f.dir
	if dir == "" {
		dir = os.Getenv(envProfile)
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", usagef("no --profile was given, and there is no home directory")
		}
		dir = filepath.Join(home, ".communicator")
	}
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, profileFile), nil
}

// open opens the profile for a command; the caller closes it.
func (f *profileFlags) open(ctx context.Context) (*client.Client, error) {
	path, err := f.path(false)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, &exitError{exitNotFound, fmt.Errorf("there is no profile in %s; make one with 'communicator init --profile %s'",
			filepath.Dir(path), filepath.Dir(path))}
	}
	passphrase, err := f.passphrase("Passphrase: ", false)
	if err != nil {
		return nil, err
	}
	return client.Open(ctx, path, passphrase, f.options())
}

func (f *profileFlags) options() client.Options {
	return client.Options{Proxy: f.proxy}
}

// passphrase takes the passphrase from file, environment or terminal, in that order.
// A new one is asked for twice.
func (f *profileFlags) passphrase(prompt string, again bool) ([]byte, error) {
	if f.passphraseFile != "" {
		return readPassphrase(f.passphraseFile)
	}
	if p, ok := os.LookupEnv(envPassphrase); ok && p != "" {
		return []byte(p), nil
	}
	if !terminal(os.Stdin) {
		return nil, usagef("a passphrase is needed: set %s or give --passphrase-file", envPassphrase)
	}
	first, err := ask(prompt)
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		return nil, usagef("the passphrase is empty")
	}
	if !again {
		return first, nil
	}
	second, err := ask("Once more: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, usagef("the two passphrases differ")
	}
	return first, nil
}

func ask(prompt string) ([]byte, error) {
	fmt.Fprint(os.Stderr, prompt)
	b, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(os.Stderr)
	return b, err
}

func readPassphrase(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, usage(err)
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 || len(line) > maxPassphrase {
		return nil, usagef("the first line of %s is empty or over %d bytes", path, maxPassphrase)
	}
	return line, nil
}

// with opens the profile, runs fn and closes the profile, whatever fn returned.
func (f *profileFlags) with(cmd *cobra.Command, fn func(ctx context.Context, c *client.Client) error) error {
	c, err := f.open(cmd.Context())
	if err != nil {
		return err
	}
	return errors.Join(fn(cmd.Context(), c), c.Close())
}

// statusOfClient maps the client library's errors to an exit status.
func statusOfClient(err error) int {
	var long *client.ErrTooLong
	switch {
	case errors.As(err, &long), errors.Is(err, client.ErrBadLink), errors.Is(err, invite.ErrVersion), errors.Is(err, client.ErrBadName),
		errors.Is(err, client.ErrBadText), errors.Is(err, client.ErrWrongPassphrase), errors.Is(err, client.ErrSamePerson),
		errors.Is(err, particle.ErrNotSafetyCode), errors.Is(err, particle.ErrOwnSafetyCode),
		errors.Is(err, nearby.ErrBadName), errors.Is(err, proof.ErrName), errors.Is(err, lookup.ErrPetname), errors.Is(err, lookup.ErrURI):
		return exitUsage
	case provesNothing(err):
		return exitInvalid
	case errors.Is(err, lookup.ErrNotFound), errors.Is(err, lookup.ErrUnknownNamespace), errors.Is(err, client.ErrNoName):
		return exitNotFound
	case errors.Is(err, particle.ErrSafetyDiffers):
		return exitInvalid
	case errors.Is(err, client.ErrNoSuchContact), errors.Is(err, client.ErrNoSuchAgent),
		errors.Is(err, client.ErrNoSuchRequest),
		errors.Is(err, client.ErrNoProfile):
		return exitNotFound
	}
	return exitFailed
}

// provesNothing is whether something was shown that does not hold.
func provesNothing(err error) bool {
	for _, one := range []error{
		lookup.ErrFrozen, lookup.ErrRolledBack, lookup.ErrUncompared, lookup.ErrVetoed, lookup.ErrFormerKey,
		proof.ErrSignature, proof.ErrSigner, proof.ErrThreshold, proof.ErrManifest, proof.ErrNamespace, proof.ErrExpiredKey,
		proof.ErrKind, proof.ErrIdentity, proof.ErrTime, proof.ErrHold, proof.ErrCheckpoint, proof.ErrUnverifiable,
		proof.ErrBound, proof.ErrReplaced, proof.ErrWitnesses, proof.ErrInclusion, proof.ErrConsistency,
	} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}
