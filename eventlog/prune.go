package eventlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
)

// Prune drops whole batches, oldest first, up to one that holds an event which is
// not older than horizon or whose body is still stored: stored mail is never lost
// to retention, whoever should have expired it. It reads beside the writer, which
// waits only while a part of the changes is committed.
func (l *eventLog) Prune(ctx context.Context, horizon time.Time) error {
	if err := l.refusal(); err != nil {
		return err
	}
	if err := l.maintain(ctx); err != nil {
		return err
	}
	defer l.maintained()
	return l.prune(openContext{ctx, l.closing}, horizon)
}

func (l *eventLog) prune(ctx context.Context, horizon time.Time) error {
	// A snapshot of everything up to now, while the writer stands still.
	var snap snapshot
	err := l.exclusively(context.WithoutCancel(ctx), func() (err error) {
		snap, err = l.eng.snapshot()
		return err
	})
	if err != nil {
		return err
	}
	next, err := l.saveState(ctx, snap, horizon)
	snap.close()
	if err = l.notice(err); err != nil || next == nil {
		return err
	}
	err = l.exclusively(context.WithoutCancel(ctx), func() error {
		if err := l.eng.commit([]row{{metaSnapshot, next.seal(l.opts.Signer)}}); err != nil {
			return l.fail(err)
		}
		l.begins.Store(next.pruned.seq + 1)
		return nil
	})
	if err != nil {
		return err
	}
	err = l.sweep(ctx, next)
	return errors.Join(err, l.exclusively(context.WithoutCancel(ctx), func() error {
		l.forgetKeys()
		return nil
	}))
}

// saveState writes a snapshot of the projections as they are in snap, and finds what
// may be pruned with it. It returns nil if the log is empty.
func (l *eventLog) saveState(ctx context.Context, snap snapshot, horizon time.Time) (*snapshotInfo, error) {
	next := &snapshotInfo{generation: 1}
	old, err := l.snapshotInfo(snap)
	if err != nil {
		return nil, err
	}
	if old != nil {
		next.generation = old.generation + 1
	}
	c, err := l.beginning(snap)
	if err != nil {
		return nil, err
	}
	if next.at, err = l.tipAnchor(snap); err != nil || next.at.seq == 0 {
		return nil, err
	}
	if next.pruned, err = l.prunable(ctx, snap, c, horizon, next.at.number); err != nil {
		return nil, err
	}
	return next, l.saveSnapshot(ctx, snap, next)
}

var errEnough = errors.New("enough")

// prunable follows the chain over the batches that may go.
func (l *eventLog) prunable(ctx context.Context, snap snapshot, c *chain, horizon time.Time, newest uint64) (anchor, error) {
	end := c.at
	err := c.walk(snap, func(b *batchRow) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !c.time.Before(horizon) || b.head.Number == newest {
			return errEnough // the newest batch says where the log ends
		}
		for i := range b.records {
			if b.records[i].BodyLen == 0 {
				continue
			}
			n, err := snap.length(seqKey(keyBody, b.records[i].Seq))
			if err != nil {
				return err
			}
			if n > 1 {
				return errEnough
			}
		}
		end = c.at
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return end, err
}

// tipAnchor is the end of the log.
func (l *eventLog) tipAnchor(snap snapshot) (a anchor, err error) {
	_, value, err := snap.last([]byte{keyBatch}, seqKey(keyBatch, ^uint64(0)))
	if err != nil || value == nil {
		return a, err
	}
	b, err := parseBatch(value)
	if err != nil {
		return a, newer(err, "header")
	}
	return anchor{
		number: b.head.Number, seq: b.head.Last(), head: b.head.Hash(), logID: b.head.LogID,
		record: b.leaves[len(b.leaves)-1], volume: b.counts.volume,
	}, nil
}

// sweep deletes what the newest snapshot made superfluous: older snapshots and
// checkpoints, and the headers, keys and body marks of pruned events. Interrupted,
// the rest goes with the next prune.
func (l *eventLog) sweep(ctx context.Context, info *snapshotInfo) error {
	c := &bulk{l: l, beside: true}
	for from := seqKey(keyBatch, 0); from != nil; {
		err := l.view(func(snap snapshot) (err error) {
			from, err = l.sweepBatches(ctx, snap, c, from, info.pruned.seq)
			return err
		})
		if err = errors.Join(err, c.flush()); err != nil {
			return err
		}
	}
	upTo := func(snap snapshot, kind byte, last uint64) error {
		return each(ctx, snap, []byte{kind}, func(key []byte) (bool, error) {
			if seqOf(key) > last {
				return false, nil
			}
			return true, c.change(row{bytes.Clone(key), nil})
		})
	}
	err := l.view(func(snap snapshot) error {
		return errors.Join(
			upTo(snap, keyBody, info.pruned.seq),
			upTo(snap, keyCheckpoint, info.pruned.seq),
			upTo(snap, keySnapshot, info.generation-1))
	})
	return errors.Join(err, c.flush())
}

// sweepBatches drops some pruned batches with their keys, up to a commit, and returns
// the key from which to go on, or nil.
func (l *eventLog) sweepBatches(ctx context.Context, snap snapshot, c *bulk, from []byte, last uint64) (next []byte, err error) {
	var inner error
	err = snap.scan([]byte{keyBatch}, from, func(key, value []byte) bool {
		var b *batchRow
		if b, inner = parseBatch(value); inner != nil || b.head.Last() > last {
			next = nil
			return false
		}
		for _, t := range b.tags {
			if inner == nil {
				inner = dropKey(snap, c, t, last)
			}
		}
		inner = errors.Join(inner, c.change(row{bytes.Clone(key), nil}), ctx.Err())
		next = seqKey(keyBatch, b.head.Last()+1)
		return inner == nil && c.size.rows > 0
	})
	return next, errors.Join(inner, err)
}

// dropKey forgets a pruned event's key, unless a later event uses it again.
func dropKey(snap snapshot, c *bulk, t tag, last uint64) error {
	if t == (tag{}) {
		return nil
	}
	value, err := snap.get(onceKey(t))
	if err != nil || value == nil {
		return err
	}
	o, err := parseOnce(value)
	if err != nil || o.seq > last {
		return err
	}
	return c.change(row{onceKey(t), nil})
}

// each visits keys until fn says no.
func each(ctx context.Context, snap snapshot, prefix []byte, fn func(key []byte) (bool, error)) error {
	var inner error
	err := snap.keys(prefix, nil, func(key []byte) bool {
		var more bool
		more, inner = fn(key)
		inner = errors.Join(inner, ctx.Err())
		return more && inner == nil
	})
	return errors.Join(inner, err)
}

func snapshotKey(generation uint64, chunk uint32) []byte {
	return binary.BigEndian.AppendUint32(seqKey(keySnapshot, generation), chunk)
}

// saveSnapshot writes every projection's rows in chunks, of which each is a list
// of u16 key length ‖ id and key ‖ u32 value length ‖ value. It counts only once
// its name is written.
func (l *eventLog) saveSnapshot(ctx context.Context, snap snapshot, info *snapshotInfo) error {
	c := &bulk{l: l, beside: true}
	digest := sha256.New()
	var chunk []byte
	finish := func() error {
		digest.Write(chunk)
		err := c.change(row{snapshotKey(info.generation, info.chunks), chunk})
		info.chunks++
		chunk = nil
		return err
	}
	var inner error
	err := snap.scan([]byte{keyTable}, nil, func(key, value []byte) bool {
		var b cryptobyte.Builder
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(key[1:]) })
		b.AddUint32(uint32(len(value)))
		b.AddBytes(value)
		var entry []byte
		if entry, inner = b.Bytes(); inner != nil {
			return false
		}
		if chunk = append(chunk, entry...); len(chunk) >= snapshotChunk {
			inner = finish()
		}
		inner = errors.Join(inner, ctx.Err())
		return inner == nil
	})
	err = errors.Join(inner, err)
	if err == nil && len(chunk) > 0 {
		err = finish()
	}
	if err == nil {
		err = c.flush()
	}
	digest.Sum(info.digest[:0])
	return err
}

// loadSnapshot reads a snapshot's rows in order, after checking all of it.
func (l *eventLog) loadSnapshot(snap snapshot, info *snapshotInfo, fn func(id byte, key, value []byte) error) error {
	damaged := func(reason string, err error) error {
		return &DamageError{Part: "snapshot", Reason: reason, Err: err}
	}
	digest := sha256.New()
	for i := range info.chunks {
		chunk, err := snap.get(snapshotKey(info.generation, i))
		if err != nil || chunk == nil {
			return damaged("a chunk is gone", err)
		}
		digest.Write(chunk)
	}
	if !bytes.Equal(digest.Sum(nil), info.digest[:]) {
		return damaged("it is not the one that was signed", nil)
	}
	for i := range info.chunks {
		chunk, err := snap.get(snapshotKey(info.generation, i))
		if err != nil {
			return damaged("a chunk is gone", err)
		}
		for s := cryptobyte.String(chunk); !s.Empty(); {
			var key cryptobyte.String
			var n uint32
			var value []byte
			if !s.ReadUint16LengthPrefixed(&key) || len(key) == 0 || !s.ReadUint32(&n) || !s.ReadBytes(&value, int(n)) {
				return damaged("it does not parse", wire.ErrMalformed)
			}
			if err := fn(key[0], key[1:], value); err != nil {
				return err
			}
		}
	}
	return nil
}
