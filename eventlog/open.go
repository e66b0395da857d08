package eventlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	storeName    = "store"
	manifestName = "MANIFEST"
)

// Open opens or creates the log in dir, which one process at a time may use. A log
// that is damaged opens read-only where anything can be read of it: see
// [Log.State]. A [*DamageError] is returned where the store does not open at all.
func Open(dir string, o Options) (Log, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	store := filepath.Join(dir, storeName)
	if err := os.MkdirAll(store, 0o700); err != nil {
		return nil, fmt.Errorf("eventlog: %w", err)
	}
	if free, _, err := o.Statfs(dir); err == nil && free < uint64(o.Ballast) {
		dropBallast(dir) // opening writes, and a full disk would kill the process
	}
	l := newEventLog(o, dir, nil, nil)
	heads, err := openHeadFile(filepath.Join(dir, headName), l.pub)
	if err != nil {
		return nil, err
	}
	l.heads = heads
	if err := l.openStore(store, heads); err != nil {
		return nil, errors.Join(err, heads.f.Close())
	}
	if err := l.start(); err != nil {
		return nil, errors.Join(err, l.eng.close(), heads.f.Close())
	}
	return l, nil
}

// openStore checks the store's files and opens it. Damage found here makes the log
// read-only; then nothing is compacted, which would lose what may yet be saved.
func (l *eventLog) openStore(store string, heads *headFile) error {
	manifest := filepath.Join(store, manifestName)
	if err := mendDiscard(store); err != nil {
		return err
	}
	var mark manifestMark
	if heads.newest != nil {
		mark = heads.newest.manifest
	}
	logger := newBadgerLogger(l.opts.Logger, func(err error) { l.fail(err) })
	opts := badgerOptions(store, logger)
	newest, tables := checkTables(store, heads.wasClean())
	if blocks := (*tableDamage)(nil); tables != nil && !errors.As(tables, &blocks) {
		return tables // Badger would panic on a goroutine of its own
	}
	found := errors.Join(tables, checkManifest(manifest, mark))
	var damage *DamageError
	if errors.As(found, &damage) {
		l.opts.Logger.Error("the event log is damaged and read-only", "error", damage)
		l.degrade(ReadOnly, damage.Error())
		opts = opts.WithNumCompactors(0)
	} else if found != nil {
		return found
	}
	if heads.wasClean() {
		newest = allFlushed
	}
	var err error
	if l.flushed, err = beforeReplay(l.dir, newest); err != nil {
		return err
	}
	eng, err := openBadger(opts, logger)
	switch {
	case err != nil && strings.Contains(err.Error(), "directory lock"): // Badger has no error for it
		return ErrInUse
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", ErrStorageFull, err)
	case err != nil && damage == nil && heads.newest == nil:
		return err // nothing was there to be damaged
	case err != nil:
		return &DamageError{Part: "store", Reason: "it does not open", Err: err}
	}
	l.eng = eng
	heads.path = manifest
	return heads.look()
}

// allocated is the space that a file takes.
func allocated(info os.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512
	}
	return info.Size()
}
