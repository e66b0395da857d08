package real

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"communicator/eventlog"
	"communicator/node"
	"communicator/simulations/script"
)

// check looks whether what must hold at the end of any run does: nothing that an agent
// acknowledged is lost, nothing was shown twice, and every agent's log is whole and gives
// its tables again, byte for byte.
func (w *world) check(whole bool) {
	t := w.messages.tally()
	if t.repeated > 0 {
		w.broke("%d messages were shown again", t.repeated)
	}
	if t.strange > 0 {
		w.broke("%d messages came that nobody sent", t.strange)
	}
	var held, hostile uint64
	for _, a := range w.agents {
		stored, err := a.verify()
		w.watch.moved()
		if err != nil {
			w.broke("agent %d: %v", a.number, err)
		}
		held += stored
		if a.hostile != script.Honest {
			hostile++
		}
	}
	w.mu.Lock()
	w.extras["real_held"] = float64(held)
	w.mu.Unlock()
	// What some log still holds is late, not lost.
	if whole && hostile == 0 && uint64(len(t.missing)) > held {
		for _, number := range t.missing {
			w.broke("%s was accepted and is nowhere", w.messages.describe(number))
		}
	}
}

// verify reads the log of an agent that is closed, and returns how many bodies it stores.
func (a *agent) verify() (bodies uint64, err error) {
	o := eventlog.Options{Signer: a.key, Projections: node.Projections(), MinFree: -1, MinFreePercent: -1, Ballast: -1}
	a.logOptions(&o)
	o.Statfs, o.DiskEvery = nil, -1
	ctx := context.Background()
	open := func() (eventlog.Log, error) {
		o.Memory = a.memory
		return eventlog.OpenMemory(o)
	}
	if dir := a.config(nil).LogDir; dir != "" {
		open = func() (eventlog.Log, error) { return eventlog.Open(dir, o) }
	}
	log, err := open()
	if err != nil {
		return 0, err
	}
	defer log.Close()
	report, err := log.Verify(ctx)
	if err != nil {
		return 0, err
	}
	if len(report.Damage) > 0 {
		return 0, fmt.Errorf("its log is damaged: %w", report.Damage[0])
	}
	if a.hostile == script.Drop {
		return report.Bodies, nil // what it left out of its tables a replay does not know
	}
	before, err := digest(log, o.Projections)
	if err != nil {
		return 0, err
	}
	if err := log.Rebuild(ctx); err != nil {
		return 0, fmt.Errorf("replay: %w", err)
	}
	after, err := digest(log, o.Projections)
	if err == nil && !bytes.Equal(before, after) {
		err = fmt.Errorf("a replay of its log gives other tables")
	}
	return report.Bodies, err
}

// digest is over every row of every table.
func digest(log eventlog.Log, tables []eventlog.Projection) ([]byte, error) {
	h := sha256.New()
	err := log.View(func(t eventlog.Tables) error {
		for _, p := range tables {
			h.Write([]byte{p.ID()})
			err := t.Table(p.ID()).Scan(nil, nil, func(key, value []byte) bool {
				write(h, key)
				write(h, value)
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return h.Sum(nil), err
}

func write(h hash.Hash, b []byte) {
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
	h.Write(b)
}
