package store

import (
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/ncruces/go-sqlite3/vfs/adiantum"
)

// vfsName is the file system that SQLite uses for profiles: the operating
// system's, behind the header, behind Adiantum.
const vfsName = "communicator-profile"

func init() {
	vfs.Register(vfsName, adiantum.Wrap(headerVFS{vfs.Find("")}, nil))
}

// headerVFS hides the first headerSize bytes of main database files and guards
// the blocks of write-ahead logs.
type headerVFS struct{ vfs.VFS }

func (v headerVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := vfsutil.WrapOpenFilename(v.VFS, name, flags)
	switch {
	case err != nil:
	case flags&vfs.OPEN_MAIN_DB != 0:
		f = &headerFile{f}
	case flags&vfs.OPEN_WAL != 0:
		f, err = newWALFile(f)
	}
	return f, flags, err
}

// headerFile shifts every offset by headerSize. Locks need no shift: they lie
// on fixed bytes that never hold data.
type headerFile struct{ vfs.File }

func (f *headerFile) ReadAt(p []byte, off int64) (int, error) {
	return f.File.ReadAt(p, off+headerSize)
}

func (f *headerFile) WriteAt(p []byte, off int64) (int, error) {
	return f.File.WriteAt(p, off+headerSize)
}

func (f *headerFile) Truncate(size int64) error { return f.File.Truncate(size + headerSize) }

func (f *headerFile) Size() (int64, error) {
	n, err := f.File.Size()
	return max(n-headerSize, 0), err
}

// DeviceCharacteristics leaves out batch-atomic writes, which are not passed on.
func (f *headerFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return f.File.DeviceCharacteristics() &^ vfs.IOCAP_BATCH_ATOMIC
}

func (f *headerFile) SizeHint(size int64) error {
	return vfsutil.WrapSizeHint(f.File, size+headerSize)
}

func (f *headerFile) SharedMemory() vfs.SharedMemory { return vfsutil.WrapSharedMemory(f.File) }
func (f *headerFile) LockState() vfs.LockLevel       { return vfsutil.WrapLockState(f.File) }
func (f *headerFile) HasMoved() (bool, error)        { return vfsutil.WrapHasMoved(f.File) }

// A build in which processes could not share a WAL does not compile: the two
// keys would be equal.
var _ = map[bool]struct{}{false: {}, vfs.SupportsSharedMemory && vfs.SupportsFileLocking: {}}
