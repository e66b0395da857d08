package eventlog

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"communicator/wire"
)

// older knows version 1 of kinds below 10.
func older(k Kind, version uint8) bool { return k < 10 && version == 1 }

func kindOptions(knows func(Kind, uint8) bool) Options {
	return Options{Signer: parseKey, Knows: knows, MinFree: -1, MinFreePercent: -1, Ballast: -1, DiskEvery: -1, ScrubEvery: -1}
}

func appendKinds(t *testing.T, log Log, kinds ...KindVersion) {
	t.Helper()
	for _, k := range kinds {
		if _, err := log.Append(t.Context(), Event{Kind: k.Kind, Version: k.Version}); err != nil {
			t.Fatal(err)
		}
	}
}

// refused checks that something failed for these kinds, and says what to do.
func refused(t *testing.T, err error, kinds ...KindVersion) {
	t.Helper()
	var unknown *UnknownKindsError
	if !errors.As(err, &unknown) || !errors.Is(err, wire.ErrVersion) || !slices.Equal(unknown.Kinds, kinds) {
		t.Fatalf("not refused for %v: %v", kinds, err)
	}
	for _, k := range kinds {
		if !strings.Contains(err.Error(), k.String()) || !strings.Contains(err.Error(), "install the newer version") {
			t.Errorf("%v and what to do is not in: %v", k, err)
		}
	}
}

func opened(t *testing.T, log Log, err error) Log {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func closed(t *testing.T, log Log) {
	t.Helper()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// filesOf lists every file below dir with its size and hash, but for value-log files with
// nothing in them, of which the store makes another each time.
func filesOf(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if len(content) <= 20 && filepath.Ext(path) == ".vlog" {
			return err
		}
		fmt.Fprintf(&out, "%s %d %x\n", path, len(content), sha256.Sum256(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestNewerEventsAreNoticedAtStart: a program that is older than some of the events
// refuses the log, whose tables are current, and changes nothing. Pruning the events does
// not make it fit, for the tables were made with them.
func TestNewerEventsAreNoticedAtStart(t *testing.T) {
	dir := t.TempDir()
	open := func(knows func(Kind, uint8) bool) (Log, error) { return Open(dir, kindOptions(knows)) }
	log, err := open(older)
	opened(t, log, err)
	appendKinds(t, log, KindVersion{1, 1}, KindVersion{2, 1}, KindVersion{1, 1})
	closed(t, log)
	log, err = open(nil)
	opened(t, log, err)
	appendKinds(t, log, KindVersion{12, 1}, KindVersion{2, 1}, KindVersion{2, 2})
	want := []KindVersion{{1, 1}, {2, 1}, {2, 2}, {12, 1}}
	if stat, err := log.Stat(); err != nil || !slices.Equal(stat.Kinds, want) {
		t.Errorf("stat lists %v, %v", stat.Kinds, err)
	}
	closed(t, log)
	before := filesOf(t, dir)
	_, err = open(older)
	refused(t, err, KindVersion{2, 2}, KindVersion{12, 1})
	if after := filesOf(t, dir); after != before {
		t.Errorf("refusing changed the files from\n%sto\n%s", before, after)
	}
	log, err = open(nil)
	opened(t, log, err)
	appendKinds(t, log, KindVersion{1, 1}) // the newest batch is never pruned
	if err := log.Prune(t.Context(), time.Now().Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if stat, err := log.Stat(); err != nil || stat.First != 7 || !slices.Equal(stat.Kinds, want) {
		t.Errorf("pruned: %+v, %v", stat, err)
	}
	closed(t, log)
	_, err = open(older)
	refused(t, err, KindVersion{2, 2}, KindVersion{12, 1})
}

// TestAKindIsNotedWithItsFirstEvent takes copies of the store at each commit: one that
// has the event of a newer version is refused by the older program, whenever the machine
// stops; one that does not have it yet is opened.
func TestAKindIsNotedWithItsFirstEvent(t *testing.T) {
	var copies []*Memory
	o := kindOptions(nil)
	o.Memory = new(Memory)
	o.Hook = func(point string) {
		if point == "before-commit" || point == "after-commit" {
			copies = append(copies, o.Memory.Clone())
		}
	}
	log, err := OpenMemory(o)
	opened(t, log, err)
	appendKinds(t, log, KindVersion{1, 1}, KindVersion{2, 2}, KindVersion{1, 1})
	closed(t, log)
	const first = 3 // of the copies that has it: those of one event are two
	for i, m := range copies {
		o := kindOptions(older)
		o.Memory = m
		log, err := OpenMemory(o)
		if i >= first {
			refused(t, err, KindVersion{2, 2})
			continue
		}
		closed(t, opened(t, log, err))
	}
	if len(copies) != 6 {
		t.Errorf("%d copies", len(copies))
	}
}

// TestUnknownEventsAreNotAppended: no program makes a log that it would refuse.
func TestUnknownEventsAreNotAppended(t *testing.T) {
	o := kindOptions(older)
	log, err := OpenMemory(o)
	defer closed(t, opened(t, log, err))
	_, err = log.Append(t.Context(), Event{Kind: 1, Version: 1}, Event{Kind: 1, Version: 2})
	refused(t, err, KindVersion{1, 2})
	_, err = log.Decide(t.Context(), func(time.Time, Tables) ([]Event, error) { return []Event{{Kind: 10, Version: 1}}, nil })
	refused(t, err, KindVersion{10, 1})
	appendKinds(t, log, KindVersion{1, 1})
	if head := log.Head(); head.Last() != 1 {
		t.Errorf("the log ends at %d", head.Last())
	}
}

// withoutKinds is a log as it was made before kinds were noted.
func withoutKinds(t *testing.T, kinds ...KindVersion) *Memory {
	t.Helper()
	o := kindOptions(nil)
	o.Memory = new(Memory)
	log, err := OpenMemory(o)
	opened(t, log, err)
	appendKinds(t, log, kinds...)
	closed(t, log)
	if err := (memoryEngine{o.Memory}).commit([]row{{metaKinds, nil}}); err != nil {
		t.Fatal(err)
	}
	return o.Memory
}

// TestLogsOfBeforeKindsWereNoted: they open, and note kinds from their next event on;
// what came before is known to any program that reads the row, and Verify checks that.
func TestLogsOfBeforeKindsWereNoted(t *testing.T) {
	o := kindOptions(older)
	o.Memory = withoutKinds(t, KindVersion{1, 1}, KindVersion{2, 1})
	log, err := OpenMemory(o)
	opened(t, log, err)
	appendKinds(t, log, KindVersion{3, 1})
	stat, err := log.Stat()
	if err != nil || !slices.Equal(stat.Kinds, []KindVersion{{3, 1}}) {
		t.Errorf("stat lists %v, %v", stat.Kinds, err)
	}
	if report, err := log.Verify(t.Context()); err != nil || len(report.Damage) > 0 {
		t.Errorf("verify: %+v, %v", report, err)
	}
	var backup bytes.Buffer
	if err := log.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	closed(t, log)
	log, err = OpenMemory(o)
	closed(t, opened(t, log, err))
	restored, err := Restore(t.Context(), t.TempDir(), &backup, kindOptions(older))
	defer closed(t, opened(t, restored, err))
	if stat, err := restored.Stat(); err != nil || !slices.Equal(stat.Kinds, []KindVersion{{1, 1}, {2, 1}, {3, 1}}) {
		t.Errorf("restored with %v, %v", stat.Kinds, err)
	}

	o.Memory = withoutKinds(t, KindVersion{1, 1}, KindVersion{2, 2})
	log, err = OpenMemory(o)
	defer closed(t, opened(t, log, err))
	_, err = log.Verify(t.Context())
	refused(t, err, KindVersion{2, 2})
	refused(t, log.Rebuild(t.Context()), KindVersion{2, 2})
}

// TestVerifyMissesKinds: a row that lacks the kind of an event is damage.
func TestVerifyMissesKinds(t *testing.T) {
	o := kindOptions(nil)
	o.Memory = withoutKinds(t, KindVersion{1, 1}, KindVersion{2, 1})
	short := kindSet{since: 1, all: []KindVersion{{1, 1}}}
	if err := (memoryEngine{o.Memory}).commit([]row{{metaKinds, short.encode()}}); err != nil {
		t.Fatal(err)
	}
	log, err := OpenMemory(o)
	defer closed(t, opened(t, log, err))
	report, err := log.Verify(t.Context())
	if err != nil || len(report.Damage) != 1 || report.Damage[0].First != 2 || log.State().Health != ReadOnly {
		t.Errorf("verify: %+v, %v, %v", report, err, log.State())
	}
}

// TestNewerBackupsAreNotRestored: nothing of it stays behind, so that the newer program
// can restore it into the same place.
func TestNewerBackupsAreNotRestored(t *testing.T) {
	for name, lost := range map[string]bool{"with the row of kinds": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			o := kindOptions(nil)
			if o.Memory = withoutKinds(t, KindVersion{1, 1}, KindVersion{2, 2}); !lost {
				noted := kindSet{since: 1, all: []KindVersion{{1, 1}, {2, 2}}}
				if err := (memoryEngine{o.Memory}).commit([]row{{metaKinds, noted.encode()}}); err != nil {
					t.Fatal(err)
				}
			}
			log, err := OpenMemory(o)
			opened(t, log, err)
			var backup bytes.Buffer
			if err := log.Backup(t.Context(), &backup); err != nil {
				t.Fatal(err)
			}
			closed(t, log)
			dir := filepath.Join(t.TempDir(), "log")
			_, err = Restore(t.Context(), dir, bytes.NewReader(backup.Bytes()), kindOptions(older))
			refused(t, err, KindVersion{2, 2})
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the folder stays: %v", err)
			}
			restored, err := Restore(t.Context(), dir, &backup, kindOptions(nil))
			closed(t, opened(t, restored, err))
		})
	}
}

func FuzzParseKinds(f *testing.F) {
	f.Add((&kindSet{since: 3, all: []KindVersion{{1, 1}, {1, 2}, {0x202, 1}}}).encode())
	f.Fuzz(func(t *testing.T, value []byte) {
		if s, err := parseKinds(value); err == nil && !bytes.Equal(s.encode(), value) {
			t.Fatal("parses and encodes to other bytes")
		}
	})
}
