package eventlog

import (
	"errors"
	"fmt"
)

// errTable is returned for a table that no projection of this log owns.
var errTable = errors.New("eventlog: no projection has this table id")

// committedTables reads one snapshot.
type committedTables struct {
	l    *eventLog
	snap snapshot
}

func (t committedTables) Table(id byte) Reader {
	if t.l.projection(id) == nil {
		return brokenTable{}
	}
	return tableReader{id: id, at: &layers{snap: t.snap}}
}

// queuedTables reads what will be once everything queued is committed.
type queuedTables struct {
	l  *eventLog
	at *layers
}

func (t queuedTables) Table(id byte) Reader {
	if t.l.projection(id) == nil {
		return brokenTable{}
	}
	return tableReader{id: id, at: t.at}
}

type tableReader struct {
	id byte
	at *layers
}

func (r tableReader) Get(key []byte) ([]byte, error) { return r.at.get(r.id, key) }

func (r tableReader) Scan(prefix, start []byte, fn func(key, value []byte) bool) error {
	return r.at.scan(r.id, prefix, start, fn)
}

type brokenTable struct{}

func (brokenTable) Get([]byte) ([]byte, error) { return nil, errTable }
func (brokenTable) Scan(_, _ []byte, _ func(_, _ []byte) bool) error {
	return errTable
}

// tableWriter is what a projection's Apply gets: reads see all layers, writes go
// to the stage.
type tableWriter struct {
	tableReader
	stage *stage
}

func (w tableWriter) Set(key, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	w.stage.tables.set(w.id, string(key), append([]byte{}, value...))
	w.stage.grow(len(key)+2, len(value))
	return nil
}

func (w tableWriter) Delete(key []byte) error {
	w.stage.tables.set(w.id, string(key), nil)
	w.stage.grow(len(key)+2, 0)
	return nil
}

func (w tableWriter) EraseBody(seq uint64) error {
	if seq == 0 || seq > w.stage.last {
		return fmt.Errorf("eventlog: erasing the body of event %d, which does not exist yet", seq)
	}
	w.stage.erase[seq] = struct{}{}
	w.stage.grow(9, 1)
	return nil
}
