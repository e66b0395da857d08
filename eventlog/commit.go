package eventlog

// commitLoop is the committer goroutine: it makes batches durable one at a time
// and answers those who wait for them. The writer fills the next batch meanwhile.
func (l *eventLog) commitLoop() {
	defer l.work.Done()
	for b := range l.commits {
		err := l.commit(b)
		if err != nil {
			err = l.fail(err)
		}
		for _, r := range b.waiting {
			r.finish(err)
		}
		l.idle <- err
	}
}

// commit syncs the batch, then writes its head. The head file is not synced here:
// it tells a loss, while the store's own sync is what prevents it.
func (l *eventLog) commit(b *batch) error {
	if f := l.failed.Load(); f != nil {
		return *f
	}
	if err := l.awaitSpace(); err != nil {
		return err
	}
	l.opts.Hook("before-commit")
	if err := l.eng.commit(b.changes()); err != nil {
		return err
	}
	l.opts.Hook("after-commit")
	if len(b.events) > 0 {
		if err := l.heads.write(&b.head); err != nil {
			return err
		}
		l.newest.Store(&b.head)
		l.counts.Store(&b.counts)
		if b.kinds != nil {
			l.kinds.Store(b.kinds)
		}
	}
	l.opts.Hook("after-head")
	l.opts.Hook("before-ack")
	return nil
}
