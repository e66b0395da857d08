package eventlog

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"communicator/internal/durable"

	"golang.org/x/crypto/cryptobyte"
)

// After a crash Badger replays the write-ahead logs of its memtables and drops whatever
// follows a damaged entry there without a word. What it had flushed to tables before is
// not concerned: commits are flushed in order, each is in one memtable, and the tables
// were just verified. So a start verifies what was committed after the newest version
// that the tables have, and trusts checkpoints up to it.
//
// Badger flushes what it replayed as soon as it is open. Then the tables would vouch for
// what lies behind a gap, at the next start, if this one was killed before it had found
// the gap, or found it. Therefore a start after a crash first writes the version into
// this file, and removes it once it has found the log in order:
//
//	magic "commopen"   8
//	layout             u8    1
//	version            u64   Badger's, the newest in the tables
//	checksum           32    H(all before)
const (
	openingName   = "opening"
	openingMagic  = "commopen"
	openingLayout = 1
)

// allFlushed: the log was closed in order, nothing is replayed.
const allFlushed = math.MaxUint64

// beforeReplay returns the version up to which checkpoints may be trusted, of which it
// takes note in dir: newest is that of the tables, or allFlushed.
func beforeReplay(dir string, newest uint64) (uint64, error) {
	path := filepath.Join(dir, openingName)
	value, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if newest == allFlushed {
			return newest, nil
		}
	case err != nil:
		return 0, fmt.Errorf("eventlog: %w", err)
	default: // an earlier start did not come to its end
		if before := parseOpening(value); before <= newest {
			return before, nil
		}
	}
	if err := durable.WriteFile(path, encodeOpening(newest)); err != nil {
		return 0, fmt.Errorf("eventlog: %w", err)
	}
	return newest, nil
}

// replayed forgets that note: everything is in order.
func (l *eventLog) replayed() error {
	if l.dir == "" {
		return nil
	}
	if err := os.Remove(filepath.Join(l.dir, openingName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("eventlog: %w", err)
	}
	return nil
}

func encodeOpening(version uint64) []byte {
	var b cryptobyte.Builder
	b.AddBytes([]byte(openingMagic))
	b.AddUint8(openingLayout)
	b.AddUint64(version)
	out := b.BytesOrPanic()
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

// parseOpening returns 0, which trusts nothing, for a file that is not whole.
func parseOpening(value []byte) (version uint64) {
	n := len(value) - sha256.Size
	if n < 0 || sha256.Sum256(value[:n]) != [32]byte(value[n:]) {
		return 0
	}
	s := cryptobyte.String(value[:n])
	var magic []byte
	var layout uint8
	if !s.ReadBytes(&magic, len(openingMagic)) || string(magic) != openingMagic ||
		!s.ReadUint8(&layout) || layout != openingLayout || !s.ReadUint64(&version) || !s.Empty() {
		return 0
	}
	return version
}
