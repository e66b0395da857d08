package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"communicator/internal/durable"
	"communicator/node/access"
	"communicator/node/config"
)

// ErrNotEmpty is a directory that already holds something.
var ErrNotEmpty = errors.New("the directory is not empty")

// Init makes a node's directory with a new identity and a commented configuration,
// and returns the agent's URI with a first token of so many uses. The directory must
// not exist, or be empty. Where the configuration leaves the port to the system the
// URI is not known yet, and neither it nor a token is made.
func Init(ctx context.Context, dir string, settings config.Config, uses int) (uri string, err error) {
	if uses < 1 || uses > access.MaxTokenUses {
		return "", access.ErrUses
	}
	if err := settings.Validate(); err != nil {
		return "", err
	}
	if err := makeDirs(dir); err != nil {
		return "", err
	}
	if _, err := makeRootKey(filepath.Join(dir, keysName, rootKeyName), rand.Reader); err != nil {
		return "", err
	}
	// The configuration comes last: it is what makes the directory a node's.
	if err := config.WriteFile(filepath.Join(dir, config.FileName), settings); err != nil {
		return "", err
	}
	if err := durable.SyncDir(dir); err != nil {
		return "", err
	}
	o, err := openOffline(ctx, dir)
	if err != nil {
		return "", err
	}
	if _, ok := o.lastURI(); ok {
		uri, err = o.NewToken(ctx, uses)
	}
	return uri, errors.Join(err, o.Close())
}

// makeDirs makes a directory that is empty, for its owner alone.
func makeDirs(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s: %w", dir, ErrNotEmpty)
	}
	if err := os.MkdirAll(filepath.Join(dir, keysName), 0o700); err != nil {
		return err
	}
	return os.Chmod(dir, 0o700)
}
