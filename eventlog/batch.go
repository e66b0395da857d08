package eventlog

import (
	"encoding/binary"
	"time"

	"communicator/wire/logproof"
)

// stage is one request's events and rows before it is known that all of them
// stand.
type stage struct {
	at     layers // what the request sees
	tables overlay
	erase  map[uint64]struct{}
	events []stagedEvent
	last   uint64    // the newest sequence, including this request's
	end    time.Time // the newest event's time
	rows   int
	inline int // bytes that go to the store's tree
	bytes  int
	// What the request adds to the sums over all bodies, modulo 2^64.
	bodies, bodyBytes uint64
}

func newStage() *stage { return &stage{tables: overlay{}, erase: map[uint64]struct{}{}} }

// reset makes the stage ready for another request.
func (s *stage) reset(last uint64, end time.Time) {
	s.tables.clear()
	clear(s.erase)
	*s = stage{at: layers{over: s.at.over[:0]}, tables: s.tables, erase: s.erase, events: s.events[:0], last: last, end: end}
}

// stagedEvent is an event that has its place in the log.
type stagedEvent struct {
	prepared
	seq     uint64
	at      time.Time
	encoded []byte
	hash    [32]byte
}

// grow counts one row.
func (s *stage) grow(key, value int) {
	s.rows++
	s.bytes += key + value + rowOverhead
	if value >= inlineLimit {
		value = 12
	}
	s.inline += key + value + rowOverhead
}

func (s *stage) tooLarge() bool {
	return s.rows > batchRows || s.inline > batchInline || s.bytes > batchBytes || len(s.events) > MaxEvents
}

// batch is what one commit makes durable. The writer fills it; once sealed nobody
// changes it.
type batch struct {
	tables  overlay
	erase   map[uint64]struct{} // bodies of earlier batches
	once    map[tag]once
	events  []stagedEvent
	waiting []*request
	rows    int
	inline  int
	bytes   int

	head   Head
	before [32]byte // record hash of the event before the first
	tree   *logproof.Tree
	counts counters
	kinds  *kindSet // if the batch has a new one
	meta   []row    // checkpoint and kinds, if they are due
}

func newBatch() *batch {
	return &batch{tables: overlay{}, erase: map[uint64]struct{}{}, once: map[tag]once{}}
}

// heir is a new batch in the space of one that nothing is looked up in any more. Its
// events and its tree stay, for proofs.
func (b *batch) heir() *batch {
	next := &batch{tables: b.tables, erase: b.erase, once: b.once}
	b.tables, b.erase, b.once = nil, nil, nil
	next.tables.clear()
	clear(next.erase)
	clear(next.once)
	return next
}

// fits says whether the stage still goes into the batch's transaction.
func (b *batch) fits(s *stage) bool {
	return b.rows+s.rows <= batchRows && b.inline+s.inline <= batchInline && b.bytes+s.bytes <= batchBytes
}

// add takes the stage over.
func (b *batch) add(s *stage) {
	for id, t := range s.tables {
		for key, value := range t.rows {
			b.tables.set(id, key, value)
		}
	}
	for seq := range s.erase {
		b.erase[seq] = struct{}{}
	}
	for i := range s.events {
		e := &s.events[i]
		if e.key != (tag{}) {
			b.once[e.key] = once{seq: e.seq, content: e.content}
		}
	}
	if b.events == nil {
		b.events = make([]stagedEvent, 0, max(len(s.events), eventsAtFirst))
	}
	b.events = append(b.events, s.events...)
	b.rows += s.rows
	b.inline += s.inline
	b.bytes += s.bytes
}

// event returns the event with the sequence if it is in this batch.
func (b *batch) event(seq uint64) *stagedEvent {
	if b == nil || len(b.events) == 0 || seq < b.events[0].seq || seq-b.events[0].seq >= uint64(len(b.events)) {
		return nil
	}
	return &b.events[seq-b.events[0].seq]
}

// changes lists the rows of the commit.
func (b *batch) changes() []row {
	rows := make([]row, 0, b.rows+2)
	if len(b.events) > 0 {
		rows = b.eventRows(rows)
	}
	for id, t := range b.tables {
		for key, value := range t.rows {
			full := make([]byte, 0, 2+len(key))
			rows = append(rows, row{append(append(full, keyTable, id), key...), value})
		}
	}
	for seq := range b.erase {
		rows = append(rows, row{seqKey(keyBody, seq), []byte{bodyErased}})
	}
	return append(rows, b.meta...)
}

func (b *batch) eventRows(rows []row) []row {
	for i := range b.events {
		e := &b.events[i]
		if e.bodyRow == nil {
			continue
		}
		if _, gone := b.erase[e.seq]; !gone {
			binary.BigEndian.PutUint64(e.bodyRow[1:], b.head.First)
			rows = append(rows, row{seqKey(keyBody, e.seq), e.bodyRow})
		}
	}
	for key, o := range b.once {
		rows = append(rows, row{onceKey(key), o.encode()})
	}
	return append(rows, row{seqKey(keyBatch, b.head.First), encodeBatch(&b.head, &b.counts, b.events, &b.before)})
}
