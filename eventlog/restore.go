package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Restore makes a log in dir, which must not hold one, from a backup, and opens
// it. The log goes on under a new id: nobody knows what the old one accepted after
// the backup, and the new [Era] in [Stat] names the head from which it is unknown.
// The signer may be another than the backup's. A backup that is cut short or not
// what was signed is [ErrBackup], one of a newer version a [wire.ErrVersion]; neither
// leaves anything behind.
func Restore(ctx context.Context, dir string, r io.Reader, o Options) (Log, error) {
	checked, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{storeName, headName} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("eventlog: restore: %w: %s", os.ErrExist, name)
		}
	}
	made := []string{filepath.Join(dir, storeName), filepath.Join(dir, headName)}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		made = []string{dir}
	}
	if err := restore(ctx, dir, r, checked); err != nil {
		for _, path := range made {
			err = errors.Join(err, os.RemoveAll(path))
		}
		return nil, err
	}
	return Open(dir, o)
}

func restore(ctx context.Context, dir string, r io.Reader, o Options) error {
	b, err := newBackupReader(r)
	if err != nil {
		return err
	}
	store := filepath.Join(dir, storeName)
	if err := os.MkdirAll(store, 0o700); err != nil {
		return fmt.Errorf("eventlog: restore: %w", err)
	}
	l := newEventLog(o, dir, nil, nil)
	logger := newBadgerLogger(o.Logger, func(error) {})
	eng, err := openBadger(badgerOptions(store, logger), logger)
	if err != nil {
		return err
	}
	l.eng = eng
	head, err := l.refill(ctx, b)
	if err = errors.Join(err, eng.close()); err != nil {
		return err
	}
	heads, err := openHeadFile(filepath.Join(dir, headName), l.pub)
	if err != nil {
		return err
	}
	heads.path = filepath.Join(store, manifestName)
	return errors.Join(heads.write(head), heads.close(true))
}

// refill writes the backup's rows and begins a new era. It returns the last head,
// signed anew: the signer vouches for what it continues.
func (l *eventLog) refill(ctx context.Context, b *backupReader) (*Head, error) {
	c := &bulk{l: l}
	for {
		key, value, err := b.next()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if key == nil {
			break
		}
		if err := c.change(row{key, value}); err != nil {
			return nil, err
		}
	}
	if err := c.flush(); err != nil {
		return nil, err
	}
	snap, err := l.eng.snapshot()
	if err != nil {
		return nil, err
	}
	defer snap.close()
	next, rows, err := l.newEra(snap, b)
	if err != nil {
		return nil, err
	}
	return next, l.eng.commit(rows)
}

// newEra verifies what was restored and makes the rows that continue it under
// l's signer.
func (l *eventLog) newEra(snap snapshot, b *backupReader) (*Head, []row, error) {
	value, err := snap.get(metaLog)
	if err == nil && value == nil {
		err = ErrBackup
	}
	if err != nil {
		return nil, nil, err
	}
	if l.eras, err = parseEras(value); err != nil {
		return nil, nil, newer(err, "store")
	}
	var rows []row
	signer := l.pub
	l.pub = b.pub // what follows was signed by the backup's node
	info, err := l.snapshotInfo(snap)
	if err != nil {
		return nil, nil, err
	}
	c, kinds, err := l.followAll(snap)
	if err != nil {
		return nil, nil, err
	}
	rows = append(rows, row{metaKinds, kinds.encode()})
	l.pub = signer
	if info != nil {
		rows = append(rows, row{metaSnapshot, info.seal(l.opts.Signer)})
	}
	// Checkpoints are signed by the old node; the next ones come in time.
	err = snap.keys([]byte{keyCheckpoint}, nil, func(key []byte) bool {
		rows = append(rows, row{append([]byte(nil), key...), nil})
		return true
	})
	opened := Era{
		After: c.at.number, Seq: c.at.seq, Head: c.at.head,
		Opened: l.opts.Now().UTC().Truncate(time.Second),
	}
	copy(opened.Key[:], l.pub)
	if _, randErr := io.ReadFull(l.opts.Rand, opened.LogID[:]); randErr != nil {
		err = errors.Join(err, randErr)
	}
	if len(l.eras) >= maxEras {
		err = errors.Join(err, fmt.Errorf("%w: restored %d times", ErrTooLarge, maxEras))
	}
	head := c.head
	if head.Number == 0 {
		head.LogID = opened.LogID
	}
	head.Sign(l.opts.Signer)
	return &head, append(rows, row{metaLog, encodeEras(append(l.eras, opened))}), err
}

// followAll verifies every header, and that this program knows its kind. It returns the
// kinds as well.
func (l *eventLog) followAll(snap snapshot) (*chain, *kindSet, error) {
	c, err := l.beginning(snap)
	if err != nil {
		return nil, nil, err
	}
	kinds, err := kindsIn(snap)
	if err != nil {
		return nil, nil, err
	}
	if kinds.since == 0 {
		kinds.since = c.at.seq + 1
	}
	err = c.walk(snap, func(b *batchRow) error {
		kinds = kinds.add(b.records)
		return nil
	})
	if err == nil {
		err = l.knows(kinds)
	}
	return c, kinds, err
}
