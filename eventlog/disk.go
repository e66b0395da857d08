package eventlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// BallastName is the file in the log's folder that keeps space in reserve.
const BallastName = "ballast"

// statfs asks the system for the free and the total bytes of dir's disk.
func statfs(dir string) (free, total uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("eventlog: free space: %w", err)
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}

// lookAtDisk enters or leaves the condition of low space. A full disk would be a
// fatal signal inside the store, so growing events are refused long before. The
// ballast is made again before they are accepted.
func (l *eventLog) lookAtDisk() {
	free, total, err := l.opts.Statfs(l.dir)
	if err != nil {
		l.setDiskLow(true, err.Error())
		return
	}
	need := l.leastFree(total)
	if !ballastStands(l.dir, l.opts.Ballast) {
		need += uint64(l.opts.Ballast)
	}
	if free < need {
		l.setDiskLow(true, fmt.Sprintf("%d MiB are free, %d MiB must be", free>>20, need>>20))
		return
	}
	if err := makeBallast(l.dir, l.opts.Ballast); err != nil {
		l.setDiskLow(true, err.Error())
		return
	}
	l.setDiskLow(false, "")
}

// awaitSpace holds a commit back while the disk is so full that the store's mapped files
// might not grow, which would be a fatal signal: between two looks at the disk somebody
// else can take all of it. The ballast is given up first, so that collecting, which
// frees space, can go on.
func (l *eventLog) awaitSpace() error {
	for l.dir != "" {
		free, _, err := l.opts.Statfs(l.dir)
		if err != nil || free >= min(commitSpace, uint64(l.opts.MinFree)) {
			return nil
		}
		l.setDiskLow(true, fmt.Sprintf("%d MiB are free, commits wait", free>>20))
		if l.opts.Ballast > 0 && ballastStands(l.dir, l.opts.Ballast) {
			dropBallast(l.dir)
			continue
		}
		timer := time.NewTimer(spaceEvery)
		select {
		case <-timer.C:
		case <-l.closing:
			timer.Stop()
			return fmt.Errorf("%w: %d MiB are free", ErrStorageFull, free>>20)
		}
	}
	return nil
}

// leastFree is what must stay free of a disk of so many bytes.
func (l *eventLog) leastFree(total uint64) uint64 {
	return max(uint64(l.opts.MinFree), total/100*uint64(l.opts.MinFreePercent))
}

func ballastStands(dir string, size int64) bool {
	if size == 0 {
		return true
	}
	info, err := os.Stat(filepath.Join(dir, BallastName))
	return err == nil && info.Size() == size
}

// makeBallast reserves space that a start on a full disk may drop.
func makeBallast(dir string, size int64) error {
	if ballastStands(dir, size) {
		return nil
	}
	path := filepath.Join(dir, BallastName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("eventlog: ballast: %w", err)
	}
	err = errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, size), f.Close())
	if err != nil {
		dropBallast(dir)
		return fmt.Errorf("eventlog: ballast: %w", err)
	}
	return nil
}

func dropBallast(dir string) { _ = os.Remove(filepath.Join(dir, BallastName)) }
