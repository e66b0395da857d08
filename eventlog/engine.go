package eventlog

import "context"

// row is one change to the store; a nil value deletes the key.
type row struct{ key, value []byte }

// engine is the seam below which Badger and the memory engine differ: an ordered
// map with atomic durable commits and consistent snapshots. One goroutine commits;
// snapshots may be taken and read by any.
type engine interface {
	// commit makes the rows durable, all or none. After an error the store must not
	// be written again.
	commit(rows []row) error
	// snapshot is the state after the last finished commit. It must be closed.
	snapshot() (snapshot, error)
	// compact rewrites files without what was deleted; appends go on meanwhile.
	compact(ctx context.Context) error
	// reopen closes and opens the store, so that nothing compacted stays in files.
	// It waits for snapshots to be closed.
	reopen() error
	// check verifies the store's own checksums.
	check(ctx context.Context) error
	// size is the store's bytes on disk or in memory.
	size() int64
	close() error
	// abandon lets go of it after a failure, without writing.
	abandon()
}

// snapshot reads one consistent state. One goroutine uses it at a time.
type snapshot interface {
	// get returns nil without an error when there is no such row. The value is
	// valid until the snapshot is closed.
	get(key []byte) ([]byte, error)
	// value is get for a caller that reads only parts of the value; nil without an
	// error when there is no such row. It is valid until the snapshot is closed.
	value(key []byte) (value, error)
	// length is the length of a row's value, or 0 if there is none.
	length(key []byte) (int, error)
	// version is the number of the commit that wrote a row that is there; later commits
	// have greater ones.
	version(key []byte) (uint64, error)
	// scan visits the rows with the prefix, in key order, from start (nil: the
	// first) until fn returns false. Slices are valid during the call of fn.
	scan(prefix, start []byte, fn func(key, value []byte) bool) error
	// keys is scan without reading values.
	keys(prefix, start []byte, fn func(key []byte) bool) error
	// last returns the row with the prefix and the greatest key that is at most
	// max, or nils.
	last(prefix, max []byte) (key, value []byte, err error)
	close()
}

// value is a row's value that has not been read.
type value interface {
	// part returns n bytes from an offset on, or fewer if there are fewer.
	part(from, n int) ([]byte, error)
}

// held is a value in memory.
type held []byte

func (h held) part(from, n int) ([]byte, error) {
	from = min(max(from, 0), len(h))
	return h[from:min(from+max(n, 0), len(h))], nil
}

// headStore keeps the newest signed head apart from the store, so that a store
// that lost its end is found out.
type headStore interface {
	// read returns the newest head that was written whole, or nil if there never
	// was one. A head file of which nothing is readable is a [*DamageError].
	read() (*Head, error)
	write(h *Head) error
	sync() error
	// look notes, for the heads to come, what the store has on disk.
	look() error
	// close syncs; clean says that the store was closed without error before.
	close(clean bool) error
}
