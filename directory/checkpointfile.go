package directory

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"communicator/directory/proof"
	"communicator/internal/durable"
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
	return durable.WriteFile(dir.path(ns), note)
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
