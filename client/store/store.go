package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Options set what a profile takes from outside. The zero value is fit for use.
type Options struct {
	// Now is the clock behind created, added and imported marks; time.Now if nil.
	Now func() time.Time
	// Rand makes keys and salts; crypto/rand.Reader if nil.
	Rand io.Reader
	// KDF is the cost of the key slots that are written; [DefaultKDF] if zero.
	// Reading follows what the slot says.
	KDF KDF
	// BusyTimeout is how long to wait for another process; 10 s if zero.
	BusyTimeout time.Duration
	// Poll is how often [Store.Changed] looks for other processes' commits;
	// 100 ms if zero. This process's commits wake it at once.
	Poll time.Duration
	// Alone says that nobody else has the profile open, in this process or another,
	// as long as this Store has: another that opens it gets [ErrBusy]. One
	// connection then serves everything, so that View and Update take turns, and
	// nothing polls: for many profiles in one process.
	Alone bool
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.KDF == (KDF{}) {
		o.KDF = DefaultKDF
	}
	if o.BusyTimeout == 0 {
		o.BusyTimeout = busyTimeout
	}
	if o.Poll == 0 {
		o.Poll = pollInterval
	}
	return o
}

// Store is an open profile. Its methods may be called from many goroutines.
type Store struct {
	path string
	key  fileKey
	opts Options

	// A connection is used by whoever took it out of its channel; Close takes
	// all of them for good. A nil reader or poller is opened at its first use.
	// Alone, readers is writer.
	writer  chan *conn
	readers chan *conn
	watch   chan *watch

	closed  chan struct{} // closed by the first Close
	once    sync.Once
	stopped atomic.Bool // a commit failed: what the disk holds is unknown
	bell    bell
}

// Open opens the profile at path: [ErrNotFound], [ErrNotProfile],
// [ErrWrongPassphrase], [ErrNewerFormat] or [ErrDamaged] when it cannot. An
// older format is migrated. Deriving the key takes about a fifth of a second.
func Open(path string, passphrase []byte, o Options) (*Store, error) {
	header, err := readHeader(path)
	if err != nil {
		return nil, err
	}
	key, _, _, err := unlock(header, passphrase)
	if err != nil {
		return nil, err
	}
	return open(path, key, o.withDefaults())
}

func open(path string, key fileKey, o Options) (*Store, error) {
	c, err := openConn(path, key, o)
	if err != nil {
		return nil, err
	}
	v, err := c.format()
	if err == nil && v == 0 {
		err = ErrDamaged // profiles appear under their name complete
	}
	if err == nil {
		err = mapError(context.Background(), c.useWAL())
	}
	if err == nil {
		err = migrate(c)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	s := &Store{
		path: path, key: key, opts: o,
		writer: make(chan *conn, 1),
		watch:  make(chan *watch, 1),
		closed: make(chan struct{}),
	}
	s.bell.ch = make(chan struct{})
	s.writer <- c
	s.watch <- &watch{generation: 1}
	if o.Alone {
		s.readers = s.writer
		return s, nil
	}
	s.readers = make(chan *conn, readConns)
	for range readConns {
		s.readers <- nil
	}
	return s, nil
}

// Close waits for running transactions and closes the profile. The last
// process to close moves the write-ahead log into the file.
func (s *Store) Close() error {
	err := ErrClosed
	s.once.Do(func() {
		close(s.closed)
		var errs []error
		for range readConns {
			if s.opts.Alone {
				break
			}
			if c := <-s.readers; c != nil {
				errs = append(errs, c.close())
			}
		}
		if w := <-s.watch; w.conn != nil {
			errs = append(errs, w.conn.close())
		}
		errs = append(errs, (<-s.writer).close())
		clear(s.key[:])
		err = errors.Join(errs...)
	})
	return err
}

// take receives a connection, or fails when ctx ends or the store is closed.
func take[T any](ctx context.Context, s *Store, from chan T) (v T, err error) {
	select {
	case <-s.closed:
		return v, ErrClosed
	case <-ctx.Done():
		return v, context.Cause(ctx)
	default:
	}
	select {
	case v = <-from:
		return v, nil
	case <-s.closed:
		return v, ErrClosed
	case <-ctx.Done():
		return v, context.Cause(ctx)
	}
}

// Update runs fn in one transaction that nobody else writes beside, and commits
// it durably if fn returns nil; otherwise nothing of it remains and fn's error is
// returned. fn must not call Update again nor keep tx. If ctx ends before
// the commit began, nothing is changed and ctx's cause returned; a commit that
// has begun is finished. [ErrBusy] and [ErrFull] may be tried again.
func (s *Store) Update(ctx context.Context, fn func(tx *Tx) error) error {
	c, err := take(ctx, s, s.writer)
	if err != nil {
		return err
	}
	defer func() { s.writer <- c }()
	if s.stopped.Load() {
		return ErrStopped
	}
	before := c.db.TotalChanges()
	if err := s.transact(ctx, c, "BEGIN IMMEDIATE", fn); err != nil {
		return err
	}
	s.bell.ring(c.db.TotalChanges() != before)
	return nil
}

// View runs fn on one consistent snapshot. It neither waits for an Update nor
// delays one. fn must not change anything.
func (s *Store) View(ctx context.Context, fn func(tx *Tx) error) error {
	c, err := take(ctx, s, s.readers)
	if err != nil {
		return err
	}
	defer func() { s.readers <- c }()
	if c == nil {
		fresh, err := openConn(s.path, s.key, s.opts)
		if err != nil {
			return err
		}
		c = fresh
	}
	return s.transact(ctx, c, "BEGIN", fn)
}

func (s *Store) transact(ctx context.Context, c *conn, begin string, fn func(*Tx) error) (err error) {
	c.db.SetInterrupt(ctx)
	defer c.db.SetInterrupt(context.Background())
	if err := c.exec(begin); err != nil {
		return mapError(ctx, err)
	}
	tx := &Tx{ctx: ctx, conn: c, writable: begin != "BEGIN", now: s.opts.Now}
	defer func() {
		tx.conn = nil
		// Also when fn panicked. A rollback cannot be interrupted.
		if !c.db.GetAutocommit() {
			c.db.SetInterrupt(context.Background())
			if rerr := c.db.Exec("ROLLBACK"); rerr != nil {
				s.stopped.Store(true)
				err = errors.Join(err, ErrStopped)
			}
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c.db.SetInterrupt(context.Background())
	return s.commit(c)
}

func (s *Store) commit(c *conn) error {
	err := mapError(context.Background(), c.exec("COMMIT"))
	if err == nil || errors.Is(err, ErrFull) || errors.Is(err, ErrBusy) {
		return err
	}
	s.stopped.Store(true)
	return fmt.Errorf("%w: %v", ErrStopped, err)
}

// Scrub moves the write-ahead log into the file and empties it, so that no
// former version of a page is left: what has been deleted or replaced before is
// gone from both files. [ErrBusy] when readers did not finish in time.
func (s *Store) Scrub(ctx context.Context) error {
	c, err := take(ctx, s, s.writer)
	if err != nil {
		return err
	}
	defer func() { s.writer <- c }()
	c.db.SetInterrupt(ctx)
	defer c.db.SetInterrupt(context.Background())
	st, err := c.prepare("PRAGMA wal_checkpoint(TRUNCATE)")
	if err != nil {
		return mapError(ctx, err)
	}
	busy := st.Step() && st.ColumnInt(0) != 0
	if err := st.Reset(); err != nil {
		return mapError(ctx, err)
	}
	if busy {
		return ErrBusy
	}
	return nil
}

// readHeader reads the key slots of a profile.
func readHeader(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	defer f.Close()
	header := make([]byte, headerSize)
	if _, err := f.ReadAt(header, 0); errors.Is(err, io.EOF) {
		return nil, ErrNotProfile
	} else if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return header, nil
}
