package store

import (
	"errors"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
	"golang.org/x/sys/unix"
)

// walFile makes reading a block of the write-ahead log and writing it exclude
// each other, between processes too.
//
// SQLite never writes again what a reader may read, and so needs no such lock.
// Encryption takes that away: a frame has 24 + 4096 bytes, so the next commit's
// first frame shares a 4 KiB block with the last committed one, and Adiantum
// changes the whole block when a byte of it changes. A reader (or another process's
// checkpoint, which would make it permanent) that reads while the block is
// being replaced would decrypt a mixture of both to noise. Linux does not order a
// buffered read and a write of the same page; an open-file-description lock on
// the block's range does, and a killed process drops it.
type walFile struct {
	vfs.File
	fd uintptr
}

// newWALFile wraps the system's file, which must show its descriptor.
func newWALFile(f vfs.File) (vfs.File, error) {
	d, ok := f.(interface{ Fd() uintptr })
	if !ok {
		return nil, errors.Join(sqlite3.CANTOPEN, f.Close())
	}
	return &walFile{f, d.Fd()}, nil
}

func (f *walFile) ReadAt(p []byte, off int64) (n int, err error) {
	if err := f.lock(unix.F_RDLCK, off, len(p)); err != nil {
		return 0, sqlite3.IOERR_RDLOCK
	}
	n, err = f.File.ReadAt(p, off)
	if f.lock(unix.F_UNLCK, off, len(p)) != nil {
		return 0, sqlite3.IOERR_UNLOCK
	}
	return n, err
}

func (f *walFile) WriteAt(p []byte, off int64) (n int, err error) {
	if err := f.lock(unix.F_WRLCK, off, len(p)); err != nil {
		return 0, sqlite3.IOERR_LOCK
	}
	n, err = f.File.WriteAt(p, off)
	if f.lock(unix.F_UNLCK, off, len(p)) != nil {
		return 0, sqlite3.IOERR_UNLOCK
	}
	return n, err
}

// lock waits for a lock on a range. Nobody holds one while waiting for another,
// nor longer than one pread or pwrite takes.
func (f *walFile) lock(kind int16, off int64, n int) error {
	l := unix.Flock_t{Type: kind, Start: off, Len: int64(n)}
	for {
		if err := unix.FcntlFlock(f.fd, unix.F_OFD_SETLKW, &l); err != unix.EINTR {
			return err
		}
	}
}
