package eventlog

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// matchTables rebuilds the projections' rows if they were made by others, or if a
// rebuild was interrupted.
func (l *eventLog) matchTables() error {
	want := l.tablesRow()
	var have, unfinished []byte
	err := l.view(func(snap snapshot) error {
		h, err := snap.get(metaTables)
		have = append([]byte(nil), h...)
		if err == nil {
			unfinished, err = snap.get(metaRebuild)
		}
		return err
	})
	if err != nil {
		return err
	}
	if bytes.Equal(have, want) && unfinished == nil {
		return nil
	}
	return l.rebuild(context.Background())
}

// tablesRow lists the projections: u8 id, u8 length and name of each.
func (l *eventLog) tablesRow() []byte {
	row := []byte{}
	for id, p := range l.byID {
		if p != nil {
			name := p.Name()[:min(len(p.Name()), 255)]
			row = append(append(row, byte(id), byte(len(name))), name...)
		}
	}
	return row
}

func (l *eventLog) Rebuild(ctx context.Context) error {
	if err := l.refusal(); err != nil {
		return err
	}
	if err := l.maintain(ctx); err != nil {
		return err
	}
	defer l.maintained()
	return l.exclusively(ctx, func() error { return l.rebuild(ctx) })
}

// rebuild drops all rows of projections, puts the newest snapshot's back and
// applies the headers after it. It runs while nothing else writes. Interrupted, it
// starts over at the next opening: a marker says so.
func (l *eventLog) rebuild(ctx context.Context) error {
	c := &bulk{l: l}
	if err := l.eng.commit([]row{{metaRebuild, []byte{1}}}); err != nil {
		return l.fail(err)
	}
	err := l.view(func(snap snapshot) error {
		var inner error
		err := snap.keys([]byte{keyTable}, nil, func(key []byte) bool {
			inner = c.change(row{append([]byte(nil), key...), nil})
			return inner == nil && ctx.Err() == nil
		})
		return errors.Join(inner, err, ctx.Err())
	})
	if err == nil {
		err = c.flush()
	}
	if err == nil {
		err = l.replay(ctx, c)
	}
	if err != nil {
		return err
	}
	if err := l.eng.commit([]row{{metaTables, l.tablesRow()}, {metaRebuild, nil}}); err != nil {
		return l.fail(err)
	}
	return nil
}

// replay applies snapshot and headers to empty tables.
func (l *eventLog) replay(ctx context.Context, c *bulk) error {
	var info *snapshotInfo
	err := l.view(func(snap snapshot) (err error) {
		if info, err = l.snapshotInfo(snap); err != nil || info == nil {
			return err
		}
		return l.loadSnapshot(snap, info, func(id byte, key, value []byte) error {
			if l.projection(id) == nil {
				return nil
			}
			return c.change(row{tableKey(id, key), append([]byte{}, value...)})
		})
	})
	if err == nil {
		err = c.flush()
	}
	if err != nil {
		return err
	}
	from := l.begins.Load()
	if info != nil {
		from = info.at.seq + 1
	}
	for {
		next, err := l.replayBatch(c, from)
		if err != nil || next == from {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		from = next
	}
}

// replayBatch applies one batch's events and commits the rows; it returns the
// sequence after it.
func (l *eventLog) replayBatch(c *bulk, from uint64) (uint64, error) {
	records, err := l.recordsOfBatch(from)
	if err != nil || len(records) == 0 {
		return from, err
	}
	for i := range records {
		if err := l.replayOne(c, records[i]); err != nil {
			return from, err
		}
	}
	return records[len(records)-1].Seq + 1, c.flush()
}

func (l *eventLog) replayOne(c *bulk, r Record) error {
	if err := l.knows(new(kindSet).add([]Record{r})); err != nil {
		return err
	}
	return l.view(func(snap snapshot) error {
		body, err := l.bodyIn(&headers{snap: snap}, r.Seq)
		if err != nil && !errors.Is(err, ErrErased) && !errors.Is(err, ErrNoRecord) {
			return err
		}
		s := newStage()
		s.last = r.Seq
		at := &layers{over: []overlay{s.tables, c.tables()}, snap: snap}
		if err := l.apply(at, s, r, body); err != nil {
			return err
		}
		// Bodies were erased when the event was new; a replay erases nothing.
		return c.take(s)
	})
}

// bulk gathers rows of maintenance into commits of the store's size.
type bulk struct {
	l      *eventLog
	beside bool // the writer runs, and waits for one commit at a time
	rows   []row
	over   overlay
	size   stage // counts only
}

func (c *bulk) tables() overlay {
	if c.over == nil {
		c.over = overlay{}
	}
	return c.over
}

// change adds one row as it is.
func (c *bulk) change(r row) error {
	c.rows = append(c.rows, r)
	c.size.grow(len(r.key), len(r.value))
	if c.size.rows >= batchRows/2 || c.size.inline >= batchInline/2 || c.size.bytes >= batchBytes/2 {
		return c.flush()
	}
	if c.beside && (c.size.rows >= besideRows || c.size.bytes >= besideBytes) {
		return c.flush()
	}
	return nil
}

// take adds what a replayed event changed. Half a batch is free for one event.
func (c *bulk) take(s *stage) error {
	for id, t := range s.tables {
		for key, value := range t.rows {
			c.tables().set(id, key, value)
		}
	}
	c.size.rows += s.rows
	c.size.inline += s.inline
	c.size.bytes += s.bytes
	if c.size.rows >= batchRows/2 || c.size.inline >= batchInline/2 {
		return c.flush()
	}
	return nil
}

func (c *bulk) flush() error {
	for id, t := range c.over {
		for key, value := range t.rows {
			c.rows = append(c.rows, row{tableKey(id, []byte(key)), value})
		}
	}
	if len(c.rows) == 0 {
		return nil
	}
	write := func() error {
		if err := c.l.eng.commit(c.rows); err != nil {
			return c.l.fail(err)
		}
		return nil
	}
	var err error
	if c.beside {
		began := time.Now()
		err = c.l.exclusively(context.Background(), write)
		c.l.rest(time.Since(began))
	} else {
		err = write()
	}
	*c = bulk{l: c.l, beside: c.beside}
	return err
}

// rest waits for as long as a part of the maintenance took, so that the writer has half
// of the time and the store's compactions keep up: an append would wait for them.
func (l *eventLog) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.closing:
	}
}
