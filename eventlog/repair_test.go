package eventlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"communicator/eventlog"
	"communicator/wire"
)

// TestCloseWhileAViewCallsTheLog: a callback that calls the log again while Close
// waits for it is told that the log is closed, and both end.
func TestCloseWhileAViewCallsTheLog(t *testing.T) {
	log, err := eventlog.Open(t.TempDir(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, log, put("a", "", "body"))
	inside, closed := make(chan struct{}), make(chan error, 1)
	go func() {
		<-inside
		closed <- log.Close()
	}()
	err = log.View(func(eventlog.Tables) error {
		close(inside)
		for { // until it is closing, which then waits for this callback
			_, err := log.Append(t.Context(), put("b", "", ""))
			if errors.Is(err, eventlog.ErrClosed) {
				break
			}
		}
		for range 1000 { // some of these come before and some after the last moment
			runtime.Gosched()
			_, _ = log.Stat()
			if _, err := log.Body(1); err != nil && !errors.Is(err, eventlog.ErrClosed) {
				return err
			}
			if _, err := log.Verify(t.Context()); err != nil && !errors.Is(err, eventlog.ErrClosed) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("close: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Close hangs")
	}
}

// TestFilesThatWereBeingMade: what a kill leaves when the store makes a file is
// neither in the way nor kept open.
func TestFilesThatWereBeingMade(t *testing.T) {
	dir := t.TempDir()
	open := func() eventlog.Log {
		log, err := eventlog.Open(dir, quiet())
		if err != nil {
			t.Fatal(err)
		}
		return log
	}
	log := open()
	mustAppend(t, log, put("a", "", "body"))
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	for _, name := range []string{"store/00777.mem", "store/000777.vlog"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log = open()
	if body, err := log.Body(1); err != nil || string(body) != "body" {
		t.Errorf("body 1 is %q: %v", body, err)
	}
	mustAppend(t, log, put("b", "", "body"))
	check(t, log)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are open, %d were", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// slowClient takes nothing before it may.
type slowClient struct {
	took  bytes.Buffer
	began chan struct{}
	once  sync.Once
	wait  chan struct{}
}

func (s *slowClient) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.began) })
	<-s.wait
	return s.took.Write(p)
}

// TestABackupToASlowClient holds up neither a reclaim nor appends, and is of one
// moment.
func TestABackupToASlowClient(t *testing.T) {
	log, err := eventlog.Open(t.TempDir(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for i := range 50 {
		mustAppend(t, log, put(fmt.Sprint(i), "", strings.Repeat("body", 100)))
	}
	head := log.Head()
	slow := &slowClient{began: make(chan struct{}), wait: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- log.Backup(context.Background(), slow) }()
	<-slow.began
	mustAppend(t, log, drop("7"), put("later", "", "later"))
	if err := log.Reclaim(t.Context()); err != nil {
		t.Errorf("reclaim beside a backup: %v", err)
	}
	close(slow.wait)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	restored, err := eventlog.Restore(t.Context(), t.TempDir(), &slow.took, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	if restored.Head().Last() != head.Last() {
		t.Errorf("the backup ends at %d, want %d", restored.Head().Last(), head.Last())
	}
	check(t, restored)
}

func TestABackupNeedsSpace(t *testing.T) {
	o := quiet()
	o.Statfs = func(string) (uint64, uint64, error) { return 1000, 1 << 40, nil }
	log, err := eventlog.Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	mustAppend(t, log, put("a", "", "body"))
	if err := log.Backup(t.Context(), io.Discard); !errors.Is(err, eventlog.ErrStorageFull) {
		t.Errorf("a backup on a full disk: %v", err)
	}
}

// TestAnOlderFormatIsRefused with an error that says so, and nothing is changed.
func TestAnOlderFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	old := append([]byte("commhead\x01"), make([]byte, 8192)...)
	path := filepath.Join(dir, "head")
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := eventlog.Open(dir, quiet())
	if !errors.Is(err, wire.ErrVersion) || !strings.Contains(err.Error(), "layout 1") {
		t.Errorf("open: %v", err)
	}
	if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, old) {
		t.Errorf("the head file was changed: %v", err)
	}
}
