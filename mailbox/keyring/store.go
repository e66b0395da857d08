package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// store keeps the files of a ring.
type store interface {
	list() ([]entry, error)
	read(entry) ([]byte, error)
	write(entry, []byte) error
	erase(entry) error
}

const temporary = ".tmp"

// dirStore keeps them in a directory.
type dirStore struct{ dir string }

// openDir makes the directory if need be, and erases what an interrupted write left.
func openDir(dir string) (*dirStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	d := &dirStore{dir}
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	for _, n := range names {
		of, left := strings.CutSuffix(n.Name(), temporary)
		if _, ours := parseName(of); left && ours {
			if err := d.eraseFile(n.Name()); err != nil {
				return nil, fmt.Errorf("keyring: %w", err)
			}
		}
	}
	return d, nil
}

func (d *dirStore) list() ([]entry, error) {
	names, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	var found []entry
	for _, n := range names {
		if e, ok := parseName(n.Name()); ok {
			found = append(found, e)
		}
	}
	return found, nil
}

func (d *dirStore) read(e entry) ([]byte, error) {
	return os.ReadFile(filepath.Join(d.dir, e.name()))
}

// write is atomic and durable: either the whole file is there afterwards, or none.
func (d *dirStore) write(e entry, content []byte) error {
	path := filepath.Join(d.dir, e.name())
	f, err := os.OpenFile(path+temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+temporary))
	}
	if err := os.Rename(path+temporary, path); err != nil {
		return err
	}
	return d.sync()
}

func (d *dirStore) erase(e entry) error { return d.eraseFile(e.name()) }

// eraseFile overwrites before it removes, so that the blocks that the file leaves
// behind hold nothing.
func (d *dirStore) eraseFile(name string) error {
	path := filepath.Join(d.dir, name)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.Write(make([]byte, info.Size()))
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return d.sync()
}

func (d *dirStore) sync() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// memoryStore keeps them for as long as the process lives.
type memoryStore map[entry][]byte

func (m memoryStore) list() ([]entry, error) {
	var found []entry
	for e := range m {
		found = append(found, e)
	}
	return found, nil
}

func (m memoryStore) read(e entry) ([]byte, error)        { return m[e], nil }
func (m memoryStore) write(e entry, content []byte) error { m[e] = content; return nil }
func (m memoryStore) erase(e entry) error                 { clear(m[e]); delete(m, e); return nil }
