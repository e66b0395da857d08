package eventlog

import (
	"encoding/binary"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// crashedLog makes a log of many batches, of which a row is gone from Badger's tables
// since, and which was not closed in order.
func crashedLog(t *testing.T) (dir string, o Options) {
	t.Helper()
	dir = t.TempDir()
	o = Options{Signer: parseKey, MinFree: -1, MinFreePercent: -1, Ballast: -1, DiskEvery: -1, ScrubEvery: -1}
	log, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	events := make([]Event, 1000)
	for i := range events {
		events[i] = Event{Kind: 1, Version: 1, Key: make([]byte, 8), Body: make([]byte, 300)}
	}
	for round := range 5 { // more than two checkpoints' worth of rows
		for i := range events {
			binary.BigEndian.PutUint64(events[i].Key, uint64(round*len(events)+i))
		}
		if _, err := log.Append(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	changeStore(t, dir, row{seqKey(keyBatch, 1001), nil})
	heads, err := openHeadFile(filepath.Join(dir, headName), log.(*eventLog).pub)
	if err != nil {
		t.Fatal(err)
	}
	heads.path = filepath.Join(dir, storeName, manifestName)
	head, err := heads.read()
	if err == nil {
		err = heads.look()
	}
	if err == nil {
		err = heads.write(head) // as while the log is open
	}
	if err != nil || heads.close(false) != nil {
		t.Fatal(err)
	}
	return dir, o
}

// changeStore changes a row behind the log's back.
func changeStore(t *testing.T, dir string, r row) {
	t.Helper()
	logger := newBadgerLogger(slog.New(slog.DiscardHandler), func(error) {})
	eng, err := openBadger(badgerOptions(filepath.Join(dir, storeName), logger), logger)
	if err != nil {
		t.Fatal(err)
	}
	if err := eng.commit([]row{r}); err != nil {
		t.Fatal(err)
	}
	if err := eng.close(); err != nil {
		t.Fatal(err)
	}
}

// TestAStartThatDidNotEndIsTakenUp: a gap that was in the replayed rows is found by the
// start after the one that flushed them, and by every one after that.
func TestAStartThatDidNotEndIsTakenUp(t *testing.T) {
	dir, o := crashedLog(t)
	if err := os.WriteFile(filepath.Join(dir, openingName), encodeOpening(1), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		log, err := Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if s := log.State(); s.Health != ReadOnly {
			t.Errorf("a log with a gap is %+v", s)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, openingName)); err != nil {
			t.Errorf("the note went though the log is damaged: %v", err)
		}
	}
}

// TestStartsVerifyWhatIsReplayed and not what was in verified tables before.
func TestStartsVerifyWhatIsReplayed(t *testing.T) {
	dir, o := crashedLog(t)
	log, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if s := log.State(); s.Health != Healthy {
		t.Errorf("the start read what it need not: %+v", s)
	}
	if _, err := os.Stat(filepath.Join(dir, openingName)); !os.IsNotExist(err) {
		t.Errorf("the note stays: %v", err)
	}
	if report, err := log.Verify(t.Context()); err != nil || len(report.Damage) == 0 {
		t.Errorf("verifying finds %+v, %v", report, err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheNoteOfAStart(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, openingName)
	for _, c := range []struct {
		name         string
		file         []byte // nil: none
		newest, want uint64
		stays        bool
	}{
		{"closed in order", nil, allFlushed, allFlushed, false},
		{"first start after a crash", nil, 7, 7, true},
		{"the one before did not end", encodeOpening(5), 9, 5, true},
		{"it did not end and was closed", encodeOpening(5), allFlushed, 5, true},
		{"older tables", encodeOpening(9), 5, 5, true},
		{"cut short", encodeOpening(9)[:20], 5, 0, true},
		{"of another layout", append([]byte(openingMagic), 2), 5, 0, true},
	} {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if c.file != nil {
			if err := os.WriteFile(path, c.file, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := beforeReplay(dir, c.newest)
		if err != nil || got != c.want {
			t.Errorf("%s: trusts %d, want %d: %v", c.name, got, c.want, err)
		}
		value, err := os.ReadFile(path)
		if stays := err == nil; stays != c.stays || stays && parseOpening(value) != c.want {
			t.Errorf("%s: the note is %x, %v", c.name, value, err)
		}
	}
	whole := encodeOpening(77)
	for i := range whole {
		changed := append([]byte(nil), whole...)
		changed[i] ^= 1
		if v := parseOpening(changed); v != 0 {
			t.Errorf("with byte %d changed it says %d", i, v)
		}
	}
}
