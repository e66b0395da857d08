package directory

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"communicator/directory/proof"
)

// CheckpointFiles keeps checkpoints in a folder, one file for each namespace: the signed
// note as it was shown. A file is replaced, never changed in place. The folder lies
// beside the node's keys, outside of what a backup of the log holds.
func CheckpointFiles(dir string) CheckpointStore { return checkpointFiles(dir) }

type checkpointFiles string

const checkpointSuffix = ".checkpoint"

func (dir checkpointFiles) path(ns proof.NSID) string {
	return filepath.Join(string(dir), ns.String()+checkpointSuffix)
}

func (dir checkpointFiles) Load(ns proof.NSID) ([]byte, error) {
	note, err := os.ReadFile(dir.path(ns))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return note, err
}

func (dir checkpointFiles) Save(ns proof.NSID, note []byte) error {
	temporary := dir.path(ns) + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(note)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(temporary, dir.path(ns))
	}
	if err != nil {
		return err
	}
	folder, err := os.Open(string(dir))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// memoryCheckpoints is for tests and simulations.
type memoryCheckpoints struct {
	mu    sync.Mutex // guards notes
	notes map[proof.NSID][]byte
}

func (m *memoryCheckpoints) Load(ns proof.NSID) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.notes[ns], nil
}

func (m *memoryCheckpoints) Save(ns proof.NSID, note []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.notes == nil {
		m.notes = map[proof.NSID][]byte{}
	}
	m.notes[ns] = bytes.Clone(note)
	return nil
}
