package eventlog

import (
	"encoding/binary"
	"errors"
	"time"

	"communicator/wire"
	"communicator/wire/logproof"
)

// A batch row holds one committed batch: its signed head and, of each header, what
// does not follow from the one before. The package comment draws the fixed part;
// then come, for each event,
//
//	body length               uvarint
//	body hash                 32     not if there was no body
//	kind, version             u16, u8
//	minutes                   uvarint    since the batch's time, not falling
//	stream                    uvarint d ‖ if d is 0: u8 length ‖ bytes; else that of the event d before,
//	                          the last one with it
//	header                    uvarint length ‖ bytes
//	tag of the key            u8 0: none, or u8 1 ‖ 16
const (
	batchLayout = 2

	batchCountAt = 1 + 32 + 8 + 8
	batchEndsAt  = batchCountAt + 4 + 32 + 32 + 64 + 24 + 32 + 8
)

// batchRow is what the row says. Sequences and links of the headers follow.
type batchRow struct {
	head    Head
	counts  counters
	prev    [32]byte // record hash of the header before the first
	records []Record
	encoded [][]byte // the headers' encodings, and
	leaves  [][32]byte
	tags    []tag
}

// encodeBatch lays out the row.
func encodeBatch(head *Head, counts *counters, events []stagedEvent, prev *[32]byte) []byte {
	size := batchEndsAt
	for i := range events {
		size += 64 + tagSize + len(events[i].stream) + len(events[i].header)
	}
	out := append(make([]byte, 0, size), batchLayout)
	out = append(out, head.LogID[:]...)
	out = binary.BigEndian.AppendUint64(out, head.Number)
	out = binary.BigEndian.AppendUint64(out, head.First)
	out = binary.BigEndian.AppendUint32(out, head.Count)
	out = append(out, head.Prev[:]...)
	out = append(out, head.Root[:]...)
	out = append(out, head.Signature[:]...)
	out = binary.BigEndian.AppendUint64(out, counts.bodies)
	out = binary.BigEndian.AppendUint64(out, counts.bodyBytes)
	out = binary.BigEndian.AppendUint64(out, counts.volume)
	out = append(out, prev[:]...)
	base := events[0].at
	out = binary.BigEndian.AppendUint64(out, uint64(base.Unix()))
	ends := len(out)
	out = append(out, make([]byte, 4*len(events))...)
	begin := len(out)
	var streams streamIndex
	for i := range events {
		out = events[i].appendTo(out, base, streams.distance(i, events[i].stream))
		binary.BigEndian.PutUint32(out[ends+4*i:], uint32(len(out)-begin))
	}
	return out
}

// streamIndex finds where in a batch a stream was named last.
type streamIndex map[string]int

// distance is how many events before i that was, or 0, and notes that it is i now.
func (s *streamIndex) distance(i int, stream []byte) int {
	if *s == nil {
		*s = streamIndex{}
	}
	last, known := (*s)[string(stream)]
	(*s)[string(stream)] = i
	if !known {
		return 0
	}
	return i - last
}

func (e *stagedEvent) appendTo(out []byte, base time.Time, distance int) []byte {
	out = binary.AppendUvarint(out, uint64(e.bodyLen))
	if e.bodyLen > 0 {
		out = append(out, e.bodyHash[:]...)
	}
	out = append(binary.BigEndian.AppendUint16(out, uint16(e.kind)), e.version)
	out = binary.AppendUvarint(out, uint64(e.at.Sub(base)/TimeGrain))
	out = binary.AppendUvarint(out, uint64(distance))
	if distance == 0 {
		out = append(append(out, byte(len(e.stream))), e.stream...)
	}
	out = binary.AppendUvarint(out, uint64(len(e.header)))
	out = append(out, e.header...)
	if e.key == (tag{}) {
		return append(out, 0)
	}
	return append(append(out, 1), e.key[:]...)
}

// parseBatch reads a batch row; streams and headers of its records alias value.
func parseBatch(value []byte) (*batchRow, error) {
	if len(value) == 0 {
		return nil, wire.ErrMalformed
	}
	if value[0] != batchLayout {
		return nil, wire.ErrVersion
	}
	if len(value) < batchEndsAt {
		return nil, wire.ErrMalformed
	}
	b := new(batchRow)
	r := parts{rest: value[1:], ok: true}
	copy(b.head.LogID[:], r.take(32))
	b.head.Number, b.head.First = r.u64(), r.u64()
	b.head.Count = binary.BigEndian.Uint32(r.take(4))
	copy(b.head.Prev[:], r.take(32))
	copy(b.head.Root[:], r.take(32))
	copy(b.head.Signature[:], r.take(64))
	b.counts = counters{bodies: r.u64(), bodyBytes: r.u64(), volume: r.u64()}
	copy(b.prev[:], r.take(32))
	base := r.u64()
	n := int(b.head.Count)
	if n == 0 || n > batchRows || base > 1<<40 {
		return nil, wire.ErrMalformed
	}
	ends := r.take(4 * n)
	if ends == nil {
		return nil, wire.ErrMalformed
	}
	return b, b.parseEvents(r.rest, ends, time.Unix(int64(base), 0).UTC())
}

// parseEvents makes the batch's headers whole again.
func (b *batchRow) parseEvents(rest, ends []byte, base time.Time) error {
	n := len(ends) / 4
	b.records, b.tags = make([]Record, n), make([]tag, n)
	b.encoded, b.leaves = make([][]byte, n), make([][32]byte, n)
	r := parts{rest: rest, ok: true}
	prev, at := b.prev, base
	var streams streamIndex
	for i := range b.records {
		rec := &b.records[i]
		rec.Seq, rec.Prev = b.head.First+uint64(i), prev
		r.body(rec)
		kind := r.take(3)
		if kind == nil {
			return wire.ErrMalformed
		}
		rec.Kind, rec.Version = Kind(binary.BigEndian.Uint16(kind)), kind[2]
		minutes := r.uvarint(1 << 40)
		rec.Time = base.Add(time.Duration(minutes) * TimeGrain)
		distance := int(r.uvarint(uint64(i)))
		if distance > 0 {
			rec.Stream = b.records[i-distance].Stream
		} else if size := r.take(1); size != nil {
			rec.Stream = r.take(int(size[0]))
		}
		rec.Header = r.take(int(r.uvarint(logproof.MaxHeader)))
		b.tags[i] = r.tag()
		first := i == 0 && minutes != 0
		if !r.ok || first || rec.Time.Before(at) || distance != streams.distance(i, rec.Stream) ||
			len(rest)-len(r.rest) != int(binary.BigEndian.Uint32(ends[4*i:])) {
			return wire.ErrMalformed
		}
		encoded, err := logproof.AppendRecord(nil, rec)
		if err != nil {
			return wire.ErrMalformed
		}
		at, prev = rec.Time, logproof.HashRecord(encoded)
		b.encoded[i], b.leaves[i] = encoded, prev
	}
	if len(r.rest) > 0 {
		return wire.ErrMalformed
	}
	return nil
}

// parts reads the parts of a row one after the other; ok turns false when one is
// not there.
type parts struct {
	rest []byte
	ok   bool
}

func (p *parts) take(n int) []byte {
	if n < 0 || n > len(p.rest) {
		p.ok, p.rest = false, nil
		return nil
	}
	part := p.rest[:n:n]
	p.rest = p.rest[n:]
	return part
}

func (p *parts) u64() uint64 {
	if b := p.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// uvarint reads a number up to most, in its shortest form.
func (p *parts) uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(p.rest)
	if n <= 0 || v > most || n > 1 && p.rest[n-1] == 0 {
		p.take(-1)
		return 0
	}
	p.take(n)
	return v
}

func (p *parts) body(r *Record) {
	r.BodyLen = uint32(p.uvarint(1<<32 - 1))
	if r.BodyLen > 0 {
		copy(r.BodyHash[:], p.take(32))
	}
}

func (p *parts) tag() (t tag) {
	switch mark := p.take(1); {
	case mark == nil || mark[0] == 0:
	case mark[0] == 1:
		copy(t[:], p.take(tagSize))
		p.ok = p.ok && t != tag{}
	default:
		p.ok = false
	}
	return t
}

// bodyOf reads, of one event's header, the length and the hash of its body.
func bodyOf(row value, first, seq uint64) (r Record, err error) {
	i := int(seq - first)
	if seq < first || i >= batchRows {
		return r, ErrNoRecord
	}
	count, err := row.part(batchCountAt, 4)
	if err != nil || len(count) < 4 {
		return r, errors.Join(err, wire.ErrMalformed)
	}
	n := int(binary.BigEndian.Uint32(count))
	if i >= n {
		return r, ErrNoRecord
	}
	from := batchEndsAt + 4*n
	if i > 0 {
		end, err := row.part(batchEndsAt+4*i-4, 4)
		if err != nil || len(end) < 4 {
			return r, errors.Join(err, wire.ErrMalformed)
		}
		from += int(binary.BigEndian.Uint32(end))
	}
	const longest = binary.MaxVarintLen32 + 32
	head, err := row.part(from, longest)
	if err != nil {
		return r, err
	}
	p := parts{rest: head, ok: true}
	p.body(&r)
	if !p.ok {
		return r, wire.ErrMalformed
	}
	return r, nil
}
