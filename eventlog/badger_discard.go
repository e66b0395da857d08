package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Badger counts in DISCARD how much of each value file is dead: u64 file ‖ u64
// bytes, in the order of files, zeros after the last.
const (
	discardName = "DISCARD"
	discardSize = 1 << 20 // when new; it doubles
)

// mendDiscard replaces a DISCARD that was cut short, over which Badger would panic,
// by one that calls every value file dead. They are only statistics: the next
// compact looks into each of those files and keeps what is alive.
func mendDiscard(store string) error {
	path := filepath.Join(store, discardName)
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() >= discardSize && info.Size()&(info.Size()-1) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("eventlog: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(store, "*.vlog"))
	if err != nil {
		return err
	}
	data := make([]byte, 0, discardSize)
	for _, name := range names { // in order: Badger pads the numbers
		id, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(name), ".vlog"), 10, 32)
		if err != nil {
			continue
		}
		data = binary.BigEndian.AppendUint64(data, id)
		data = binary.BigEndian.AppendUint64(data, valueFileSize)
	}
	size := discardSize
	for size < len(data)+16 {
		size *= 2
	}
	return os.WriteFile(path, append(data, make([]byte, size-len(data))...), 0o600)
}
