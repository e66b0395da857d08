package mailbox

import (
	"bytes"
	"context"
	"time"

	"communicator/eventlog"
	"communicator/mailbox/admit"
	"communicator/wire"
)

// Sweep erases what has expired: deliveries older than the retention time, mailboxes
// whose addresses are all void, blobs past their time, replay ids that no put can meet
// any more. [Service.Run] calls it; a simulation may call it by itself. It does
// nothing while the clock is not trusted or the log takes nothing.
func (s *Service) Sweep(ctx context.Context) error {
	if !s.cfg.ClockTrusted() {
		return nil
	}
	if h := s.cfg.Log.State().Health; h != eventlog.Healthy && h != eventlog.DiskLow {
		return nil
	}
	now := s.cfg.Now()
	if err := s.sweepMailboxes(ctx, now); err != nil {
		return err
	}
	if err := s.sweepBlobs(ctx, now); err != nil {
		return err
	}
	return s.forgetReplays(ctx, now)
}

// sweepMailboxes looks at every mailbox, a part at a time, and lets the log's writer
// decide again on those where there may be something to do.
func (s *Service) sweepMailboxes(ctx context.Context, now time.Time) error {
	cutoff, hour := admit.HourAt(now.Add(-s.cfg.Limits.Retention)), admit.HourAt(now)
	for start := []byte{rowMailbox}; start != nil; {
		var due []wire.MailboxID
		err := s.cfg.Log.View(func(tables eventlog.Tables) (err error) {
			due, start, err = dueMailboxes(tables.Table(wire.TableMailbox), start, cutoff, hour)
			return err
		})
		if err != nil {
			return err
		}
		for _, mb := range due {
			if err := s.sweepMailbox(ctx, mb, cutoff, hour); err != nil {
				return err
			}
		}
	}
	return nil
}

// dueMailboxes visits up to sweepRows mailboxes and says where to go on, nil at the end.
func dueMailboxes(r eventlog.Reader, start []byte, cutoff, now admit.Hour) (due []wire.MailboxID, next []byte, err error) {
	var bad error
	var some []wire.MailboxID // those with deliveries: their oldest decides
	visited := 0
	err = r.Scan([]byte{rowMailbox}, start, func(key, row []byte) bool {
		if visited++; visited > sweepRows {
			next = bytes.Clone(key)
			return false
		}
		m, err := admit.ParseMailbox(row)
		if err != nil {
			bad = err
			return false
		}
		mb := wire.MailboxID(key[1:])
		if m.Due(now) {
			due = append(due, mb)
		} else if m.Count > 0 {
			some = append(some, mb)
		}
		return true
	})
	for _, mb := range some {
		if err != nil || bad != nil {
			break
		}
		err = scanDeliveries(r, mb, 0, func(d delivery) bool {
			if d.received < cutoff {
				due = append(due, mb)
			}
			return false
		})
	}
	if err == nil {
		err = bad
	}
	return due, next, err
}

// sweepMailbox expires one mailbox's old deliveries, and drops it once it is void and
// empty, in as many commits as that takes.
func (s *Service) sweepMailbox(ctx context.Context, mb wire.MailboxID, cutoff, now admit.Hour) error {
	for again := true; again; {
		erased := 0
		err := s.decide(ctx, func(r eventlog.Reader) ([]eventlog.Event, error) {
			facts, more, err := expire(r, mb, cutoff, now)
			again = more
			var events []eventlog.Event
			for _, f := range facts {
				events = append(events, event(f, nil))
				if e, ok := f.(admit.Expired); ok {
					erased += len(e.Positions)
				}
			}
			return events, err
		})
		if err != nil {
			return err
		}
		s.cfg.Metrics.erased.WithLabelValues("expired").Add(float64(erased))
	}
	return nil
}

// expire decides what is over in a mailbox; more says to ask again after the commit.
func expire(r eventlog.Reader, mb wire.MailboxID, cutoff, now admit.Hour) (facts []admit.Fact, more bool, err error) {
	m, err := loadMailbox(r, mb)
	if m == nil || err != nil {
		return nil, false, err
	}
	if m.Due(now) {
		return []admit.Fact{admit.MailboxRemoved{Mailbox: mb}}, false, nil
	}
	var old []uint64
	err = scanDeliveries(r, mb, 0, func(d delivery) bool {
		if d.received >= cutoff || len(old) == admit.MaxPositions {
			return false
		}
		old = append(old, d.seq)
		return true
	})
	if len(old) == 0 || err != nil {
		return nil, false, err
	}
	return []admit.Fact{admit.Expired{Mailbox: mb, Positions: old}}, true, nil
}

// sweepBlobs erases blobs whose time is over.
func (s *Service) sweepBlobs(ctx context.Context, now time.Time) error {
	hour := admit.HourAt(now)
	for again := true; again; {
		again = false
		erased := 0
		err := s.decideBlobs(ctx, func(r eventlog.Reader) (events []eventlog.Event, err error) {
			var bad error
			err = r.Scan([]byte{rowBlob}, nil, func(key, row []byte) bool {
				if len(events) == sweepFacts {
					again = true
					return false
				}
				b, err := admit.ParseBlob(row)
				if err != nil {
					bad = err
					return false
				}
				if b.Expires <= hour {
					events = append(events, event(admit.BlobExpired{ID: admit.BlobID(key[1:])}, nil))
				}
				return true
			})
			erased = len(events)
			if err == nil {
				err = bad
			}
			return events, err
		})
		if err != nil {
			return err
		}
		s.cfg.Metrics.erased.WithLabelValues("blob expired").Add(float64(erased))
	}
	return nil
}

// forgetReplays drops the replay ids of weeks that are over, whose keys are deleted
// at the same time.
func (s *Service) forgetReplays(ctx context.Context, now time.Time) error {
	before := wire.EpochAt(now.Add(-replayGrace))
	defer s.seen.forget(before)
	for again := true; again; {
		err := s.decide(ctx, func(r eventlog.Reader) ([]eventlog.Event, error) {
			again = false
			err := r.Scan([]byte{rowReplay}, nil, func(key, _ []byte) bool {
				again = replayWeek(key) < before
				return false
			})
			if err != nil || !again {
				return nil, err
			}
			return []eventlog.Event{event(admit.ReplayForgotten{Before: before, Limit: forgetRows}, nil)}, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
