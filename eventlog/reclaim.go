package eventlog

import (
	"context"
	"errors"
)

// Reclaim rewrites the store's files without what was erased, while appends go on,
// and closes and opens the store before and after: what sat in write-ahead logs
// comes into tables where rewriting finds it, and what was rewritten goes.
func (l *eventLog) Reclaim(ctx context.Context) error {
	if err := l.refusal(); err != nil {
		return err
	}
	if err := l.maintain(ctx); err != nil {
		return err
	}
	defer l.maintained()
	reopen := func() error {
		if err := l.eng.reopen(); errors.Is(err, errBusy) {
			return err // nothing was closed: a reader takes long, and it can be tried again
		} else if err != nil {
			return l.fail(err)
		}
		// The store keeps the versions that the newest snapshot may read. This row
		// makes the next one newer than anything erased.
		if err := l.eng.commit([]row{{metaTick, []byte{}}}); err != nil {
			return l.fail(err)
		}
		if err := l.noteStore(); err != nil {
			return l.fail(err)
		}
		return nil
	}
	if err := l.exclusively(context.WithoutCancel(ctx), reopen); err != nil {
		return err
	}
	if err := l.eng.compact(ctx); err != nil {
		return err
	}
	return l.exclusively(context.WithoutCancel(ctx), reopen)
}

// noteStore has the head file describe the store as it is now: tables were written
// and dropped.
func (l *eventLog) noteStore() error {
	if err := l.heads.look(); err != nil {
		return err
	}
	if err := l.heads.write(l.newest.Load()); err != nil {
		return err
	}
	return l.heads.sync()
}
