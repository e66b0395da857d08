package eventlog

import (
	"encoding/binary"
	"errors"
	"iter"

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
		body, err = l.bodyIn(snap, seq)
		return err
	})
	return body, err
}

// bodyIn reads a body and checks it against its header.
func (l *eventLog) bodyIn(snap snapshot, seq uint64) ([]byte, error) {
	value, err := snap.get(seqKey(keyBody, seq))
	switch {
	case err != nil:
		return nil, damagedBody(seq, "the store cannot read it", err)
	case value == nil:
		return nil, l.noBody(snap, seq)
	case len(value) == 1 && value[0] == bodyErased:
		return nil, ErrErased
	case len(value) <= bodyOffset || value[0] != bodyStored:
		return nil, damagedBody(seq, "a row that does not parse", nil)
	}
	batch, err := snap.get(seqKey(keyBatch, binary.BigEndian.Uint64(value[1:])))
	if err != nil || batch == nil {
		return nil, damagedBody(seq, "its header cannot be read", err)
	}
	encoded, err := recordIn(batch, seq)
	if err != nil {
		return nil, damagedBody(seq, "its header cannot be read", err)
	}
	r, err := logproof.ParseRecord(encoded)
	if err != nil {
		return nil, damagedBody(seq, "its header does not parse", err)
	}
	body := value[bodyOffset:]
	if r.Seq != seq || !r.MatchesBody((*[logproof.SaltSize]byte)(value[9:bodyOffset]), body) {
		return nil, damagedBody(seq, "it does not match its header", nil)
	}
	return append([]byte(nil), body...), nil
}

// noBody says why an event has no body row.
func (l *eventLog) noBody(snap snapshot, seq uint64) error {
	_, encoded, err := l.locate(snap, seq)
	if err != nil {
		return err
	}
	r, err := logproof.ParseRecord(encoded)
	if err == nil && r.BodyLen == 0 {
		return ErrNoRecord
	}
	return damagedBody(seq, "neither stored nor marked as erased", err)
}

// damagedBody names one body.
func damagedBody(seq uint64, reason string, err error) error {
	return &DamageError{First: seq, Last: seq, Part: "body", Reason: reason, Err: err}
}

// locate finds the batch row that holds an event, and its header.
func (l *eventLog) locate(snap snapshot, seq uint64) (batch, encoded []byte, err error) {
	if seq < l.begins.Load() || seq == 0 {
		return nil, nil, ErrNoRecord
	}
	_, batch, err = snap.last([]byte{keyBatch}, seqKey(keyBatch, seq))
	if err != nil {
		return nil, nil, &DamageError{First: seq, Last: seq, Part: "header", Reason: "the store cannot be read", Err: err}
	}
	if batch == nil {
		return nil, nil, ErrNoRecord
	}
	encoded, err = recordIn(batch, seq)
	if err != nil {
		if seq > l.newest.Load().Last() {
			return nil, nil, ErrNoRecord
		}
		return nil, nil, &DamageError{First: seq, Last: seq, Part: "header", Reason: "its batch does not hold it", Err: err}
	}
	return batch, encoded, nil
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
		value, _, err := l.locate(snap, seq)
		if err != nil {
			return err
		}
		b, err := parseBatch(append([]byte(nil), value...))
		if err != nil {
			return &DamageError{First: seq, Last: seq, Part: "header", Reason: "a batch row that does not parse", Err: err}
		}
		for _, encoded := range b.records[seq-b.head.First:] {
			r, err := logproof.ParseRecord(encoded)
			if err != nil {
				return &DamageError{First: seq, Last: seq, Part: "header", Reason: "it does not parse", Err: err}
			}
			records = append(records, r)
		}
		return nil
	})
	return records, err
}

func (l *eventLog) Prove(seq uint64) (p *Proof, err error) {
	err = l.view(func(snap snapshot) error {
		value, _, err := l.locate(snap, seq)
		if err != nil {
			return err
		}
		b, err := parseBatch(value)
		if err != nil {
			return &DamageError{First: seq, Last: seq, Part: "header", Reason: "a batch row that does not parse", Err: err}
		}
		leaves := make([][32]byte, len(b.records))
		for i, encoded := range b.records {
			leaves[i] = logproof.HashRecord(encoded)
		}
		i := int(seq - b.head.First)
		p = &Proof{
			LogID: b.head.LogID, Number: b.head.Number, First: b.head.First, Count: b.head.Count,
			Prev: b.head.Prev, Signature: b.head.Signature, Path: logproof.NewTree(leaves).Path(i),
			Record: append([]byte(nil), b.records[i]...),
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
		StoreBytes: l.eng.size(), Eras: append([]Era(nil), l.eras...),
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
