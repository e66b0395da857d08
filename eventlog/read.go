package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
	"slices"

	"communicator/wire/logproof"
)

func seqOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[1:]) }

// view runs fn on a snapshot of what is committed.
func (l *eventLog) view(fn func(snapshot) error) error {
	select {
	case <-l.stopped:
		return ErrClosed
	default:
	}
	snap, err := l.eng.snapshot()
	if err != nil {
		return err
	}
	defer snap.close()
	return l.notice(fn(snap))
}

// notice makes the log read-only if err is damage, and returns it.
func (l *eventLog) notice(err error) error {
	var damage *DamageError
	if errors.As(err, &damage) {
		l.degrade(ReadOnly, damage.Error())
	}
	return err
}

func (l *eventLog) View(fn func(Tables) error) error {
	return l.view(func(snap snapshot) error { return fn(committedTables{l, snap}) })
}

func (l *eventLog) Body(seq uint64) (body []byte, err error) {
	err = l.view(func(snap snapshot) error {
		body, err = l.bodyIn(&headers{snap: snap}, seq)
		body = bytes.Clone(body) // the memory engine's own
		return err
	})
	return body, err
}

// noBody says why an event has no body row.
func (l *eventLog) noBody(snap snapshot, seq uint64) error {
	b, err := l.locate(snap, seq)
	if err != nil {
		return err
	}
	if b.records[seq-b.head.First].BodyLen == 0 {
		return ErrNoRecord
	}
	return damagedBody(seq, "neither stored nor marked as erased", nil)
}

// damagedBody names one body.
func damagedBody(seq uint64, reason string, err error) error {
	return &DamageError{First: seq, Last: seq, Part: "body", Reason: reason, Err: err}
}

// locate reads the batch that holds an event.
func (l *eventLog) locate(snap snapshot, seq uint64) (*batchRow, error) {
	if seq < l.begins.Load() || seq == 0 {
		return nil, ErrNoRecord
	}
	damaged := func(reason string, err error) error {
		return &DamageError{First: seq, Last: seq, Part: "header", Reason: reason, Err: err}
	}
	_, value, err := snap.last([]byte{keyBatch}, seqKey(keyBatch, seq))
	if err != nil {
		return nil, damaged("the store cannot be read", err)
	}
	if value == nil {
		return nil, ErrNoRecord
	}
	b, err := parseBatch(value)
	if err != nil {
		return nil, damaged("a batch row that does not parse", err)
	}
	if seq > b.head.Last() || seq < b.head.First {
		if seq > l.newest.Load().Last() {
			return nil, ErrNoRecord
		}
		return nil, damaged("its batch does not hold it", nil)
	}
	return b, nil
}

// Records reads a batch at a time and holds nothing open while it yields.
func (l *eventLog) Records(from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for seq := max(from, l.begins.Load()); ; {
			records, err := l.recordsOfBatch(seq)
			if err != nil {
				yield(Record{}, err)
				return
			}
			if len(records) == 0 {
				return
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
			seq = records[len(records)-1].Seq + 1
		}
	}
}

// recordsOfBatch returns the headers from seq to the end of its batch, or none at
// the end of the log.
func (l *eventLog) recordsOfBatch(seq uint64) (records []Record, err error) {
	if head := l.newest.Load(); head.Number == 0 || seq > head.Last() {
		return nil, nil
	}
	err = l.view(func(snap snapshot) error {
		b, err := l.locate(snap, seq)
		if err == nil {
			records = b.records[seq-b.head.First:]
		}
		return err
	})
	return records, err
}

func (l *eventLog) Prove(seq uint64) (p *Proof, err error) {
	err = l.view(func(snap snapshot) error {
		b, err := l.locate(snap, seq)
		if err != nil {
			return err
		}
		i := int(seq - b.head.First)
		p = &Proof{
			LogID: b.head.LogID, Number: b.head.Number, First: b.head.First, Count: b.head.Count,
			Prev: b.head.Prev, Signature: b.head.Signature, Path: logproof.NewTree(b.leaves).Path(i),
			Record: b.encoded[i],
		}
		body, err := snap.get(seqKey(keyBody, seq))
		if err == nil && len(body) > bodyOffset {
			p.Salt = append([]byte(nil), body[9:bodyOffset]...)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := logproof.VerifyProof(eraOf(l.eras, p.Number).Key[:], p); err != nil {
		return nil, &DamageError{First: seq, Last: seq, Part: "header", Reason: "its proof does not hold", Err: err}
	}
	return p, nil
}

func (l *eventLog) Stat() (Stat, error) {
	counts, head := l.counts.Load(), l.newest.Load()
	s := Stat{
		Batches: head.Number, Bodies: counts.bodies, BodyBytes: counts.bodyBytes,
		StoreBytes: l.eng.size(), Eras: append([]Era(nil), l.eras...), Kinds: slices.Clone(l.kinds.Load().all),
	}
	if head.Number > 0 && head.Last() >= l.begins.Load() {
		s.First, s.Last = l.begins.Load(), head.Last()
	}
	if l.dir == "" {
		return s, nil
	}
	free, _, err := l.opts.Statfs(l.dir)
	s.FreeBytes = free
	return s, err
}
