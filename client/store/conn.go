package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// conn is one SQLite connection with its prepared statements. Whoever took it
// from the store's channels is its only user.
type conn struct {
	db    *sqlite3.Conn
	stmts map[string]*prepared
	keep  int    // how many of them stay compiled; all of them if zero
	turn  uint64 // grows with each use of one
}

// prepared is a statement that is compiled.
type prepared struct {
	*sqlite3.Stmt
	used uint64 // the conn's turn at its last use
}

// connPragmas apply to every connection. Without the VFS's promise of
// power-safe overwrites, synchronous=FULL also pads each commit to a whole
// block, so that a torn block of a later commit cannot reach an earlier one.
const connPragmas = `
	PRAGMA temp_store = memory;
	PRAGMA secure_delete = ON;
	PRAGMA foreign_keys = ON;
	PRAGMA synchronous = FULL;
	PRAGMA trusted_schema = OFF;
	PRAGMA cell_size_check = ON;
	PRAGMA journal_size_limit = 0;`

// sharedPragmas come before them, and alonePragmas in their place for a connection that
// has the file to itself: the index of the log is its own memory, locks are kept, and the
// log stays short. They come first since they decide how the file is read from the
// beginning: what is known of it when the others look at it, is kept.
var sharedPragmas = fmt.Sprintf(`PRAGMA wal_autocheckpoint = %d;`, checkpointPages)

var alonePragmas = fmt.Sprintf(`
	PRAGMA locking_mode = EXCLUSIVE;
	PRAGMA cache_size = %d;
	PRAGMA wal_autocheckpoint = %d;`, -aloneCache, aloneCheckpoint)

// fileURI names a profile's file for SQLite. modeof gives the WAL the
// permissions of the file.
func fileURI(path string, key fileKey, withKey bool) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	q := url.Values{"vfs": {vfsName}, "modeof": {abs}}
	if withKey {
		q.Set("hexkey", hex.EncodeToString(key.expand(labelDatabase)))
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}
	return u.String(), nil
}

// openConn opens an existing profile file, whose header has been written.
func openConn(path string, key fileKey, o Options) (*conn, error) {
	uri, err := fileURI(path, key, false)
	if err != nil {
		return nil, err
	}
	db, err := sqlite3.OpenFlags(uri, sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, mapError(context.Background(), err)
	}
	c := &conn{db: db, stmts: map[string]*prepared{}}
	if o.Alone {
		c.keep = aloneStatements
	}
	err = db.BusyHandler(waitBusy(o.BusyTimeout))
	if err == nil {
		err = db.Exec(`PRAGMA hexkey = '` + hex.EncodeToString(key.expand(labelDatabase)) + `'`)
	}
	first := sharedPragmas
	if o.Alone {
		first = alonePragmas
	}
	if err == nil {
		err = db.Exec(first + connPragmas)
	}
	if err != nil {
		db.Close()
		return nil, mapError(context.Background(), err)
	}
	return c, nil
}

// waitBusy waits in steps while another process holds a lock, at most limit.
// SQLite counts from zero for each lock that it waits for.
func waitBusy(limit time.Duration) func(context.Context, int) bool {
	return func(ctx context.Context, count int) bool {
		if time.Duration(count)*busyStep >= limit {
			return false
		}
		// The first steps are short: most transactions last a millisecond.
		t := time.NewTimer(min(busyStep, time.Millisecond<<min(count, 10)))
		defer t.Stop()
		select {
		case <-t.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// prepare returns the connection's statement for sql, ready to be bound.
func (c *conn) prepare(sql string) (*sqlite3.Stmt, error) {
	c.turn++
	if p, ok := c.stmts[sql]; ok {
		p.used = c.turn
		return p.Stmt, nil
	}
	if err := c.makeRoom(); err != nil {
		return nil, err
	}
	st, tail, err := c.db.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	if st == nil || tail != "" {
		return nil, fmt.Errorf("%w: not one statement", ErrInvalid)
	}
	c.stmts[sql] = &prepared{st, c.turn}
	return st, nil
}

// makeRoom forgets the statement that was used least recently, of those that are not
// being stepped, where not all are kept.
func (c *conn) makeRoom() error {
	if c.keep == 0 || len(c.stmts) < c.keep {
		return nil
	}
	var oldest string
	for sql, p := range c.stmts {
		if !p.Busy() && (oldest == "" || p.used < c.stmts[oldest].used) {
			oldest = sql
		}
	}
	if oldest == "" {
		return nil
	}
	p := c.stmts[oldest]
	delete(c.stmts, oldest)
	return p.Close()
}

// exec runs a statement without parameters or rows, which is compiled once.
func (c *conn) exec(sql string) error {
	st, err := c.prepare(sql)
	if err != nil {
		return err
	}
	st.Step()
	return st.Reset() // with the error of Step
}

// pragmaInt reads a pragma that returns one integer.
func (c *conn) pragmaInt(name string) (int64, error) {
	st, err := c.prepare("PRAGMA " + name)
	if err != nil {
		return 0, err
	}
	var v int64
	if st.Step() {
		v = st.ColumnInt64(0)
	}
	return v, st.Reset()
}

// useWAL switches the file to a write-ahead log, which its header remembers.
func (c *conn) useWAL() error {
	st, err := c.prepare("PRAGMA journal_mode = WAL")
	if err != nil {
		return err
	}
	mode := ""
	if st.Step() {
		mode = st.ColumnText(0)
	}
	if err := st.Reset(); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("%w: no write-ahead log (journal mode %q)", ErrInvalid, mode)
	}
	return nil
}

func (c *conn) close() error {
	var errs []error
	for _, st := range c.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, c.db.Close())...)
}
