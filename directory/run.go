package directory

import (
	"context"
	"errors"
	"time"

	"communicator/directory/vend"
	"communicator/eventlog"
	"communicator/wire"
)

// Run drops what has expired until ctx ends or the directory is closed. What fails is
// logged and tried again at the next turn.
func (d *Directory) Run(ctx context.Context) error {
	timer := time.NewTimer(sweepEvery)
	defer timer.Stop()
	for {
		err := d.Sweep(ctx)
		if err != nil && ctx.Err() == nil && !errors.Is(err, eventlog.ErrClosed) {
			d.cfg.Logger.Error("upkeep failed", "what", "expiry sweep", "err", err)
		}
		timer.Reset(sweepEvery)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil
		case <-d.ctx.Done():
			return nil
		}
	}
}

// Sweep erases packages, requests and tokens that have expired. [Directory.Run] calls
// it; a simulation may call it by itself. It does nothing while the clock is not trusted
// or the log takes nothing.
func (d *Directory) Sweep(ctx context.Context) error {
	if !d.cfg.ClockTrusted() {
		return nil
	}
	if h := d.cfg.Log.State().Health; h != eventlog.Healthy && h != eventlog.DiskLow {
		return nil
	}
	for again := true; again; {
		_, err := d.cfg.Log.Decide(ctx, func(now time.Time, tables eventlog.Tables) ([]eventlog.Event, error) {
			out, err := vend.Step(now, tables.Table(wire.TableVend), d.cfg.Limits.Vend, vend.Sweep{})
			again = out.More
			return vendEvents(out.Facts), err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
