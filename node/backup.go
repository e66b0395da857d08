package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"communicator/eventlog"
	"communicator/internal/durable"
	"communicator/node/config"
	"communicator/wire"
)

// A backup is a stream:
//
//	"communicator backup 1\n" ‖ u32 length ‖ config.toml ‖ u32 length ‖ descriptor ‖
//	the log's own backup, to the end
//
// It holds no key. Whoever restores it without keys/root.key makes another agent.
const backupMagic = "communicator backup 1\n"

// maxBackupFile bounds the two files of a backup, in bytes.
const maxBackupFile = 1 << 20

// ErrNotBackup is a stream that is no backup, or of a version that this build does
// not know.
var ErrNotBackup = errors.New("not a backup of a node")

func writeBackup(ctx context.Context, w io.Writer, dir string, log eventlog.Log) error {
	head := []byte(backupMagic)
	for _, name := range []string{config.FileName, descriptorName} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		head = binary.BigEndian.AppendUint32(head, uint32(len(content)))
		head = append(head, content...)
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	return log.Backup(ctx, w)
}

func readBackupHead(r io.Reader) (settings, descriptor []byte, err error) {
	magic := make([]byte, len(backupMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != backupMagic {
		return nil, nil, ErrNotBackup
	}
	var files [2][]byte
	for i := range files {
		var length [4]byte
		if _, err := io.ReadFull(r, length[:]); err != nil {
			return nil, nil, ErrNotBackup
		}
		n := binary.BigEndian.Uint32(length[:])
		if n > maxBackupFile {
			return nil, nil, ErrNotBackup
		}
		files[i] = make([]byte, n)
		if _, err := io.ReadFull(r, files[i]); err != nil {
			return nil, nil, ErrNotBackup
		}
	}
	return files[0], files[1], nil
}

// Restored says what a restore made.
type Restored struct {
	Agent wire.AgentID
	// NewIdentity: there was no root key, so the directory is another agent now.
	// Nobody who knows the old one finds it.
	NewIdentity bool
	// Events is how many the restored log holds; what came after the backup is lost,
	// and so are all keys: addresses made before are refused.
	Events uint64
}

func (r Restored) String() string {
	who := "the same agent"
	if r.NewIdentity {
		who = "a new agent, since there was no keys/" + rootKeyName
	}
	return fmt.Sprintf("restored %d events as %s; what came after the backup is lost, and every address made before is refused", r.Events, who)
}

// Restore makes a node's directory from a backup. The directory must not exist, be
// empty, or hold nothing but keys/root.key, which makes it the same agent again.
// A restore that fails leaves a directory that no node opens; one that fails because the
// backup cannot be read, or is of a newer version, leaves what was there.
func Restore(ctx context.Context, dir string, r io.Reader) (Restored, error) {
	settings, chainFile, err := readBackupHead(r)
	if err != nil {
		return Restored{}, err
	}
	if _, err := config.Parse(settings); err != nil {
		return Restored{}, err
	}
	_, err = os.Stat(dir)
	missing := errors.Is(err, fs.ErrNotExist)
	fresh, err := restorable(dir)
	if err != nil {
		return Restored{}, err
	}
	keyPath := filepath.Join(dir, keysName, rootKeyName)
	if fresh {
		if _, err := makeRootKey(keyPath, rand.Reader); err != nil {
			return Restored{}, err
		}
	}
	n := &Node{config: Config{Dir: dir}.withDefaults(), failed: make(chan error, 1)}
	if n.key, err = readRootKey(keyPath); err != nil {
		return Restored{}, err
	}
	log, err := eventlog.Restore(ctx, filepath.Join(dir, logName), r, n.logOptions())
	if err != nil {
		return Restored{}, errors.Join(ofNewer("the backup", err), unmake(dir, missing, fresh))
	}
	stat, err := log.Stat()
	if err != nil {
		return Restored{}, errors.Join(err, log.Close())
	}
	out := Restored{Agent: agentOf(n.key), NewIdentity: fresh, Events: stat.Last}
	if err := log.Close(); err != nil {
		return Restored{}, err
	}
	if !fresh && len(chainFile) > 0 {
		if err := durable.WriteFile(filepath.Join(dir, descriptorName), chainFile); err != nil {
			return Restored{}, err
		}
	}
	return out, durable.WriteFile(filepath.Join(dir, config.FileName), settings)
}

// restorable prepares the directory and says whether it needs an identity.
func restorable(dir string) (fresh bool, err error) {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) == 1 && entries[0].Name() == keysName {
		keys, err := os.ReadDir(filepath.Join(dir, keysName))
		if err != nil {
			return false, err
		}
		if len(keys) == 1 && keys[0].Name() == rootKeyName {
			return false, os.Chmod(dir, 0o700)
		}
	}
	return true, makeDirs(dir)
}

// unmake takes back what restorable and a new identity, which nobody has heard of, made.
func unmake(dir string, missing, fresh bool) error {
	if missing {
		return os.RemoveAll(dir)
	}
	if fresh {
		return os.RemoveAll(filepath.Join(dir, keysName))
	}
	return nil
}
