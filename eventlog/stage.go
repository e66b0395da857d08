package eventlog

import (
	"fmt"
	"time"

	"communicator/wire/logproof"
)

// stage runs a request against the state after everything queued before it. An
// error leaves no trace, except that a projection's error stops the log.
func (w *writer) stage(r *request) (*stage, error) {
	s := w.scratch
	s.reset(w.nextSeq-1, w.lastTime)
	s.at.snap = w.snap
	s.at.over = append(s.at.over, s.tables)
	for b := range w.uncommitted() {
		s.at.over = append(s.at.over, b.tables)
	}
	events := r.events
	if r.decide != nil {
		var err error
		if events, err = w.decide(r, s); err != nil || r.panicked != nil {
			return nil, err
		}
	}
	at := grain(w.l.opts.Now(), w.lastTime)
	tip := w.lastHash
	r.appended = r.place[:0]
	if len(events) > len(r.place) {
		r.appended = make([]placed, 0, len(events))
	}
	for i := range events {
		p := &events[i]
		known, err := w.lookup(s, p)
		if err != nil {
			return nil, err
		}
		if known.seq != 0 {
			if known.content != p.content {
				return nil, ErrConflict
			}
			r.appended = append(r.appended, w.duplicate(known.seq))
			continue
		}
		if w.l.diskLow.Load() && w.l.opts.Growing(p.kind) {
			return nil, ErrStorageFull
		}
		if err := w.place(s, p, at, &tip); err != nil {
			return nil, err
		}
		r.appended = append(r.appended, placed{seq: s.last})
	}
	if s.tooLarge() {
		return nil, fmt.Errorf("%w: %d rows and %d bytes in one transaction", ErrTooLarge, s.rows, s.bytes)
	}
	return s, w.tally(s)
}

// decide runs a decision and prepares its events. A panic in it belongs to the
// caller, on whose goroutine it is raised again.
func (w *writer) decide(r *request, s *stage) (events []prepared, err error) {
	defer func() {
		if p := recover(); p != nil {
			r.panicked = p
		}
	}()
	now := w.l.opts.Now()
	if now.Before(w.lastTime) {
		now = w.lastTime
	}
	made, err := r.decide(now, queuedTables{w.l, &s.at})
	if err != nil {
		return nil, err
	}
	if len(made) > MaxEvents {
		return nil, fmt.Errorf("%w: %d events at once", ErrTooLarge, len(made))
	}
	events = make([]prepared, len(made))
	for i := range made {
		if events[i], err = w.l.prepare(&made[i]); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// lookup finds the earlier append with the event's key. seq is 0 if there is none.
func (w *writer) lookup(s *stage, p *prepared) (once, error) {
	if p.key == (tag{}) {
		return once{}, nil
	}
	for i := range s.events {
		if e := &s.events[i]; e.key == p.key {
			return once{seq: e.seq, content: e.content}, nil
		}
	}
	for b := range w.uncommitted() {
		if o, ok := b.once[p.key]; ok {
			return o, nil
		}
	}
	if w.l.unknown(p.key) {
		return once{}, nil
	}
	value, err := w.snap.get(onceKey(p.key))
	if err != nil || value == nil {
		return once{}, err
	}
	return parseOnce(value)
}

func (w *writer) duplicate(seq uint64) placed {
	p := placed{seq: seq, duplicate: true}
	for b := range w.uncommitted() {
		if b.event(seq) != nil {
			p.batch = b
		}
	}
	return p
}

// place gives the event its sequence and link and applies it to every table.
func (w *writer) place(s *stage, p *prepared, at time.Time, tip *[32]byte) error {
	rec := Record{
		Seq: s.last + 1, Time: at, Kind: p.kind, Version: p.version, Stream: p.stream, Header: p.header,
		BodyLen: p.bodyLen, BodyHash: p.bodyHash, Prev: *tip,
	}
	encoded, err := logproof.AppendRecord(make([]byte, 0, 128+len(p.stream)+len(p.header)), &rec)
	if err != nil {
		return err
	}
	e := stagedEvent{prepared: *p, seq: rec.Seq, at: at, encoded: encoded, hash: logproof.HashRecord(encoded)}
	s.last, *tip, s.end = rec.Seq, e.hash, at
	s.events = append(s.events, e)
	s.bytes += len(encoded) + tagSize
	if p.bodyRow != nil {
		s.grow(9, len(p.bodyRow))
	}
	if p.key != (tag{}) {
		s.grow(1+tagSize, 8+tagSize)
	}
	return w.l.apply(&s.at, s, rec, p.body())
}

// apply folds a record into every projection.
func (l *eventLog) apply(at *layers, s *stage, rec Record, body []byte) error {
	for _, p := range l.projections {
		tw := tableWriter{tableReader{id: p.ID(), at: at}, s}
		if err := p.Apply(tw, rec, body); err != nil {
			return l.fail(fmt.Errorf("projection %s at event %d: %w", p.Name(), rec.Seq, err))
		}
	}
	return nil
}

// tally works out what the stage changes in the sums over all bodies, and drops
// erasures of what is erased or never was.
func (w *writer) tally(s *stage) error {
	for i := range s.events {
		if e := &s.events[i]; e.bodyLen > 0 {
			if _, gone := s.erase[e.seq]; !gone {
				s.bodies++
				s.bodyBytes += uint64(e.bodyLen)
			}
		}
	}
	for seq := range s.erase {
		if len(s.events) > 0 && seq >= s.events[0].seq {
			if s.events[seq-s.events[0].seq].bodyLen == 0 {
				delete(s.erase, seq)
			}
			continue
		}
		n, err := w.storedBody(seq)
		if err != nil {
			return err
		}
		if n == 0 {
			delete(s.erase, seq)
			continue
		}
		s.bodies--
		s.bodyBytes -= uint64(n)
	}
	return nil
}

// storedBody is the length of a body that is stored, in the queued state, or 0.
func (w *writer) storedBody(seq uint64) (int, error) {
	for b := range w.uncommitted() {
		if _, gone := b.erase[seq]; gone {
			return 0, nil
		}
		if e := b.event(seq); e != nil {
			return int(e.bodyLen), nil
		}
	}
	n, err := w.snap.length(seqKey(keyBody, seq))
	return max(n-bodyOffset, 0), err
}
