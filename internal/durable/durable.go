// Package durable replaces files so that a crash leaves the old content or the new.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile gives a file new content, readable by its owner alone. When it returns nil
// the content and the name are on the disk; after an error, or a crash at any moment,
// the file is as it was or as it should be, and never between.
func WriteFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
