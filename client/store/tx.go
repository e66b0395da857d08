package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// ID is a random local name of a contact, an invitation or a message.
type ID [16]byte

// Tx is one transaction of [Store.Update] or [Store.View]. It belongs to the
// goroutine that runs its function and ends with it. After an error that is not
// one of this package's, the transaction should be given up by returning it.
type Tx struct {
	ctx      context.Context
	conn     *conn // nil when the transaction is over
	writable bool
	now      func() time.Time
}

// Now is the store's clock, in the precision that is stored: milliseconds.
func (tx *Tx) Now() time.Time { return fromMillis(toMillis(tx.now())) }

// exec runs one changing statement and returns how many rows it changed.
func (tx *Tx) exec(sql string, args ...any) (int64, error) {
	if tx.conn == nil {
		return 0, ErrTxDone
	}
	if !tx.writable {
		return 0, ErrReadOnly
	}
	changed := int64(0)
	err := tx.run(sql, args, func(st *sqlite3.Stmt) error {
		for st.Step() {
		}
		if err := st.Err(); err != nil {
			return err
		}
		changed = tx.conn.db.Changes()
		return nil
	})
	return changed, err
}

// change runs a statement that must change a row: otherwise [ErrNotFound].
func (tx *Tx) change(sql string, args ...any) error {
	n, err := tx.exec(sql, args...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// insert runs a statement and returns the row id that it assigned.
func (tx *Tx) insert(sql string, args ...any) (int64, error) {
	if _, err := tx.exec(sql, args...); err != nil {
		return 0, err
	}
	return tx.conn.db.LastInsertRowID(), nil
}

// run binds args, calls step and leaves the statement clean: neither a lock nor
// a bound secret stays behind.
func (tx *Tx) run(sql string, args []any, step func(*sqlite3.Stmt) error) error {
	if err := checkSizes(args); err != nil {
		return err
	}
	st, err := tx.conn.prepare(sql)
	if err != nil {
		return mapError(tx.ctx, err)
	}
	if err = bind(st, args); err == nil {
		err = step(st)
	}
	rerr := st.Reset()
	if err == nil {
		err = rerr
	}
	if cerr := st.ClearBindings(); err == nil {
		err = cerr
	}
	if isOurs(err) {
		return err
	}
	return mapError(tx.ctx, err)
}

// isOurs tells errors that a scanner made from SQLite's.
func isOurs(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, ErrInvalid)
}

func checkSizes(args []any) error {
	for _, a := range args {
		if b, ok := a.([]byte); ok && len(b) > MaxBlob {
			return fmt.Errorf("%w: %d bytes", ErrInvalid, len(b))
		}
	}
	return nil
}

// bind sets the parameters ?1, ?2, …: nil is NULL, an empty slice an empty blob,
// a time its milliseconds, a state its number.
func bind(st *sqlite3.Stmt, args []any) error {
	for i, a := range args {
		if err := bindOne(st, i+1, a); err != nil {
			return err
		}
	}
	return nil
}

func bindOne(st *sqlite3.Stmt, i int, a any) error {
	switch v := a.(type) {
	case nil:
		return st.BindNull(i)
	case []byte:
		if len(v) == 0 {
			return st.BindZeroBlob(i, 0)
		}
		return st.BindBlob(i, v)
	case string:
		return st.BindText(i, v)
	case bool:
		return st.BindBool(i, v)
	case int:
		return st.BindInt(i, v)
	case int64:
		return st.BindInt64(i, v)
	case uint64:
		if v > math.MaxInt64 {
			return fmt.Errorf("%w: number above 2^63-1", ErrInvalid)
		}
		return st.BindInt64(i, int64(v))
	case time.Time:
		return st.BindInt64(i, toMillis(v))
	}
	return fmt.Errorf("%w: cannot bind a %T", ErrInvalid, a)
}

// row reads the columns of a result in their order. The first value that does
// not have the type's shape is remembered in err.
type row struct {
	st  *sqlite3.Stmt
	col int
	err error
}

func (r *row) next() int { r.col++; return r.col - 1 }

func (r *row) int() int64        { return r.st.ColumnInt64(r.next()) }
func (r *row) uint() uint64      { return uint64(r.int()) }
func (r *row) bool() bool        { return r.int() != 0 }
func (r *row) text() string      { return r.st.ColumnText(r.next()) }
func (r *row) time() time.Time   { return fromMillis(r.int()) }
func (r *row) blob() []byte      { return r.st.ColumnBlob(r.next(), nil) }
func (r *row) id() (id ID)       { r.fixed(id[:]); return id }
func (r *row) b32() (b [32]byte) { r.fixed(b[:]); return b }

// optional reads an id that may be NULL, which is the zero id.
func (r *row) optional() (id ID) {
	if r.st.ColumnType(r.col) == sqlite3.NULL {
		r.col++
		return id
	}
	return r.id()
}

func (r *row) fixed(into []byte) {
	b := r.st.ColumnRawBlob(r.next())
	if len(b) != len(into) {
		r.err = ErrDamaged
		return
	}
	copy(into, b)
}

// list collects all rows of a query.
func list[T any](tx *Tx, scan func(*row) T, sql string, args ...any) (out []T, err error) {
	if tx.conn == nil {
		return nil, ErrTxDone
	}
	err = tx.run(sql, args, func(st *sqlite3.Stmt) error {
		for st.Step() {
			r := row{st: st}
			v := scan(&r)
			if r.err != nil {
				return r.err
			}
			out = append(out, v)
		}
		return st.Err()
	})
	return out, err
}

// one returns the first row of a query, or [ErrNotFound].
func one[T any](tx *Tx, scan func(*row) T, sql string, args ...any) (v T, err error) {
	all, err := list(tx, scan, sql, args...)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return v, err
	}
	return all[0], nil
}

// null turns the zero id into NULL.
func null(id ID) any {
	if id == (ID{}) {
		return nil
	}
	return id[:]
}

func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
