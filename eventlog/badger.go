package eventlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Sizes that Badger runs with. With its own, it takes gigabytes under load, and
// keeps most of what was deleted. See batchInline for what follows from memtable.
const (
	memtableSize   = 8 << 20
	memtables      = 2
	valueFileSize  = 16 << 20 // small, so that they empty and go
	blockCacheSize = 8 << 20
	indexCacheSize = 16 << 20
	compactors     = 2
	// tableGrowth is how much larger the tables of a level are than those of the one
	// before. A compaction takes twice a table's size for each of a dozen that it makes at
	// once: tables that grow, as Badger's own do, cost 200 MB at a million events.
	tableGrowth = 1

	// rewriteShare is the share of a value file that must be dead for it to be
	// rewritten: anything at all, since erased bodies have to leave the files.
	rewriteShare = 1e-6

	// reopenPatience is how long closing and opening the store waits for readers.
	reopenPatience = 2 * time.Second
)

// errBusy: readers kept the store from being closed and opened.
var errBusy = errors.New("eventlog: readers do not leave, try again later")

// syncWrites is false only in the control of the power-cut test, which has to see
// what is lost then.
var syncWrites = true

func badgerOptions(dir string, l *badgerLogger) badger.Options {
	o := badger.DefaultOptions(dir).
		WithSyncWrites(syncWrites).
		WithMemTableSize(memtableSize).
		WithNumMemtables(memtables).
		WithValueThreshold(inlineLimit).
		WithValueLogFileSize(valueFileSize).
		WithBlockCacheSize(blockCacheSize).
		WithIndexCacheSize(indexCacheSize).
		WithCompression(options.None).
		WithDetectConflicts(false).
		WithNumCompactors(compactors).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMetricsEnabled(false).
		WithCompactL0OnClose(true). // flattening leaves level 0 alone if there is no other
		WithLogger(l)
	o.TableSizeMultiplier = tableGrowth
	return o
}

// badgerEngine keeps rows in Badger.
type badgerEngine struct {
	opts   badger.Options
	logger *badgerLogger
	gate   gate
	db     atomic.Pointer[badger.DB] // replaced while the gate is shut
}

func openBadger(o badger.Options, l *badgerLogger) (*badgerEngine, error) {
	db, err := openDB(o)
	if err != nil {
		return nil, err
	}
	e := &badgerEngine{opts: o, logger: l}
	e.db.Store(db)
	return e, nil
}

// openDB opens Badger, without the files that it was about to fill when the process
// was killed: it refuses those, and does not close what it had open by then.
func openDB(o badger.Options) (*badger.DB, error) {
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		names, err := filepath.Glob(filepath.Join(o.Dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if info, err := os.Stat(name); err == nil && info.Size() == 0 {
				if err := os.Remove(name); err != nil {
					return nil, fmt.Errorf("eventlog: store: %w", err)
				}
			}
		}
	}
	db, err := tryOpen(o)
	return db, storeError("open", err)
}

// tryOpen turns panics of Badger over damaged files into errors.
func tryOpen(o badger.Options) (db *badger.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged files: %v", p)
		}
	}()
	return badger.Open(o)
}

// storeError keeps only the innermost error: Badger's wrappers quote keys, which
// must not reach a log.
func storeError(op string, err error) error {
	if err == nil {
		return nil
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return fmt.Errorf("eventlog: store: %s: %w", op, err)
}

func (e *badgerEngine) commit(rows []row) error {
	if err := e.logger.broken(); err != nil {
		return err
	}
	txn := e.db.Load().NewTransaction(true)
	defer txn.Discard()
	for _, r := range rows {
		var err error
		if r.value == nil {
			err = txn.Delete(r.key)
		} else {
			err = txn.Set(r.key, r.value)
		}
		if err != nil {
			return storeError("commit", err)
		}
	}
	if err := txn.Commit(); err != nil {
		return storeError("commit", err)
	}
	// Badger only logs that it could not sync its value log.
	return e.logger.broken()
}

func (e *badgerEngine) snapshot() (snapshot, error) {
	if !e.gate.enter() {
		return nil, ErrClosed
	}
	return &badgerSnapshot{e: e, txn: e.db.Load().NewTransaction(false)}, nil
}

func (e *badgerEngine) compact(ctx context.Context) error {
	if !e.gate.enter() {
		return ErrClosed
	}
	defer e.gate.leave()
	db := e.db.Load()
	if err := db.Flatten(compactors); err != nil {
		return storeError("flatten", err)
	}
	for ctx.Err() == nil {
		err := db.RunValueLogGC(rewriteShare)
		if errors.Is(err, badger.ErrNoRewrite) {
			return nil
		}
		if err != nil {
			return storeError("rewrite values", err)
		}
	}
	return ctx.Err()
}

func (e *badgerEngine) reopen() error {
	if !e.gate.shut(reopenPatience) {
		return errBusy
	}
	defer e.gate.open()
	if err := e.db.Load().Close(); err != nil {
		return storeError("close", err)
	}
	db, err := openDB(e.opts)
	if err != nil {
		return err
	}
	e.db.Store(db)
	return nil
}

func (e *badgerEngine) check(context.Context) error {
	if !e.gate.enter() {
		return ErrClosed
	}
	defer e.gate.leave()
	return storeError("verify", e.db.Load().VerifyChecksum())
}

func (e *badgerEngine) size() int64 { return dirSize(e.opts.Dir) }

func (e *badgerEngine) close() error {
	e.gate.close()
	closed := make(chan error, 1)
	go func() { closed <- e.db.Load().Close() }()
	select {
	case err := <-closed:
		return storeError("close", err)
	case <-e.logger.stopped:
		// Badger would repeat a flush that fails for ever. The process has to end, and
		// the next one takes what was synced from the store's own logs.
		return e.logger.broken()
	}
}

// abandon lets go of a store whose disk has failed. Closing it would flush what it has
// in memory: where that fails half-way its manifest lists a table that is gone.
func (e *badgerEngine) abandon() { e.gate.close() }
