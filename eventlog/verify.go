package eventlog

import (
	"context"
	"errors"
)

// Verify reads everything that is stored and lists what is damaged; the error is
// for what kept it from looking. Damage makes the log read-only.
func (l *eventLog) Verify(ctx context.Context) (Report, error) {
	var report Report
	err := l.view(func(snap snapshot) error {
		c, err := l.beginning(snap)
		if err != nil {
			return err
		}
		noted, err := kindsIn(snap)
		if err != nil {
			return err
		}
		found := new(kindSet)
		report.First = c.at.seq + 1
		err = c.walk(snap, func(b *batchRow) error {
			report.Batches++
			if found = found.add(b.records); noted.since != 0 && b.head.First >= noted.since {
				if d := noted.missing(b); d != nil {
					report.Damage = append(report.Damage, d)
				}
			}
			l.verifyBodies(snap, b, &report)
			if !c.signed(&b.head) {
				report.Damage = append(report.Damage, c.broken(b.head.Last(), "a head not signed by this node", nil))
			}
			return ctx.Err()
		})
		report.Last = c.at.seq
		if err == nil && c.sums.bodies != report.Bodies && c.head.Number > 0 {
			err = &DamageError{Part: "store", Reason: "the count of stored bodies does not hold"}
		}
		if err == nil {
			err = l.knows(found)
		}
		return err
	})
	if err == nil {
		if err = l.eng.check(ctx); err != nil && ctx.Err() == nil {
			err = &DamageError{Part: "store", Reason: "a table's checksum does not match", Err: err}
		}
	}
	var damage *DamageError
	if errors.As(err, &damage) {
		report.Damage, err = append(report.Damage, damage), nil
	}
	for _, d := range report.Damage {
		_ = l.notice(d)
	}
	return report, err
}

func (l *eventLog) verifyBodies(snap snapshot, b *batchRow, report *Report) {
	h := &headers{snap: snap}
	for i := range b.records {
		r := &b.records[i]
		if r.BodyLen == 0 {
			continue
		}
		switch _, err := l.bodyIn(h, r.Seq); {
		case err == nil:
			report.Bodies++
			report.BodyBytes += uint64(r.BodyLen)
		case errors.Is(err, ErrErased):
			report.Erased++
		default:
			var damage *DamageError
			if errors.As(err, &damage) {
				report.Damage = append(report.Damage, damage)
			}
		}
	}
}
