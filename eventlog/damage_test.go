package eventlog_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"communicator/eventlog"
)

// TestADamagedTableIndexIsNamed: the store would not open at all, or panic, over a
// table that it cannot look into.
func TestADamagedTableIndexIsNamed(t *testing.T) {
	dir := t.TempDir()
	log, err := eventlog.Open(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		mustAppend(t, log, put(fmt.Sprint(i), "", "body"))
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "store", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal("no table", err)
	}
	data, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	for i := range 16 { // the index ends the file, with its checksum and their lengths
		data[len(data)-1-i] ^= 0x55
	}
	if err := os.WriteFile(tables[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = eventlog.Open(dir, quiet())
	var damage *eventlog.DamageError
	if !errors.As(err, &damage) || !strings.Contains(err.Error(), filepath.Base(tables[0])) {
		t.Errorf("open: %v", err)
	}
}
