package eventlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
	least := max(uint64(l.opts.MinFree), total/100*uint64(l.opts.MinFreePercent))
	need := least
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
