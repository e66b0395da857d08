package eventlog

import (
	"encoding/binary"

	"communicator/wire"
	"communicator/wire/logproof"

	"golang.org/x/crypto/cryptobyte"
)

// First bytes of the store's keys; the package comment draws the rows.
const (
	keyBatch    = 'h'
	keyBody     = 'b'
	keyOnce     = 'i'
	keyTable    = 't'
	keyMeta     = 'm'
	keySnapshot = 's'
	// keyCheckpoint holds signed anchors by sequence.
	keyCheckpoint = 'c'
)

// Meta rows.
var (
	metaLog      = []byte("mlog")      // eras
	metaTables   = []byte("mtables")   // the projections the rows were made by
	metaRebuild  = []byte("mrebuild")  // present while a rebuild is under way
	metaSnapshot = []byte("msnapshot") // the newest signed snapshot, and where headers begin
	metaTick     = []byte("mtick")     // written by commits that hold no event
)

const (
	batchLayout = 1

	bodyErased = 0 // a body row's first byte
	bodyStored = 1
	// bodyOffset is where the body begins in its row.
	bodyOffset = 1 + 8 + logproof.SaltSize

	tagSize = 16
)

// tag files an idempotency key, and compares content, without storing either.
type tag [tagSize]byte

func seqKey(kind byte, seq uint64) []byte {
	key := make([]byte, 9)
	key[0] = kind
	binary.BigEndian.PutUint64(key[1:], seq)
	return key
}

func onceKey(t tag) []byte { return append([]byte{keyOnce}, t[:]...) }

// once is an idempotency row: the first append's sequence and its content.
type once struct {
	seq     uint64
	content tag
}

func (o once) encode() []byte {
	value := make([]byte, 8+tagSize)
	binary.BigEndian.PutUint64(value, o.seq)
	copy(value[8:], o.content[:])
	return value
}

func parseOnce(value []byte) (o once, err error) {
	if len(value) != 8+tagSize {
		return o, wire.ErrMalformed
	}
	o.seq = binary.BigEndian.Uint64(value)
	copy(o.content[:], value[8:])
	return o, nil
}

// tableKey is the store's key of a projection's row.
func tableKey(id byte, key []byte) []byte {
	full := make([]byte, 0, 2+len(key))
	return append(append(full, keyTable, id), key...)
}

// counters are sums over the whole log, carried in every batch row.
type counters struct {
	bodies    uint64 // stored now
	bodyBytes uint64 // of them
	volume    uint64 // bytes ever written to the store's tree, see open.go
}

// batchRow is one committed batch: its signed head, its headers, and the tags of
// its events' keys (zeros: no key), which go when the headers go.
type batchRow struct {
	head    Head
	counts  counters
	records [][]byte
	tags    []tag
}

func (b *batchRow) encode() []byte {
	size := 1 + 32 + 8 + 8 + 4 + 32 + 32 + 64 + 24
	for _, r := range b.records {
		size += len(r) + 4 + tagSize
	}
	out := make([]byte, 0, size)
	out = append(out, batchLayout)
	out = append(out, b.head.LogID[:]...)
	out = binary.BigEndian.AppendUint64(out, b.head.Number)
	out = binary.BigEndian.AppendUint64(out, b.head.First)
	out = binary.BigEndian.AppendUint32(out, b.head.Count)
	out = append(out, b.head.Prev[:]...)
	out = append(out, b.head.Root[:]...)
	out = append(out, b.head.Signature[:]...)
	out = binary.BigEndian.AppendUint64(out, b.counts.bodies)
	out = binary.BigEndian.AppendUint64(out, b.counts.bodyBytes)
	out = binary.BigEndian.AppendUint64(out, b.counts.volume)
	end := uint32(0)
	for _, r := range b.records {
		end += uint32(len(r))
		out = binary.BigEndian.AppendUint32(out, end)
	}
	for _, r := range b.records {
		out = append(out, r...)
	}
	for i := range b.tags {
		out = append(out, b.tags[i][:]...)
	}
	return out
}

// parseBatch reads a batch row; records alias value.
func parseBatch(value []byte) (*batchRow, error) {
	s := cryptobyte.String(value)
	b := new(batchRow)
	var layout uint8
	if !s.ReadUint8(&layout) {
		return nil, wire.ErrMalformed
	}
	if layout != batchLayout {
		return nil, wire.ErrVersion
	}
	if !s.CopyBytes(b.head.LogID[:]) || !s.ReadUint64(&b.head.Number) || !s.ReadUint64(&b.head.First) ||
		!s.ReadUint32(&b.head.Count) || !s.CopyBytes(b.head.Prev[:]) || !s.CopyBytes(b.head.Root[:]) ||
		!s.CopyBytes(b.head.Signature[:]) || !s.ReadUint64(&b.counts.bodies) ||
		!s.ReadUint64(&b.counts.bodyBytes) || !s.ReadUint64(&b.counts.volume) {
		return nil, wire.ErrMalformed
	}
	n := int(b.head.Count)
	if n == 0 || n > batchRows || len(s) < n*(4+tagSize) {
		return nil, wire.ErrMalformed
	}
	ends, rest := s[:4*n], s[4*n:]
	b.records, b.tags = make([][]byte, n), make([]tag, n)
	at, limit := uint32(0), uint32(len(rest)-n*tagSize)
	for i := range b.records {
		end := binary.BigEndian.Uint32(ends[4*i:])
		if end < at || end > limit {
			return nil, wire.ErrMalformed
		}
		b.records[i] = rest[at:end:end]
		at = end
	}
	if at != limit {
		return nil, wire.ErrMalformed
	}
	for i := range b.tags {
		copy(b.tags[i][:], rest[int(limit)+i*tagSize:])
	}
	return b, nil
}

// recordIn reads one header out of a batch row without parsing the others.
func recordIn(value []byte, seq uint64) ([]byte, error) {
	const fixed = 1 + 32 + 8 + 8 + 4
	const table = fixed + 32 + 32 + 64 + 24
	if len(value) < table || value[0] != batchLayout {
		return nil, wire.ErrMalformed
	}
	first := binary.BigEndian.Uint64(value[41:])
	count := uint64(binary.BigEndian.Uint32(value[49:]))
	if seq < first || seq-first >= count {
		return nil, ErrNoRecord
	}
	i := int(seq - first)
	records := table + 4*int(count)
	if count > batchRows || len(value) < records {
		return nil, wire.ErrMalformed
	}
	from, to := 0, int(binary.BigEndian.Uint32(value[table+4*i:]))
	if i > 0 {
		from = int(binary.BigEndian.Uint32(value[table+4*i-4:]))
	}
	if from > to || to > len(value)-records {
		return nil, wire.ErrMalformed
	}
	return value[records+from : records+to], nil
}
