package eventlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"communicator/eventlog"
	"communicator/internal/testenv"

	"golang.org/x/sys/unix"
)

// TestErasedLeavesTheFiles searches the raw files for bodies, large and small, that
// were erased.
func TestErasedLeavesTheFiles(t *testing.T) {
	dir := t.TempDir()
	log, err := eventlog.Open(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	canary := func(i int) string { return fmt.Sprintf("canary-%04d-bird", i) }
	for i := range 400 {
		size := []int{0, 100, 400, 600, 5000, 20000}[i%6]
		mustAppend(t, log, put(fmt.Sprint(i), "", canary(i)+strings.Repeat("x", size)))
	}
	var erase []eventlog.Event
	for i := range 400 {
		if i%10 != 0 {
			erase = append(erase, drop(fmt.Sprint(i)))
		}
	}
	mustAppend(t, log, erase...)
	if imageOf(t, dir).count(canary(1)) == 0 {
		t.Fatal("the search finds nothing even before reclaiming")
	}
	if err := log.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	files := imageOf(t, dir)
	for i := range 400 {
		n := files.count(canary(i))
		if i%10 != 0 && n > 0 {
			t.Errorf("body %d, erased, is %d times in the files", i, n)
		}
		if i%10 == 0 && n == 0 {
			t.Errorf("body %d, stored, is not in the files", i)
		}
	}
	check(t, log)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// image is a directory's files without the zeros at their ends: the store's files
// are long and sparse.
type image []file

type file struct {
	name string
	data []byte
	size int64
}

func imageOf(t *testing.T, dir string) (all image) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		all = append(all, file{name, bytes.Clone(bytes.TrimRight(data, "\x00")), int64(len(data))})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (all image) write(t *testing.T, dir string) {
	t.Helper()
	for _, f := range all {
		path := filepath.Join(dir, f.name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, f.data, 0o600)
		}
		if err == nil {
			err = os.Truncate(path, f.size)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (all image) count(what string) (n int) {
	for _, f := range all {
		n += bytes.Count(f.data, []byte(what))
	}
	return n
}

// damaged returns the files with one of them changed, and says how.
func (all image) damaged() (image, string) {
	all = append(image(nil), all...)
	f := &all[rand.IntN(len(all))]
	if len(f.data) == 0 || filepath.Base(f.name) == "LOCK" {
		return all, "nothing"
	}
	at := rand.IntN(len(f.data))
	if rand.IntN(3) == 0 {
		f.data, f.size = f.data[:at], int64(at)
		return all, fmt.Sprintf("%s cut to %d", f.name, at)
	}
	f.data = bytes.Clone(f.data)
	f.data[at] ^= 1 << rand.IntN(8)
	return all, fmt.Sprintf("a bit of byte %d of %d in %s", at, len(f.data), f.name)
}

// TestDamageIsNamed flips bits and cuts files. Whatever is hit, an opened log never
// returns a wrong value, and what is missing is said.
func TestDamageIsNamed(t *testing.T) {
	whole := t.TempDir()
	bodies := map[uint64]string{}
	if _, err := child(t, whole, "before-ack", 150, 10*time.Second); err == nil {
		t.Fatal("the child did not die")
	}
	log, err := eventlog.Open(whole, quiet())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		mustAppend(t, log, put(fmt.Sprint(i%90), "", strings.Repeat(fmt.Sprint(i, " "), 1+i%300)))
		if i == 150 {
			if err := log.Reclaim(t.Context()); err != nil { // so that there are tables, value files and logs
				t.Fatal(err)
			}
		}
	}
	for r, err := range log.Records(0) {
		if err != nil {
			t.Fatal(err)
		}
		if body, err := log.Body(r.Seq); err == nil {
			bodies[r.Seq] = string(body)
		}
	}
	last := log.Head().Last()
	crashed := imageOf(t, whole) // as a kill would leave it: the log is open
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	closed := imageOf(t, whole)
	for i := range testenv.Times(30, 1000) {
		files, what := []image{closed, crashed}[i%2].damaged()
		dir := filepath.Join(t.TempDir(), "damaged")
		files.write(t, dir)
		examine(t, dir, what, last, bodies)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
}

// examine opens a damaged log and holds it against what was stored.
func examine(t *testing.T, dir, what string, last uint64, bodies map[uint64]string) {
	t.Helper()
	log, err := eventlog.Open(dir, quiet())
	var named *eventlog.DamageError
	if err != nil {
		if !errors.As(err, &named) {
			t.Errorf("%s: opening fails without naming damage: %v", what, err)
		}
		return
	}
	defer log.Close()
	report, err := log.Verify(t.Context())
	if err != nil {
		t.Errorf("%s: verify: %v", what, err)
	}
	said := log.State().Health == eventlog.ReadOnly || len(report.Damage) > 0
	lost := 0
	for seq, want := range bodies {
		got, err := log.Body(seq)
		switch {
		case err == nil && string(got) != want:
			t.Errorf("%s: body %d is wrong", what, seq)
		case errors.Is(err, eventlog.ErrErased):
			t.Errorf("%s: body %d looks erased", what, seq)
		case err != nil:
			lost++
		}
	}
	if head := log.Head(); head.Last() < last {
		lost++
	}
	if lost > 0 && !said {
		t.Errorf("%s: %d things are lost and nothing says so", what, lost)
	}
	if log.State().Health == eventlog.ReadOnly {
		if _, err := log.Append(t.Context(), put("x", "", "")); !errors.Is(err, eventlog.ErrReadOnly) {
			t.Errorf("%s: a damaged log takes appends: %v", what, err)
		}
	}
}

func TestLowDisk(t *testing.T) {
	const big = 1 << 40
	var free atomic.Uint64
	free.Store(big / 2)
	o := quiet()
	o.MinFree, o.MinFreePercent, o.Ballast = 1<<30, 10, 1<<20
	o.DiskEvery = 10 * time.Millisecond
	o.Statfs = func(string) (uint64, uint64, error) { return free.Load(), big, nil }
	o.Growing = func(k eventlog.Kind) bool { return k == 1 }
	dir := t.TempDir()
	log, err := eventlog.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ballast := filepath.Join(dir, "ballast")
	if info, err := os.Stat(ballast); err != nil || info.Size() != 1<<20 {
		t.Errorf("ballast: %v", err)
	}
	mustAppend(t, log, put("a", "", "body"))
	free.Store(big/10 - 1<<30)
	await(t, log, eventlog.DiskLow)
	if _, err := log.Append(t.Context(), put("b", "", "")); !errors.Is(err, eventlog.ErrStorageFull) {
		t.Errorf("a growing event on a low disk: %v", err)
	}
	mustAppend(t, log, drop("a")) // what frees space goes on
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	free.Store(big / 2)
	await(t, log, eventlog.Healthy)
	if _, err := os.Stat(ballast); err != nil {
		t.Errorf("it accepts without ballast: %v", err)
	}
	mustAppend(t, log, put("b", "", ""))
	check(t, log)
}

// TestFullDisk fills a real one. The log must refuse before the disk is full, for
// then the store's mapped files kill the process.
func TestFullDisk(t *testing.T) {
	testenv.Root(t)
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=160m"); err != nil {
		testenv.Missing(t, "cannot mount a tmpfs: "+err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	o := quiet()
	o.MinFree, o.DiskEvery, o.Ballast = 48<<20, time.Millisecond, 8<<20
	o.Growing = func(k eventlog.Kind) bool { return k == 1 }
	log, err := eventlog.Open(filepath.Join(disk, "log"), o)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	stored := 0
	for ; ; stored++ {
		_, err := log.Append(t.Context(), put(fmt.Sprint(stored), "", strings.Repeat("x", 60<<10)))
		if errors.Is(err, eventlog.ErrStorageFull) {
			break
		}
		if err != nil || stored > 4000 {
			t.Fatalf("after %d bodies: %v", stored, err)
		}
	}
	for i := range stored {
		mustAppend(t, log, drop(fmt.Sprint(i)))
	}
	if err := log.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, log, eventlog.Healthy)
	mustAppend(t, log, put("again", "", "body"))
	check(t, log)
}

// await waits, on the log's own ticks, for a condition.
func await(t *testing.T, log eventlog.Log, want eventlog.Health) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	timeout := time.After(10 * time.Second)
	for log.State().Health != want {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("state is %+v", log.State())
		}
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	log, err := eventlog.Open(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := eventlog.Open(dir, quiet()); !errors.Is(err, eventlog.ErrInUse) {
		t.Errorf("second opening: %v", err)
	}
	mustAppend(t, log, put("a", "", ""))
}
