package eventlog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"time"

	"communicator/wire"
)

// start reads where the log stands, verifies its end and starts the goroutines.
// Damage makes the log read-only; an error is returned only where nothing can be read at
// all.
func (l *eventLog) start() error {
	w := &writer{l: l, pending: newBatch(), scratch: newStage(), nextSeq: 1, kinds: new(kindSet)}
	if err := w.recover(); err != nil {
		var damage *DamageError
		if !errors.As(err, &damage) {
			return err
		}
		l.opts.Logger.Error("the event log is damaged and read-only", "error", damage)
		l.degrade(ReadOnly, damage.Error())
	} else if l.State().Health == Healthy {
		if err := l.matchTables(); err != nil {
			return err
		}
	}
	if err := w.acquire(); err != nil {
		return err
	}
	if l.State().Health == Healthy {
		// Vouches for the tail that nobody was told of, and says that the log is open.
		vouched := w.head
		vouched.Sign(l.opts.Signer) // after a restore it may have been another's
		if err := errors.Join(l.heads.write(&vouched), l.heads.sync(), l.replayed()); err != nil {
			return err
		}
	}
	l.work.Add(1)
	go l.commitLoop()
	go w.run()
	l.startBackground()
	return nil
}

// recover finds the end of the log.
func (w *writer) recover() error {
	l := w.l
	snap, err := l.eng.snapshot()
	if err != nil {
		return err
	}
	defer snap.close()
	newest, headErr := l.heads.read()
	if headErr != nil {
		var damage *DamageError
		if !errors.As(headErr, &damage) {
			return headErr
		}
	}
	value, err := snap.get(metaLog)
	if err != nil {
		return &DamageError{Part: "store", Reason: "the log's own row cannot be read", Err: err}
	}
	if value == nil {
		return w.create(snap, newest, headErr)
	}
	if l.eras, err = parseEras(value); err != nil {
		return newer(err, "store")
	}
	if last := l.eras[len(l.eras)-1]; !bytes.Equal(last.Key[:], l.pub) {
		return errors.New("eventlog: the log belongs to another root key")
	}
	kindsErr := w.learnKinds(snap)
	var damage *DamageError
	if kindsErr != nil && !errors.As(kindsErr, &damage) {
		return kindsErr
	}
	w.begin()
	c, err := w.follow(snap)
	if c != nil {
		w.stand(c)
	}
	if err := cmp.Or(err, headErr, kindsErr); err != nil {
		return err
	}
	return w.compare(snap, newest)
}

// create begins an empty log.
func (w *writer) create(snap snapshot, newest *Head, headErr error) error {
	key, _, err := snap.last([]byte{keyBatch}, seqKey(keyBatch, ^uint64(0)))
	if err != nil || key != nil || newest != nil && newest.Number > 0 || headErr != nil {
		return &DamageError{Part: "store", Reason: "the log's own row is gone", Err: errors.Join(err, headErr)}
	}
	first := Era{Opened: w.l.opts.Now().UTC().Truncate(time.Second)}
	copy(first.Key[:], w.l.pub)
	if _, err := io.ReadFull(w.l.opts.Rand, first.LogID[:]); err != nil {
		return fmt.Errorf("eventlog: no randomness for a log id: %w", err)
	}
	w.l.eras = []Era{first}
	if err := w.l.eng.commit([]row{{metaLog, encodeEras(w.l.eras)}}); err != nil {
		return fmt.Errorf("eventlog: create: %w", err)
	}
	w.begin()
	w.l.begins.Store(1)
	if err := w.l.heads.write(&w.head); err != nil {
		return fmt.Errorf("eventlog: create: %w", err)
	}
	return w.l.heads.sync()
}

// begin stands before the first batch, under the newest log id.
func (w *writer) begin() {
	w.logID = w.l.eras[len(w.l.eras)-1].LogID
	w.head = Head{LogID: w.logID}
	w.head.Sign(w.l.opts.Signer)
	head := w.head
	w.l.newest.Store(&head)
}

// follow verifies the log from the last checkpoint that may be trusted. It returns how far it came, with the error that stopped it.
func (w *writer) follow(snap snapshot) (*chain, error) {
	c, err := w.l.beginning(snap)
	if err != nil {
		return nil, err
	}
	key, value, err := snap.last([]byte{keyBatch}, seqKey(keyBatch, ^uint64(0)))
	if err != nil {
		return c, c.broken(c.at.seq+1, "the newest batch cannot be read", err)
	}
	if key != nil {
		last, err := parseBatch(value)
		if err != nil {
			return c, newer(err, "header")
		}
		if err := w.l.skip(c, snap, last); err != nil {
			return c, err
		}
		bodies, err := scanBodies(snap, c.at.seq+1, last.head.Last())
		if err != nil {
			return c, &DamageError{First: c.at.seq + 1, Last: last.head.Last(), Part: "body", Reason: "the store cannot be read", Err: err}
		}
		err = c.walk(snap, func(b *batchRow) error {
			if d := bodies.missing(b); d != nil {
				return d
			}
			return nil
		})
		if err != nil {
			return c, err
		}
	}
	if c.head.Number > 0 && !c.signed(&c.head) {
		return c, c.broken(c.at.seq, "the newest head is not signed by this node", nil)
	}
	return c, nil
}

// beginning is where the kept headers start.
func (l *eventLog) beginning(snap snapshot) (*chain, error) {
	if len(l.eras) == 0 {
		return nil, &DamageError{Part: "store", Reason: "the log's own row is gone"}
	}
	c := &chain{eras: l.eras}
	info, err := l.snapshotInfo(snap)
	if err != nil {
		return nil, err
	}
	if info != nil {
		c.at = info.pruned
	}
	l.begins.Store(c.at.seq + 1)
	return c, nil
}

// snapshotInfo reads the newest projections' snapshot's name; nil if there is none.
func (l *eventLog) snapshotInfo(snap snapshot) (*snapshotInfo, error) {
	value, err := snap.get(metaSnapshot)
	if err != nil || value == nil {
		return nil, err
	}
	info, err := openSnapshotInfo(value, l.pub)
	if err != nil {
		return nil, newer(err, "snapshot")
	}
	return info, nil
}

// skip moves the chain to the newest checkpoint that may be trusted.
func (l *eventLog) skip(c *chain, snap snapshot, last *batchRow) error {
	for max := last.head.First - 1; ; { // at least the last batch is read
		key, value, err := snap.last([]byte{keyCheckpoint}, seqKey(keyCheckpoint, max))
		if err != nil {
			return &DamageError{Part: "checkpoint", Reason: "the store cannot be read", Err: err}
		}
		if key == nil || seqOf(key) <= c.at.seq {
			return nil
		}
		version, err := snap.version(key)
		if err != nil {
			return &DamageError{Part: "checkpoint", Reason: "the store cannot be read", Err: err}
		}
		if version > l.flushed {
			max = seqOf(key) - 1
			continue
		}
		a, err := openAnchor(value, l.pub)
		if err != nil {
			return newer(err, "checkpoint")
		}
		c.at = *a
		return nil
	}
}

// stand takes the chain's end as the end of the log.
func (w *writer) stand(c *chain) {
	w.nextSeq = c.at.seq + 1
	w.lastHash = c.at.record
	w.lastTime = c.time
	w.counts = c.sums
	if c.head.Number > 0 {
		w.head = c.head
		w.l.newest.Store(&c.head)
		counts := c.sums
		w.l.counts.Store(&counts)
	}
	w.tip = c.at.head
}

// compare holds the store against the head file.
func (w *writer) compare(snap snapshot, newest *Head) error {
	if newest == nil {
		if w.nextSeq == 1 {
			return nil // it crashed between its own row and the first head
		}
		return &DamageError{First: w.l.begins.Load(), Last: w.nextSeq - 1, Part: "head", Reason: "the head file is gone"}
	}
	if newest.Number == 0 {
		return nil
	}
	if newest.Last() >= w.nextSeq {
		return &DamageError{First: w.nextSeq, Last: newest.Last(), Part: "header",
			Reason: "the log ends before its signed head"}
	}
	if newest.First < w.l.begins.Load() {
		return nil // pruned since; the chain from there on holds
	}
	value, err := snap.get(seqKey(keyBatch, newest.First))
	if err != nil || value == nil {
		return &DamageError{First: newest.First, Last: newest.Last(), Part: "header", Reason: "the signed head's batch is gone", Err: err}
	}
	b, err := parseBatch(value)
	if err != nil {
		return newer(err, "header")
	}
	if b.head.Hash() != newest.Hash() {
		return &DamageError{First: newest.First, Last: newest.Last(), Part: "header", Reason: "the log is not the one that its signed head names"}
	}
	return nil
}

// newer turns a layout of a later version into an error that stops the start, and
// anything else that does not parse into damage.
func newer(err error, part string) error {
	if errors.Is(err, wire.ErrVersion) {
		return fmt.Errorf("eventlog: written by a newer version of this program, install that: %w", err)
	}
	return &DamageError{Part: part, Reason: "a row that does not parse", Err: err}
}
