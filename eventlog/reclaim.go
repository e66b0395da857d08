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
	if !l.reclaiming.TryLock() {
		return errBusy
	}
	defer l.reclaiming.Unlock()
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
		return nil
	}
	if err := l.exclusively(ctx, reopen); err != nil {
		return err
	}
	if err := l.eng.compact(ctx); err != nil {
		return err
	}
	return l.exclusively(ctx, reopen)
}
