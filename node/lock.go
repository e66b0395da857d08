package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked is what opening a directory gives while another process has it open.
var ErrLocked = errors.New("the directory is in use by another process")

// lock is the exclusive right to a node's directory. The kernel drops it with the
// process, however that ends.
type lock struct{ file *os.File }

func takeLock(dir string) (*lock, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder := make([]byte, 32)
		n, _ := f.ReadAt(holder, 0)
		_ = f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if pid := strings.TrimSpace(string(holder[:n])); pid != "" {
			return nil, fmt.Errorf("%s: %w (process %s)", dir, ErrLocked, pid)
		}
		return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
	}
	if err := f.Truncate(0); err == nil { // who holds it is for people alone
		_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return &lock{f}, nil
}

// waitLock takes the lock, and waits a moment for a holder that is about to let go: a
// command that looks at the directory of a stopped node, or a node that is stopping.
func waitLock(ctx context.Context, dir string) (*lock, error) {
	ctx, stop := context.WithTimeout(ctx, lockPatience)
	defer stop()
	again := time.NewTicker(lockEvery)
	defer again.Stop()
	for {
		l, err := takeLock(dir)
		if !errors.Is(err, ErrLocked) {
			return l, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (l *lock) release() error {
	if l == nil {
		return nil
	}
	return errors.Join(l.file.Truncate(0), l.file.Close())
}
