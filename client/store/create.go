package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Create makes a new profile at path and opens it; [ErrExists] when there is
// something. It is made under another name in the same folder and appears
// complete or not at all, also when two processes try at once.
func Create(path string, passphrase []byte, o Options) (*Store, error) {
	o = o.withDefaults()
	if err := absent(path); err != nil {
		return nil, err
	}
	key, err := newFileKey(o.Rand)
	if err != nil {
		return nil, err
	}
	tmp, err := newProfileFile(path, passphrase, key, o)
	if err != nil {
		return nil, err
	}
	defer removeDatabase(tmp)
	if err := fill(tmp, key, o, time.Time{}); err != nil {
		return nil, err
	}
	if err := publish(tmp, path); err != nil {
		return nil, err
	}
	return open(path, key, o)
}

func absent(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return ErrExists
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return fmt.Errorf("store: %w", err)
}

// newProfileFile makes a file beside path that holds only the header.
func newProfileFile(path string, passphrase []byte, key fileKey, o Options) (string, error) {
	header := make([]byte, headerSize)
	s, err := sealSlot(o.Rand, kindProfile, 1, o.KDF, passphrase, key)
	if err != nil {
		return "", err
	}
	copy(header, s)
	return newFile(path, header, o.Rand)
}

// newFile makes a file with a random name beside path, readable by its owner.
func newFile(path string, content []byte, rand io.Reader) (string, error) {
	var suffix [8]byte
	if _, err := io.ReadFull(rand, suffix[:]); err != nil {
		return "", err
	}
	name := path + ".new-" + hex.EncodeToString(suffix[:])
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	_, err = f.Write(content)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(name)
		return "", fmt.Errorf("store: %w", err)
	}
	return name, nil
}

// fill makes the tables, if they are not there, and the profile's row, or marks
// an imported profile. The connection's closing leaves no log behind.
func fill(tmp string, key fileKey, o Options, imported time.Time) error {
	c, err := openConn(tmp, key, o)
	if err != nil {
		return err
	}
	err = c.useWAL()
	if err == nil {
		err = migrate(c)
	}
	if err == nil {
		s := &Store{opts: o}
		err = s.transact(context.Background(), c, "BEGIN IMMEDIATE", func(tx *Tx) error {
			if !imported.IsZero() {
				return markImported(tx, imported)
			}
			_, err := tx.exec(`INSERT INTO profile (one, created) VALUES (1, ?1)`, tx.Now())
			return err
		})
	}
	return errors.Join(err, c.close())
}

// publish syncs a finished file and gives it its name, unless that is taken.
func publish(tmp, path string) error {
	if err := syncFile(tmp); err != nil {
		return err
	}
	if err := os.Link(tmp, path); errors.Is(err, fs.ErrExist) {
		return ErrExists
	} else if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := os.Remove(tmp); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return syncFile(filepath.Dir(path))
}

// syncFile syncs a file or a folder.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// removeDatabase removes a temporary database and what SQLite puts beside it.
func removeDatabase(path string) {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		os.Remove(path + suffix)
	}
}
