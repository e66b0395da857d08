package eventlog

import (
	"context"
	"errors"
	"time"
)

// startBackground starts what runs beside the writer; all of it ends with Close.
func (l *eventLog) startBackground() {
	ctx, cancel := context.WithCancel(context.Background())
	l.work.Go(func() {
		<-l.closing
		cancel()
	})
	if l.dir != "" { // in memory looking a key up costs nothing
		l.work.Go(func() { l.learnKeys(ctx) })
		l.lookAtDisk()
	}
	l.every(ctx, l.opts.DiskEvery, l.lookAtDisk)
	if l.dir == "" {
		return
	}
	l.every(ctx, l.opts.HeadEvery, func() {
		if err := errors.Join(l.heads.look(), l.heads.sync()); err != nil {
			l.fail(err)
		}
	})
	s := &scrub{l: l}
	l.every(ctx, l.opts.ScrubEvery, func() { s.step(ctx) })
}

// every calls fn at an interval until ctx ends; never if it is 0.
func (l *eventLog) every(ctx context.Context, interval time.Duration, fn func()) {
	if interval <= 0 {
		return
	}
	l.work.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				fn()
			}
		}
	})
}

// shut releases files once the writer has stopped.
func (l *eventLog) shut() error {
	synced := l.heads.sync()
	if l.failed.Load() != nil {
		l.eng.abandon()
		return errors.Join(synced, l.heads.close(false))
	}
	closed := l.eng.close()
	h := l.State().Health
	clean := synced == nil && closed == nil && (h == Healthy || h == DiskLow)
	return errors.Join(synced, closed, l.heads.close(clean))
}

// scrub reads the log round and round, a few records at a time, so that damage is
// found before it is needed.
type scrub struct {
	l    *eventLog
	next uint64
}

func (s *scrub) step(ctx context.Context) {
	if s.l.State().Health == Failed {
		return
	}
	head := s.l.newest.Load()
	if s.next < s.l.begins.Load() {
		s.next = s.l.begins.Load()
	}
	if head.Number == 0 || s.next > head.Last() {
		s.next = s.l.begins.Load()
		if err := s.l.eng.check(ctx); err != nil && ctx.Err() == nil {
			s.report(&DamageError{Part: "store", Reason: "a table's checksum does not match", Err: err})
		}
		return
	}
	records, err := s.l.recordsOfBatch(s.next)
	if err != nil {
		s.report(err)
		s.next++
		return
	}
	for i := range records[:min(len(records), scrubRecords)] {
		r := &records[i]
		if r.BodyLen > 0 && ctx.Err() == nil {
			if _, err := s.l.Body(r.Seq); err != nil && !errors.Is(err, ErrErased) {
				s.report(err)
			}
		}
		s.next = r.Seq + 1
	}
}

func (s *scrub) report(err error) {
	if errors.Is(err, ErrClosed) || errors.Is(err, ErrNoRecord) {
		return // it was pruned, or the log closed meanwhile
	}
	_ = s.l.notice(err)
	s.l.opts.Logger.Error("the scrub found damage in the event log", "error", err)
}
