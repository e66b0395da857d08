package lookup

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"communicator/directory/proof"
	"communicator/internal/durable"

	"golang.org/x/sys/unix"
)

// Memory keeps rows by key. Keys are lower-case letters, digits and '-'.
type Memory interface {
	// Update runs fn alone, with all that was saved before, and saves what it put if
	// it returns nil: all of it or nothing.
	Update(ctx context.Context, fn func(Rows) error) error
}

// Rows are a memory's rows within an Update.
type Rows interface {
	Get(key string) ([]byte, error) // nil, nil for an absent one
	Put(key string, value []byte) error
	Delete(key string) error // no error for an absent one
	Keys(prefix string) ([]string, error)
}

// spaceRow is what is remembered of a namespace.
type spaceRow struct {
	NSID       string    `json:"nsid"`
	Petname    string    `json:"petname,omitempty"`
	Manifests  [][]byte  `json:"manifests"`
	Peers      []string  `json:"peers,omitempty"` // directories that the person named
	Checkpoint []byte    `json:"checkpoint,omitempty"`
	Fork       []byte    `json:"fork,omitempty"`     // why it is frozen: a proof that anyone can verify
	Conflict   [][]byte  `json:"conflict,omitempty"` // or two staples of a name, and the statements between that tie them
	Seen       time.Time `json:"seen"`
	// ManifestsAt is when newer manifests were last asked for.
	ManifestsAt time.Time `json:"manifests_at,omitzero"`
}

// nameRow is what is remembered of a name.
type nameRow struct {
	NSID    string    `json:"nsid"`
	Name    string    `json:"name"`
	Version uint32    `json:"version"`
	Staple  []byte    `json:"staple"`
	Seen    time.Time `json:"seen"`
	Settles time.Time `json:"settles,omitzero"`  // until then it is attested and not in force
	Settled bool      `json:"settled,omitempty"` // vetoes were asked for after it had settled
	Vetoed  bool      `json:"vetoed,omitempty"`

	said *proof.Statement // of a version that was read in the name's history, and has no staple
}

// on is the day on which the row was seen.
func (row nameRow) on() string { return row.Seen.UTC().Format(time.DateOnly) }

// statement reads the row's statement; an empty row has an empty one.
func (row nameRow) statement() (st proof.Staple, s proof.Statement, err error) {
	switch {
	case row.Version == 0:
		return st, s, nil
	case row.said != nil:
		return st, *row.said, nil
	}
	if st, err = proof.ParseStaple(row.Staple); err == nil {
		s, err = proof.ParseStatement(st.Statement)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrMemory, err)
	}
	return st, s, err
}

func spaceKey(ns proof.NSID) string { return "ns-" + ns.String() }

func nameKey(ns proof.NSID, name proof.Name) string {
	h := sha256.Sum256([]byte(ns.String() + "\x00" + string(name)))
	return "name-" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h[:]))
}

func getRow[T any](rows Rows, key string) (row T, ok bool, err error) {
	b, err := rows.Get(key)
	if err != nil || b == nil {
		return row, false, err
	}
	if err := json.Unmarshal(b, &row); err != nil {
		return row, false, fmt.Errorf("%w: %s: %w", ErrMemory, key, err)
	}
	return row, true, nil
}

func putRow(rows Rows, key string, row any) error {
	b, err := json.Marshal(row)
	if err != nil {
		return err
	}
	return rows.Put(key, b)
}

// Dir is a memory of files, one a row, for lookups without a profile. Several processes
// may use it.
type Dir struct{ path string }

// OpenDir returns the memory in a directory, and makes the directory.
func OpenDir(path string) (Dir, error) { return Dir{path}, os.MkdirAll(path, 0o700) }

// Update implements [Memory]. Each row is replaced whole and durably; a crash between
// two of them leaves the earlier ones saved, which only makes a later lookup compare
// with less.
func (d Dir) Update(_ context.Context, fn func(Rows) error) error {
	lock, err := os.OpenFile(filepath.Join(d.path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // releases the lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	rows := dirRows{d.path, map[string][]byte{}}
	if err := fn(rows); err != nil {
		return err
	}
	for key, value := range rows.written {
		if value == nil {
			if err := os.Remove(filepath.Join(d.path, key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		if err := durable.WriteFile(filepath.Join(d.path, key), value); err != nil {
			return err
		}
	}
	return nil
}

type dirRows struct {
	path    string
	written map[string][]byte // nil: deleted
}

func (r dirRows) Get(key string) ([]byte, error) {
	if b, ok := r.written[key]; ok {
		return b, nil
	}
	info, err := os.Stat(filepath.Join(r.path, key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxRow {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrMemory, key, info.Size())
	}
	return os.ReadFile(filepath.Join(r.path, key))
}

func (r dirRows) Put(key string, value []byte) error {
	r.written[key] = value
	return nil
}

func (r dirRows) Delete(key string) error {
	r.written[key] = nil
	return nil
}

func (r dirRows) Keys(prefix string) ([]string, error) {
	entries, err := os.ReadDir(r.path)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, e := range entries {
		if _, changed := r.written[e.Name()]; !changed && strings.HasPrefix(e.Name(), prefix) {
			keys = append(keys, e.Name())
		}
	}
	for key, value := range r.written {
		if value != nil && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}
